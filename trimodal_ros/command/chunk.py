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
A planned chunk as a trajectory that continues what the robot is doing.

The controller plays points at the camera's time plus their own; points that expired while the
policy was thinking are dropped, and the motion goes over from what is commanded to the rest of
the chunk without a step in position or velocity.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.linalg.lapack import dgtsv

from .limits import check_limits, LimitError
from .playback import CommandedMotion, JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

LEAD_S = 0.02          # the bridge starts this far ahead: time for the message to arrive
SHORTEST_BRIDGE_S = 0.03
OVERSHOOT_SAMPLES = 9
BRIDGED_POINTS = 2     # at most, between what is commanded and the first point that is kept


class ExpiredError(ValueError):
    """Every point of the chunk lies in the past."""


def lead_in(commanded: CommandedMotion, now_ns: int,
            measured_J: np.ndarray) -> list[JointReference]:
    """
    Return what the robot does until a new trajectory takes over, and where it does.

    First the state now, last the one ``LEAD_S`` later, in between the points of what is
    commanded: with them sent again the controller goes on as it was until the bridge begins.
    Where nothing is commanded, only the arm at rest as it is measured, and the controller makes
    the bridge itself from its own state.
    """
    ahead_ns = now_ns + round(LEAD_S * NS_PER_S)
    if commanded.reference(now_ns) is None:
        return [JointReference.at_rest(ahead_ns, measured_J)]
    times_ns = [now_ns, *commanded.points_between(now_ns, ahead_ns), ahead_ns]
    return [commanded.reference(time_ns) for time_ns in times_ns]


def join_chunk(planned: Trajectory, lead: list[JointReference]) -> Trajectory:
    """
    Return the part of ``planned`` still to come, bridged from ``lead``, within the limits.

    The result keeps the stamp and starts with the lead-in. The bridge goes to the first of the
    next three points that can be reached within the joints' limits: thinking took time off the
    first step, and what is left may be too short for it. The last step takes as long as braking
    evenly does. Raises ExpiredError when fewer than two points are left, and the first point's
    LimitError when none can be reached.
    """
    bridge_s = (lead[-1].time_ns - planned.stamp_ns) / NS_PER_S
    kept = np.flatnonzero(planned.time_s_T >= bridge_s + SHORTEST_BRIDGE_S)
    if len(kept) < 2:
        raise ExpiredError(f'the chunk ends {planned.time_s_T[-1]:.2f} s after an image that is '
                           f'now {bridge_s:.2f} s old')
    refusal = None
    for first in kept[:min(BRIDGED_POINTS + 1, len(kept) - 1)]:
        trajectory = _bridge(planned, lead, first)
        try:
            check_limits(trajectory, lead[0])
        except LimitError as error:
            refusal = refusal or error
        else:
            return trajectory
    raise refusal


def _bridge(planned: Trajectory, lead: list[JointReference], first: int) -> Trajectory:
    stamp_ns = min(planned.stamp_ns, lead[0].time_ns)  # a camera's clock may be ahead
    planned_s_T = planned.time_s_T[first:] + (planned.stamp_ns - stamp_ns) / NS_PER_S
    start = lead[-1]
    time_s_T = np.concatenate([[(start.time_ns - stamp_ns) / NS_PER_S], planned_s_T])
    position_TJ = np.vstack([start.position_J, planned.position_TJ[first:]])
    time_s_T[-1] += time_s_T[-1] - time_s_T[-2]  # even braking takes twice as long
    velocity_TJ = _slopes(planned.robot, time_s_T, position_TJ, start.velocity_J)
    return after_lead(planned.robot, stamp_ns, lead, time_s_T[1:], position_TJ[1:],
                      velocity_TJ[1:], planned.alignment)


