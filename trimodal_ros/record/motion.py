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
What was commanded in an episode at any time of it.

Shapes: N moments, T steps of a chunk, M times in order, J joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..command.playback import CommandedMotion
from ..spec import RobotSpec, Trajectory


class Sent(NamedTuple):
    """A trajectory, the time of its receipt and the joints (rad) measured then."""

    time_ns: int
    trajectory: Trajectory
    measured_J: np.ndarray


def commanded_chunks(robot: RobotSpec, stamp_N: np.ndarray, sent: Sequence[Sent],
                     measured: Mapping[int, np.ndarray]) -> np.ndarray:
    """
    Return what was commanded at stamp + k / rate, k = 1..horizon: [N, T, J] in rad.

    A trajectory replaces the one before it from its receipt on; its last point holds. Before
    the first one, and so all through an episode that has none (teleoperation recorded as
    joint_states alone), it is the measured position: linear between joint states (by stamp in
    ns), the last one held.
    """
    time_NT = stamp_N[:, None] + robot.step_ns * np.arange(1, robot.horizon + 1)
    time_M, which = np.unique(time_NT, return_inverse=True)
    position_MJ = _commanded(time_M, sent, _measured(time_M, measured))
    return position_MJ[which.reshape(time_NT.shape)]


def _commanded(time_M, sent: Sequence[Sent], position_MJ: np.ndarray) -> np.ndarray:
    """Sample as time goes on: CommandedMotion remembers only the last few trajectories."""
    commanded = CommandedMotion()
    bounds = [*np.searchsorted(time_M, [each.time_ns for each in sent]), len(time_M)]
    for each, first, end in zip(sent, bounds, bounds[1:]):
        commanded.send(each.trajectory, each.time_ns, each.measured_J)
        for m in range(first, end):
            position_MJ[m] = commanded.position_at(int(time_M[m]))
    return position_MJ


def _measured(time_M: np.ndarray, measured: Mapping[int, np.ndarray]) -> np.ndarray:
    stamp_K = np.array(sorted(measured))
    position_KJ = np.stack([measured[stamp] for stamp in stamp_K])
    since_M, since_K = time_M - stamp_K[0], stamp_K - stamp_K[0]  # ns in float64, exactly
    return np.stack([np.interp(since_M, since_K, column) for column in position_KJ.T], axis=1)
