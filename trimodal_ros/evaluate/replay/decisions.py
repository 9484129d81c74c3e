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
What a policy would have done at one moment of a recording.

Offline replay and a live node in a dry run give the same records, and so do the topics
``~/decision`` and ``~/debug/joint_trajectory`` of a node that was recorded.
Shapes: T steps of a chunk, J joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ...command.decision import Refusal
from ...spec import NS_PER_S, RobotSpec, Trajectory

Status = Literal['commanded', 'refused', 'late']


@dataclass(frozen=True, eq=False)
class ReplayedDecision:
    """
    One decision of a replayed policy, and what was really commanded from then on.

    ``stamp_ns`` is the capture time of the oldest image it was decided on, ``decided_ns`` when,
    by the clock of the recording. ``planned_TJ`` is what the policy planned for ``stamp_ns`` and
    1 to T steps, in rad; ``recorded_TJ`` what was commanded then. Both are NaN where that is not
    known: past the end of the recording, and of a plan that was only heard, what it was too late
    for. ``trajectory`` is what the node would send, None where nothing; ``refusal`` says why the
    plan may not be sent, the trajectory then is a hold. ``alignment`` has cosines, by the names
    in ``catalogue``. ``swapped_TJ`` is the plan for another sentence, None where it was not asked
    for.
    ``stages_ms`` as of a Decision; ``age_ms`` is how old the oldest image was when the command
    went out, None where thinking took no time, as offline.
    """

    episode: str
    instruction: str
    stamp_ns: int
    decided_ns: int
    planned_TJ: np.ndarray
    recorded_TJ: np.ndarray
    trajectory: Trajectory | None = None
    refusal: Refusal = Refusal()
    alignment: Mapping[str, float] = field(default_factory=dict)
    swapped_TJ: np.ndarray | None = None
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    age_ms: float | None = None

    @property
    def status(self) -> Status:
        if not self.refusal:
            return 'commanded'
        return 'late' if self.refusal.reason == 'late' else 'refused'

    @classmethod
    def make_example(cls, robot: RobotSpec | None = None, number: int = 0) -> ReplayedDecision:
        """Return the decision of a policy that is 0.01 rad off at all joints, of an episode."""
        robot = robot or RobotSpec.make_example()
        stamp_ns = (1000 + number) * robot.step_ns
        phase_T = (number + 1 + np.arange(robot.horizon)) / 10
        recorded_TJ = np.outer(np.sin(phase_T), (robot.upper_J - robot.lower_J) / 4)
        planned_TJ = recorded_TJ + 0.01
        return cls(
            'example/seed_000000', 'put the red cube on the plate', stamp_ns,
            stamp_ns + NS_PER_S // 100, planned_TJ, recorded_TJ,
            Trajectory.of_chunk(robot, stamp_ns, planned_TJ),
            alignment={'image_sentence': 0.6, 'scene_motion': 0.7, 'scene_recorded': 0.65},
            swapped_TJ=recorded_TJ + 0.3, stages_ms={'transport': 10.0}, age_ms=22.0)


def unknown_chunk(robot: RobotSpec) -> np.ndarray:
    """Return the chunk [T, J] of which nothing is known."""
    return np.full((robot.horizon, len(robot.joints)), np.nan)


def heard_chunk(trajectory: Trajectory, robot: RobotSpec) -> np.ndarray:
    """
    Return the chunk [T, J] behind a trajectory that a node sent, NaN for steps it left out.

    Steps lie at whole periods from the stamp on; the last one was put off so that braking to it
    is even (command/chunk.py).

    >>> robot = RobotSpec.make_example()
    >>> planned = Trajectory.make_example(robot)
    >>> bool((heard_chunk(planned, robot) == planned.position_TJ).all())
    True
    """
    chunk_TJ = unknown_chunk(robot)
    step_N = trajectory.time_s_T * robot.rate_hz - 1
    for step, position_J in zip(step_N[:-1], trajectory.position_TJ):
        if abs(step - round(step)) < 1e-6 and 0 <= round(step) < robot.horizon:
            chunk_TJ[round(step)] = position_J
    chunk_TJ[-1] = trajectory.position_TJ[-1]
    return chunk_TJ
