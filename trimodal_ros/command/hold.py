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

"""Braking: a stop is a trajectory too, since the controller refuses an empty one."""

from __future__ import annotations

import numpy as np

from .chunk import after_lead
from .limits import check_limits, LimitError
from .playback import JointReference
from ..spec import NS_PER_S, RobotSpec, Trajectory

HOLD_S = 0.2
SHORTEST_S = 2e-3  # braking: what little speed is left needs no harder one
APART_S = 1e-4     # points
LONGER, LONGEST_S = 1.2, 2.0


def hold_trajectory(robot: RobotSpec, lead: list[JointReference],
                    left: JointReference | None = None) -> Trajectory:
    """
    Return the trajectory that brakes evenly from the end of ``lead`` to rest.

    Every joint takes 0.2 s, or what its acceleration limit asks for if that is longer; one that
    would overrun its positions brakes as much harder as it must, up to that limit. A motion
    within the limits can always be stopped so: it stops later itself. ``left`` is the state the
    controller is in where that isn't the lead's: it gets the time to come over within the limits,
    as far as ``LONGEST_S`` goes.
    """
    start, stamp_ns = lead[-1], lead[0].time_ns
    stop_s_J = braking_time_s(robot, start)
    while True:
        time_s_T = points_apart(stop_s_J)  # a cubic past a joint's stop would brake it unevenly
        position_TJ, velocity_TJ = _brake(start, stop_s_J, time_s_T)
        after_s_T = time_s_T + (start.time_ns - stamp_ns) / NS_PER_S
        hold = after_lead(robot, stamp_ns, lead, after_s_T, position_TJ, velocity_TJ)
        if left is None or stop_s_J.max() > LONGEST_S or _is_allowed(hold, left):
            return hold
        stop_s_J = stop_s_J * LONGER


def points_apart(time_s_T: np.ndarray) -> np.ndarray:
    """Return times in order, the later one of two that are less than 0.1 ms apart."""
    time_s_T = np.unique(time_s_T)
    return time_s_T[np.append(np.diff(time_s_T) > APART_S, True)]


def _is_allowed(hold: Trajectory, left: JointReference) -> bool:
    try:
        check_limits(hold, left)
    except LimitError:
        return False
    return True


def braking_time_s(robot: RobotSpec, start: JointReference) -> np.ndarray:
    """Return the time [J] each joint takes to rest, decelerating evenly."""
    speed_J = np.abs(start.velocity_J)
    end_J = np.where(start.velocity_J > 0, robot.upper_J, robot.lower_J)
    room_J = np.maximum(np.abs(end_J - start.position_J), 1e-9)
    outside_J = (end_J - start.position_J) * start.velocity_J < 0
    in_time_J = np.where((speed_J > 0) & ~outside_J, 2 * room_J / np.maximum(speed_J, 1e-9),
                         np.where(outside_J, 0.0, HOLD_S))
    return np.maximum.reduce([np.minimum(HOLD_S, in_time_J), speed_J / robot.acceleration_J,
                              np.full_like(speed_J, SHORTEST_S)])


def _brake(start: JointReference, stop_s_J: np.ndarray, time_s_T: np.ndarray):
    """Return positions and velocities [T, J]: v falls evenly to 0 at each joint's stop."""
    t_TJ = np.minimum(time_s_T[:, None], stop_s_J)
    velocity_TJ = start.velocity_J * (1 - t_TJ / stop_s_J)
    position_TJ = start.position_J + start.velocity_J * (t_TJ - t_TJ**2 / (2 * stop_s_J))
    velocity_TJ[-1] = 0.0
    return position_TJ, velocity_TJ
