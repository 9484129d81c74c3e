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
Judges the decisions of one policy in one recording, one after another, in bounded memory.

Shapes: T steps of a chunk, J joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import measures
from .clusters import Clusters
from .decisions import ReplayedDecision
from .result import Moment
from .tally import Tally
from .thinned import Envelope, Thinned
from .worst import Worst
from ...spec import NS_PER_S, RobotSpec

MOST_ROWS, LEAST_ROWS = 60_000, 20   # that are drawn: of all recordings, and of each
JERK_STEPS = 3        # before a step that its jerk depends on


@dataclass(frozen=True)
class Yardstick:
    """
    What decisions are judged by.

    ``period_s`` is how often one is due; ``rows`` are how many decisions, and how many steps, are
    kept to be drawn; a gripper above ``open_above_J`` (rad) is open, other
    joints have any value there; ``positions_m`` is where the tool is, [T, 3] in m for
    joints [T, J], None where no URDF tells.
    """

    robot: RobotSpec
    period_s: float
    open_above_J: np.ndarray
    tolerance_rad: float = 0.05
    positions_m: Callable[[np.ndarray], np.ndarray] | None = None
    rows: int = MOST_ROWS


@dataclass(eq=False)
class Judged:
    """
    What came of one policy in one recording.

    ``clusters`` are what intervals are drawn from. Rows of ``decisions`` are as the fields of a
    Series; ``steps`` [N, 1 + 2 J] have a time in s, what was recorded and what was planned in rad.
    """

    tally: Tally
    decisions: Thinned
    steps: np.ndarray
    worst: list[Moment]
    clusters: Clusters
    instructions: dict[str, Tally]
    refusals: Counter = field(default_factory=Counter)
    count: int = 0


