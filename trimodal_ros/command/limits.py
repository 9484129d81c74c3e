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

"""Limits of the joints: a trajectory outside them is refused whole."""

from __future__ import annotations

import numpy as np

from ..spec import Trajectory


class LimitError(ValueError):
    """
    A trajectory that leaves a joint's limits; the message names joint, step and value.

    ``kind`` is 'position', 'velocity' or 'workspace'; ``joint`` the joint, or the frame that
    leaves the workspace.
    """

    def __init__(self, kind: str, joint: str, message: str):
        super().__init__(message)
        self.kind, self.joint = kind, joint


def check_limits(trajectory: Trajectory) -> None:
    """
    Raise LimitError for a position or a mean velocity between points outside the limits.

    The first point is where the robot already is. A joint that is outside there may come
    back: its later points must be no further out.
    """
    robot, first_J = trajectory.robot, trajectory.position_TJ[0]
    below, above = np.minimum(robot.lower_J, first_J), np.maximum(robot.upper_J, first_J)
    outside_TJ = (trajectory.position_TJ < below) | (trajectory.position_TJ > above)
    if outside_TJ.any():
        step, index = np.argwhere(outside_TJ)[0]
        joint = robot.joints[index]
        raise LimitError(
            'position', joint.name,
            f'joint {joint.name!r}, step {step}: {trajectory.position_TJ[step, index]:.3f} rad '
            f'is outside [{joint.lower_rad}, {joint.upper_rad}] rad')
    _check_velocity(trajectory)


def _check_velocity(trajectory: Trajectory) -> None:
    robot = trajectory.robot
    gap_s_T = np.diff(trajectory.time_s_T)[:, None]
    speed_TJ = np.abs(np.diff(trajectory.position_TJ, axis=0)) / gap_s_T
    fast_TJ = speed_TJ > robot.velocity_J
    if fast_TJ.any():
        step, index = np.argwhere(fast_TJ)[0]
        raise LimitError(
            'velocity', robot.joint_names[index],
            f'joint {robot.joint_names[index]!r}, step {step + 1}: {speed_TJ[step, index]:.2f} '
            f'rad/s is above {robot.joints[index].velocity_rad_s} rad/s')
