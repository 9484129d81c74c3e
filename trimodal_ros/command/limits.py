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
Limits of the joints: a motion outside them is refused whole.

What is checked is what a joint_trajectory_controller makes of the points, a cubic between each
two, at its extremes and not only at the points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

TOLERANCE = 1e-6  # of rounding, in rad, and relative for velocity and acceleration


class LimitError(ValueError):
    """
    A motion that leaves a limit; the message names joint, time and value.

    ``kind`` is 'position', 'velocity', 'acceleration', 'first step', 'workspace' or 'no way';
    ``joint`` is the joint or link that left it, '' where that isn't known.
    """

    def __init__(self, kind: str, joint: str, message: str):
        super().__init__(message)
        self.kind, self.joint = kind, joint


@dataclass(frozen=True, eq=False)
class Motion:
    """
    What the controller plays: from the state before through the points of a trajectory.

    ``time_s_S`` are the ends of the S segments, ``lowest_SJ`` to ``fastest_SJ`` each segment's
    extremes in rad, rad/s and rad/s^2. A cubic with ends p0, v0, p1, v1 and duration h is
    p0 + v0 t + c2 t^2 + c3 t^3: its velocity is extreme at the ends or where the acceleration
    2 c2 + 6 c3 t is zero, its position at the ends or where the velocity is zero, and its
    acceleration at the ends.
    """

    time_s_S: np.ndarray
    lowest_SJ: np.ndarray
    highest_SJ: np.ndarray
    fastest_SJ: np.ndarray
    sharpest_SJ: np.ndarray

    @classmethod
    def of(cls, trajectory: Trajectory, before: JointReference) -> Motion:
        """Return the motion of a trajectory, which has velocities, from the state before it."""
        whole = with_start(trajectory, before)
        position_TJ, velocity_TJ = whole.position_TJ, whole.velocity_TJ
        return cls(whole.time_s_T[1:], *_extremes(
            np.diff(whole.time_s_T)[:, None], position_TJ[:-1], velocity_TJ[:-1],
            position_TJ[1:], velocity_TJ[1:]))


def with_start(trajectory: Trajectory, before: JointReference) -> Trajectory:
    """Return a trajectory from the state before it on, without points that lie further back."""
    start_s = (before.time_ns - trajectory.stamp_ns) / NS_PER_S
    later = trajectory.time_s_T > start_s
    return replace(
        trajectory, time_s_T=np.concatenate([[start_s], trajectory.time_s_T[later]]),
        position_TJ=np.vstack([before.position_J, trajectory.position_TJ[later]]),
        velocity_TJ=np.vstack([before.velocity_J, trajectory.velocity_TJ[later]]))


def _extremes(h, p0, v0, p1, v1):
    slope = (p1 - p0) / h
    c2, c3 = (3 * slope - 2 * v0 - v1) / h, (v0 + v1 - 2 * slope) / h**2
    with np.errstate(divide='ignore', invalid='ignore'):
        fastest_t = _inside(-c2 / (3 * c3), h)
        root = np.sqrt(np.maximum(c2**2 - 3 * c3 * v0, 0.0))
        # Two forms of the same roots; one of them is exact where the other divides by almost 0.
        stops_t = [_inside(t, h) for t in ((-c2 + root) / (3 * c3), (-c2 - root) / (3 * c3),
                                           v0 / (-c2 - root), v0 / (-c2 + root))]
    at_stops = [p0 + t * (v0 + t * (c2 + t * c3)) for t in stops_t]
    fastest = v0 + fastest_t * (2 * c2 + 3 * c3 * fastest_t)
    return (np.minimum.reduce([p0, p1, *at_stops]), np.maximum.reduce([p0, p1, *at_stops]),
            np.maximum.reduce([np.abs(v0), np.abs(v1), np.abs(fastest)]),
            np.maximum(np.abs(2 * c2), np.abs(2 * c2 + 6 * c3 * h)))


def _inside(t, h):
    """Return times inside a segment; its start where there is none."""
    return np.where((t > 0) & (t < h), t, 0.0)


def check_limits(trajectory: Trajectory, before: JointReference) -> None:
    """
    Raise LimitError where the motion from ``before`` leaves position, velocity or acceleration.

    A joint that is outside its positions before may come back: it must get no further out.
    """
    robot, motion = trajectory.robot, Motion.of(trajectory, before)
    lower_J = np.minimum(robot.lower_J, before.position_J) - TOLERANCE
    upper_J = np.maximum(robot.upper_J, before.position_J) + TOLERANCE
    low, high = motion.lowest_SJ < lower_J, motion.highest_SJ > upper_J
    _refuse('position', robot, motion, low | high,
            np.where(low, motion.lowest_SJ, motion.highest_SJ))
    factor = 1 + TOLERANCE
    _refuse('velocity', robot, motion, motion.fastest_SJ > factor * robot.velocity_J,
            motion.fastest_SJ)
    _refuse('acceleration', robot, motion, motion.sharpest_SJ > factor * robot.acceleration_J,
            motion.sharpest_SJ)


def _refuse(kind: str, robot: RobotSpec, motion: Motion, outside_SJ: np.ndarray,
            value_SJ: np.ndarray) -> None:
    if not outside_SJ.any():
        return
    segment, index = np.argwhere(outside_SJ)[0]
    joint, value = robot.joints[index], value_SJ[segment, index]
    unit = joint.unit
    told = {'position': f'{value:.3f} {unit} is outside [{joint.lower}, {joint.upper}] {unit}',
            'velocity': f'{value:.2f} {unit}/s is above {joint.velocity} {unit}/s',
            'acceleration': f'{value:.1f} {unit}/s^2 is above {joint.acceleration} {unit}/s^2'}
    raise LimitError(kind, joint.name, f'joint {joint.name!r}, before '
                     f'{motion.time_s_S[segment]:.2f} s: {told[kind]}')


def check_first_step(planned: Trajectory, measured_J: np.ndarray, now_ns: int,
                     max_rad: float) -> None:
    """
    Raise LimitError when the next planned point is further than that from the measured arm.

    It goes for joints in rad and, as metres, in m; what is in percent has no such distance.
    """
    after_s = (now_ns - planned.stamp_ns) / NS_PER_S
    step = min(int(np.searchsorted(planned.time_s_T, after_s)), len(planned.time_s_T) - 1)
    has_distance_J = np.array([joint.unit != 'percent' for joint in planned.robot.joints])
    far_J = np.abs(planned.position_TJ[step] - measured_J) * has_distance_J
    index = int(far_J.argmax())
    if far_J[index] > max_rad:
        name, unit = planned.robot.joints[index].name, planned.robot.joints[index].unit
        raise LimitError('first step', name, (
            f'joint {name!r}: the plan goes on at {planned.position_TJ[step, index]:.3f} '
            f'{unit}, measured is {measured_J[index]:.3f} {unit}, at most {max_rad} {unit} apart '
            'is allowed'))
