# Copyright 2026 the trimodal_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
The tool's motion as joint velocities: differential inverse kinematics by mink on MuJoCo.

Along and about the axes of the URDF's root link. An arm with fewer than six joints moves its
tool as asked and turns it as far as it can.
"""

from __future__ import annotations

import numpy as np

from .frame import Chain
from ..spec import RobotSpec

STEP_S = 0.02            # the twist is solved for the joints' change in this time
ORIENTATION_COST = 0.05  # of a rad, beside 1 of a m: the tool goes where it is told first
DAMPING = 1e-4           # keeps joints slow near a singularity, where the tool falls behind
STRAIGHTEN_PER_S = 2.0   # of what the tool has turned unasked, it turns back


class CartesianJog:
    """
    Moves the link ``frame``. Raises SpecError where ``Chain`` does.

    ``begin`` takes the tool's orientation as the one to keep; ``velocity_J`` turns it as asked.
    """

    def __init__(self, urdf: str, robot: RobotSpec, frame: str):
        import mink  # who moves joints needs no inverse kinematics
        self._mink, self._chain = mink, Chain(urdf, robot, frame)
        self._joints = len(robot.joints)
        self._configuration = mink.Configuration(self._chain.model)
        self._task = mink.FrameTask(frame, 'body', position_cost=1.0,
                                    orientation_cost=ORIENTATION_COST, lm_damping=DAMPING)
        self._keeps = None

    def begin(self, position_J: np.ndarray) -> None:
        """Keep the orientation that the tool has where the joints are (rad)."""
        self._keeps = self._pose(position_J).rotation()

    def velocity_J(self, position_J: np.ndarray, twist_6: np.ndarray) -> np.ndarray:
        """
        Return the joints' velocities (rad/s) for a twist of the tool: m/s, then rad/s.

        Joints that don't move the tool get 0; no velocity limit is kept.
        """
        mink, pose = self._mink, self._pose(position_J)
        turned = pose.rotation()
        if twist_6[3:].any():
            self._keeps = turned
            goes_to = mink.SO3.exp(twist_6[3:] * STEP_S) @ turned
        else:
            back = (turned.inverse() @ self._keeps).log()
            goes_to = turned @ mink.SO3.exp(STRAIGHTEN_PER_S * STEP_S * back)
        self._task.set_target(mink.SE3.from_rotation_and_translation(
            goes_to, pose.translation() + twist_6[:3] * STEP_S))
        solved_K = mink.solve_ik(self._configuration, [self._task], STEP_S, 'daqp', limits=[])
        velocity_J = np.zeros(self._joints)
        velocity_J[self._chain.index_K] = solved_K[
            self._chain.model.jnt_dofadr[self._chain.joint_K]]
        return velocity_J

    def tool_position_m(self, position_J: np.ndarray) -> np.ndarray:
        """Return where the tool is, in m in the root link's frame."""
        return self._pose(position_J).translation()

    def _pose(self, position_J: np.ndarray):
        q = np.zeros(self._chain.model.nq)
        q[self._chain.qpos_K] = position_J[self._chain.index_K]
        self._configuration.update(q)
        return self._configuration.get_transform_frame_to_world(self._chain.frame, 'body')
