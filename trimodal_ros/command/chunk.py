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

import numpy as np

from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

LEAD_S = 0.02          # the bridge starts this far ahead: time for the message to arrive
SHORTEST_BRIDGE_S = 0.03
BRIDGED_POINTS = 2     # at most, between what is commanded and the first point that is kept
HOLD_S = 0.2


class ExpiredError(ValueError):
    """Every point of the chunk lies in the past."""


def join_chunk(planned: Trajectory, before: JointReference, now_ns: int) -> Trajectory:
    """
    Return the part of ``planned`` still to come, bridged from ``before``.

    ``before`` is what will be commanded at ``now_ns + LEAD_S`` if nothing is sent. The result
    keeps the stamp, has velocities (central differences, zero at the end) and starts at the
    bridge, which leads to the first point within the joints' velocity limits: thinking took time
    off the first step, and what is left may be too short for it. Where none of the next points
    is, the first one is kept, for ``check_limits`` to refuse. Raises ExpiredError when fewer than
    two points are left.
    """
    bridge_s = (before.time_ns - planned.stamp_ns) / NS_PER_S
    kept = np.flatnonzero(planned.time_s_T >= bridge_s + SHORTEST_BRIDGE_S)
    if len(kept) < 2:
        age_s = (now_ns - planned.stamp_ns) / NS_PER_S
        raise ExpiredError(f'the chunk ends {planned.time_s_T[-1]:.2f} s after an image that is '
                           f'now {age_s:.2f} s old')
    kept = kept[_first_reached(planned, before, bridge_s, kept[:-1]):]
    time_s_T = np.concatenate([[bridge_s], planned.time_s_T[kept]])
    position_TJ = np.concatenate([[before.position_J], planned.position_TJ[kept]])
    velocity_TJ = _central_differences(time_s_T, position_TJ, before.velocity_J)
    return Trajectory(planned.robot, planned.stamp_ns, time_s_T, position_TJ, velocity_TJ)


def _first_reached(planned: Trajectory, before: JointReference, bridge_s: float,
                   kept: np.ndarray) -> int:
    """Return which of the next points is the first within the velocity limits, 0 if none is."""
    next_points = kept[:BRIDGED_POINTS + 1]
    speed_TJ = (np.abs(planned.position_TJ[next_points] - before.position_J)
                / (planned.time_s_T[next_points] - bridge_s)[:, None])
    return int((speed_TJ <= planned.robot.velocity_J).all(axis=1).argmax())


def _central_differences(time_s_T, position_TJ, first_J) -> np.ndarray:
    velocity_TJ = np.gradient(position_TJ, time_s_T, axis=0)
    velocity_TJ[0], velocity_TJ[-1] = first_J, 0.0
    return velocity_TJ


def reference_ahead(commanded, now_ns: int, measured_J: np.ndarray) -> JointReference:
    """Return what will be commanded at ``now_ns + LEAD_S``, at rest at measured if nothing is."""
    ahead_ns = now_ns + round(LEAD_S * NS_PER_S)
    return commanded.reference(ahead_ns) or JointReference.at_rest(ahead_ns, measured_J)


def hold_trajectory(robot: RobotSpec, before: JointReference) -> Trajectory:
    """
    Return the trajectory that brakes evenly from ``before`` to rest within 0.2 s.

    A stop is a trajectory: the controller refuses an empty one. The position it ends at is
    kept inside the limits, where braking evenly would overrun one.
    """
    stop_J = before.position_J + before.velocity_J * HOLD_S / 2
    stop_J = np.clip(stop_J, np.minimum(robot.lower_J, before.position_J),
                     np.maximum(robot.upper_J, before.position_J))
    return Trajectory(robot, before.time_ns, [HOLD_S], [stop_J], np.zeros((1, len(stop_J))))
