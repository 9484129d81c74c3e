"""Limits of the joints: a trajectory outside them is refused whole."""

from __future__ import annotations

import numpy as np

from ..spec import Trajectory


class LimitError(ValueError):
    """A trajectory that leaves a joint's limits; the message names joint, step and value."""


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
            f'joint {robot.joint_names[index]!r}, step {step + 1}: {speed_TJ[step, index]:.2f} '
            f'rad/s is above {robot.joints[index].velocity_rad_s} rad/s')