def _spline_slopes(time_s_T, position_TJ, first_J) -> np.ndarray:
    """
    Return the cubic spline's velocities at the points, from ``first_J`` to rest.

    Of the two accelerations at each inner point being equal; scipy's CubicSpline solves the same
    and takes ten times as long, most of it for what a chunk can't be.
    """
    step_s_S, velocity_TJ = np.diff(time_s_T), np.zeros_like(position_TJ)
    velocity_TJ[0] = first_J
    if len(step_s_S) < 2:
        return velocity_TJ
    slope_SJ = np.diff(position_TJ, axis=0) / step_s_S[:, None]
    before_s, after_s = step_s_S[:-1], step_s_S[1:]
    right_RJ = 3 * (after_s[:, None] * slope_SJ[:-1] + before_s[:, None] * slope_SJ[1:])
    right_RJ[0] -= after_s[0] * first_J
    diagonal = 2 * (before_s + after_s)
    velocity_TJ[1:-1] = right_RJ / diagonal if len(diagonal) == 1 else dgtsv(
        after_s[1:], diagonal, before_s[:-1], right_RJ)[3]
    return velocity_TJ


def _between(step_s_S, position_TJ, velocity_TJ) -> np.ndarray:
    """Return positions [N, J] on the cubics between each two points."""
    u_N = np.linspace(0.0, 1.0, OVERSHOOT_SAMPLES)[:, None, None]
    gain_SJ, step_s_S1 = np.diff(position_TJ, axis=0), step_s_S[:, None]
    c2_SJ = 3 * gain_SJ - step_s_S1 * (2 * velocity_TJ[:-1] + velocity_TJ[1:])
    c3_SJ = step_s_S1 * (velocity_TJ[:-1] + velocity_TJ[1:]) - 2 * gain_SJ
    between = position_TJ[:-1] + u_N * (step_s_S1 * velocity_TJ[:-1] + u_N * (
        c2_SJ + u_N * c3_SJ))
    return between.reshape(-1, position_TJ.shape[1])


def after_lead(robot: RobotSpec, stamp_ns: int, lead: list[JointReference], time_s_T, position_TJ,
               velocity_TJ, alignment: Mapping[str, float] | None = None) -> Trajectory:
    """
    Return the trajectory that goes through ``lead``, the state now left out, and on.

    Its times are whole nanoseconds, as those of its message: what is noted as commanded is what
    the controller, and whoever reads a recording, makes of it.
    """
    lead_s = [(knot.time_ns - stamp_ns) / NS_PER_S for knot in lead[1:]]
    return Trajectory(
        robot, stamp_ns, np.round(np.concatenate([lead_s, time_s_T]) * NS_PER_S) / NS_PER_S,
        np.vstack([*[knot.position_J for knot in lead[1:]], position_TJ]),
        np.vstack([*[knot.velocity_J for knot in lead[1:]], velocity_TJ]), alignment or {})


def _slopes(robot: RobotSpec, time_s_T, position_TJ, first_J) -> np.ndarray:
    """
    Return velocities at the points: from ``first_J`` to rest, with the least acceleration.

    The cubic spline through points with given ends is the interpolant of least mean squared
    acceleration (Holladay 1957). Where it overshoots a joint's limits, slopes of that joint that
    overshoot no point: harmonic means, zero where it turns (PCHIP: Fritsch and Butland 1984); so
    too of a binary gripper, between its two positions.
    """
    velocity_TJ = _spline_slopes(time_s_T, position_TJ, first_J)
    between_NJ = _between(np.diff(time_s_T), position_TJ, velocity_TJ)
    lower_J = np.minimum(robot.lower_J, position_TJ[0])
    upper_J = np.maximum(robot.upper_J, position_TJ[0])
    over_J = ((between_NJ < lower_J) | (between_NJ > upper_J)).any(axis=0)
    over_J |= [joint.binary is not None for joint in robot.joints]
    over_J &= (first_J != 0) | (position_TJ != position_TJ[0]).any(axis=0)
    if over_J.any():
        velocity_TJ[:, over_J] = PchipInterpolator(time_s_T, position_TJ[:, over_J])(time_s_T, 1)
    velocity_TJ[0], velocity_TJ[-1] = first_J, 0.0
    return velocity_TJ
