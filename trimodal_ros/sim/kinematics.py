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

"""Forward and inverse kinematics of the tool point, by MuJoCo and mink."""

from __future__ import annotations

import mink
import numpy as np

from .layout import PAN_AXIS_X_M
from .model import robot_model, TOOL_SITE
from .scene import Scene

TOLERANCE_M = 1e-3
SETTLED_RAD = 2e-3
MAX_ITERATIONS = 20
LIMIT_MARGIN_RAD = 0.15   # so that what is learned from it stays clear of the limits
REST_POSE_RAD = (0.0, -0.4, 0.3, 1.6)  # pan, lift, elbow, flex: a seed above the table


class ReachError(ValueError):
    """The arm cannot bring its tool to this pose."""


class Kinematics:
    """The arm alone, pointing straight down; ``joint_J`` includes the gripper, in rad."""

    def __init__(self, scene: Scene):
        self.configuration = mink.Configuration(robot_model(scene).compile())
        self._task = mink.FrameTask(TOOL_SITE, 'site', position_cost=1.0, orientation_cost=0.02,
                                    lm_damping=1e-8)
        self._limits = [mink.ConfigurationLimit(
            self.configuration.model, min_distance_from_limits=LIMIT_MARGIN_RAD)]

    def tool_position_m(self, joint_J: np.ndarray) -> np.ndarray:
        return self._update(joint_J).data.site(TOOL_SITE).xpos.copy()

    def tool_yaw(self, joint_J: np.ndarray) -> float:
        """Return the world angle (rad) of the direction the jaws close in."""
        xmat = self._update(joint_J).data.site(TOOL_SITE).xmat
        return float(np.arctan2(xmat[3], xmat[0]))

    def solve(self, position_m, yaw: float, seed_J: np.ndarray) -> np.ndarray:
        """
        Return the joints that bring the tool to ``position_m``, straight down at ``yaw``.

        Starts at ``seed_J`` and keeps its gripper. Near the edge of its reach the tool tilts by
        a few degrees rather than missing the position. Raises ReachError when the tool stays
        further than 1 mm from the position.
        """
        rotation = mink.SO3.from_z_radians(yaw)
        self._task.set_target(mink.SE3.from_rotation_and_translation(
            rotation, np.asarray(position_m, dtype=np.float64)))
        self.configuration.update(np.array(seed_J, dtype=np.float64))
        for _ in range(MAX_ITERATIONS):
            step_J = mink.solve_ik(self.configuration, [self._task], 1.0, 'daqp',
                                   limits=self._limits)
            self.configuration.integrate_inplace(step_J, 1.0)
            if np.abs(step_J).max() < SETTLED_RAD:
                break
        solved_J = self.configuration.q.copy()
        miss_m = np.linalg.norm(self.tool_position_m(solved_J) - position_m)
        if miss_m > TOLERANCE_M:
            raise ReachError(f'tool pose {np.round(position_m, 3)} m, yaw {yaw:.2f} rad is out '
                             f'of reach by {1000 * miss_m:.1f} mm')
        solved_J[-1] = seed_J[-1]
        return solved_J

    def reach(self, position_m, yaw: float, gripper_rad: float) -> np.ndarray:
        """Solve from a fixed seed that already faces ``position_m``."""
        pan = -np.arctan2(position_m[1], position_m[0] - PAN_AXIS_X_M)
        seed_J = np.array([pan, *REST_POSE_RAD[1:], yaw + pan, gripper_rad])
        return self.solve(position_m, yaw, seed_J)

    def _update(self, joint_J: np.ndarray) -> mink.Configuration:
        self.configuration.update(np.array(joint_J, dtype=np.float64))
        return self.configuration