class Judge:
    """Takes decisions in order; ``end`` returns what came of them."""

    def __init__(self, yardstick: Yardstick, start_ns: int):
        self._by, self._robot, self._start_ns = yardstick, yardstick.robot, start_ns
        joints = len(self._robot.joints)
        rows = max(LEAST_ROWS, yardstick.rows - yardstick.rows % 4)
        self._judged = Judged(Tally(self._robot), Thinned(rows, _badness),
                              np.empty((0, 1 + 2 * joints)), [], Clusters(), {})
        self._steps, self._before = Envelope(rows), None
        self._worst = Worst(self._robot.joint_names)
        self._tail_NJ = np.empty((0, joints))

    def add(self, decision: ReplayedDecision) -> None:
        """Judge one decision."""
        tally = Tally(self._robot)
        time_s = (decision.stamp_ns - self._start_ns) / NS_PER_S
        error_TJ = self._add_errors(tally, decision)
        self._add_outcome(tally, decision)
        if self._before is not None:
            self._add_change(tally, decision)
        self._note_worst(decision, time_s, error_TJ, tally)
        self._judged.decisions.add(self._row(decision, time_s, error_TJ))
        self._keep(tally, decision.instruction, time_s)
        self._add_ages(decision)
        self._judged.count += 1
        self._judged.refusals.update([decision.refusal.reason] if decision.refusal else [])
        self._before = decision

    def _add_errors(self, tally: Tally, decision: ReplayedDecision) -> np.ndarray:
        by, planned_TJ, recorded_TJ = self._by, decision.planned_TJ, decision.recorded_TJ
        error_TJ = self._in_rad(measures.absolute_error(planned_TJ, recorded_TJ))
        tally.add('action_error', error_TJ)
        tally.add('still_error', np.where(   # of the same steps, to be held against it
            np.isnan(error_TJ), np.nan, measures.still_error(recorded_TJ)))
        counts_J = self._robot.has_distance_J
        tally.add('within_tolerance', measures.within_tolerance(
            planned_TJ[:, counts_J], recorded_TJ[:, counts_J], by.tolerance_rad))
        tally.add_joints('within_tolerance', np.where(
            np.isnan(error_TJ), np.nan, error_TJ <= by.tolerance_rad))
        tally.add('gripper_accuracy', measures.gripper_agrees(
            planned_TJ, recorded_TJ, by.open_above_J, self._robot.is_gripper_J))
        if by.positions_m is not None:
            tally.add('tool_error', measures.tool_distance(planned_TJ, recorded_TJ,
                                                           by.positions_m))
        if decision.swapped_TJ is not None:
            tally.add('swap_sensitivity', self._in_rad(np.abs(planned_TJ - decision.swapped_TJ)))
        for name, value in decision.alignment.items():
            tally.add(name, value)
        return error_TJ

    def _in_rad(self, value_NJ: np.ndarray) -> np.ndarray:
        """Return values of joints, NaN for those in percent, which don't add up with rad."""
        return np.where(self._robot.has_distance_J, value_NJ, np.nan)

    def _add_outcome(self, tally: Tally, decision: ReplayedDecision) -> None:
        tally.add('refused', decision.status == 'refused')
        tally.add('limit_refused', decision.refusal.reason == 'limits')
        tally.add('late', decision.status == 'late')
        tally.add('missed', 0, 1)
        tally.add_joints('limit_refused', [name == decision.refusal.joint
                                           for name in self._robot.joint_names])

    def _add_change(self, tally: Tally, decision: ReplayedDecision) -> None:
        """Compare with the decision before, and put its part of the motion behind the others."""
        before, gap_ns = self._before, decision.stamp_ns - self._before.stamp_ns
        steps = gap_ns / self._robot.step_ns
        if gap_ns <= 0:   # cameras' clocks went back
            self._tail_NJ = self._tail_NJ[:0]
            return
        self._add_gap(tally, gap_ns / NS_PER_S)
        tally.add('decision_rate', 1.0, gap_ns / NS_PER_S)
        if decision.instruction == before.instruction:
            apart_TJ = self._in_rad(measures.disagreement(before.planned_TJ,
                                                          decision.planned_TJ, steps))
            tally.add('plan_disagreement', apart_TJ)
            tally.add('boundary_jump', apart_TJ[0])
        carried_out = min(max(1, round(steps)), self._robot.horizon)
        self._add_motion(tally, before, carried_out)
        if round(steps) > self._robot.horizon:
            self._tail_NJ = self._tail_NJ[:0]

    def _add_gap(self, tally: Tally, gap_s: float) -> None:
        count = measures.missed(gap_s, self._by.period_s)
        if count:
            tally.add('missed', count, count)

    def _add_motion(self, tally: Tally, decision: ReplayedDecision, steps: int) -> None:
        """Put the steps of a plan that were carried out behind those before."""
        position_NJ = np.vstack([self._tail_NJ, decision.planned_TJ[:steps]])
        jerk_NJ = self._in_rad(measures.jerk(position_NJ, self._robot.rate_hz))
        known_NJ = np.isfinite(jerk_NJ)
        tally.add('jerk', np.where(known_NJ, jerk_NJ, 0.0).sum(axis=0), known_NJ.sum(axis=0))
        self._tail_NJ = position_NJ[-JERK_STEPS:]
        time_s = (decision.stamp_ns - self._start_ns) / NS_PER_S
        self._steps.extend(np.column_stack([
            time_s + (1 + np.arange(steps)) / self._robot.rate_hz,
            decision.recorded_TJ[:steps], decision.planned_TJ[:steps]]))

    def _add_ages(self, decision: ReplayedDecision) -> None:
        for tally in (self._judged.tally, self._judged.instructions[decision.instruction]):
            tally.add_age('input_age', (decision.decided_ns - decision.stamp_ns) / 1e6)
            if decision.age_ms is not None:
                tally.add_age('command_age', decision.age_ms)

    def _row(self, decision: ReplayedDecision, time_s: float, error_TJ: np.ndarray) -> tuple:
        age_ms = (decision.decided_ns - decision.stamp_ns) / 1e6
        cosines = (decision.alignment.get(name) for name in (
            'image_sentence', 'scene_motion', 'scene_recorded'))
        return (decision.stamp_ns, time_s, decision.status, known_mean(error_TJ), *cosines,
                age_ms if decision.age_ms is None else decision.age_ms)

    def _note_worst(self, decision: ReplayedDecision, time_s: float, error_TJ: np.ndarray,
                    tally: Tally) -> None:
        error_rad = known_mean(error_TJ)
        if error_rad is not None:
            self._worst.note(decision, time_s, 'action_error', error_rad, self._most(error_TJ))
        if 'boundary_jump' in tally.sums:
            jump_J = tally.sums['boundary_jump']
            self._worst.note(decision, time_s, 'boundary_jump', float(jump_J.max()),
                             self._most(jump_J[None]))
        if decision.status != 'commanded':
            self._worst.note(decision, time_s, decision.status, 1.0, decision.refusal.joint)

    def _most(self, value_TJ: np.ndarray) -> str:
        return self._robot.joint_names[int(np.nansum(value_TJ, axis=0).argmax())]

    def _keep(self, tally: Tally, instruction: str, time_s: float) -> None:
        judged = self._judged
        judged.tally += tally
        judged.instructions.setdefault(instruction, Tally(self._robot))
        judged.instructions[instruction] += tally
        judged.clusters.add(time_s, tally.totals())

    def _steps_until(self, end_ns: int) -> int:
        """Return how many steps of the last plan lie within the recording."""
        steps = (end_ns - self._before.stamp_ns) // self._robot.step_ns
        return min(max(0, steps), self._robot.horizon)

    def end(self, end_ns: int) -> Judged:
        """Return what came of the decisions; the recording ends at ``end_ns``."""
        judged = self._judged
        if self._before is not None:
            tally = Tally(self._robot)
            self._add_gap(tally, (end_ns - self._before.stamp_ns) / NS_PER_S)
            self._add_motion(tally, self._before, self._steps_until(end_ns))
            self._keep(tally, self._before.instruction,
                       (self._before.stamp_ns - self._start_ns) / NS_PER_S)
            judged.steps = self._steps.rows()
        judged.worst = self._worst.moments
        return judged


def _badness(row: tuple) -> tuple:
    """Order decisions by which is to be drawn: one that was not sent, or is further off."""
    _, _, status, error_rad, *_ = row
    return status != 'commanded', error_rad or 0.0


def known_mean(values: np.ndarray) -> float | None:
    """
    Return the mean of what is known, None where nothing is.

    >>> known_mean(np.array([1.0, np.nan])), known_mean(np.array([np.nan]))
    (1.0, None)
    """
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
