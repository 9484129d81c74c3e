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
Sums behind the figures: bounded whatever comes, and added up over episodes.

Shapes: T steps of a chunk, J joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math

import numpy as np

from .result import Figure, Figures, Histogram
from ...spec import RobotSpec

# What is added up by step, T, and joint, J; all else is one number.
CELLS = {'action_error': 'TJ', 'still_error': 'TJ', 'within_tolerance': 'T',
         'gripper_accuracy': 'TJ', 'tool_error': 'T', 'boundary_jump': 'J', 'jerk': 'J',
         'plan_disagreement': 'TJ', 'swap_sensitivity': 'TJ'}
NO_STEPS = ('plan_disagreement', 'swap_sensitivity')   # whose steps are told by nobody
# Bins of times in ms: 1 % wide.
EDGES_MS = np.geomspace(0.1, 1e5, 6 * 230 + 1)


class Ages:
    """
    A histogram of times in ms on a logarithmic scale: percentiles within 1 %.

    >>> ages = Ages()
    >>> ages.add(20.0)
    >>> round(ages.percentile(99))
    20
    """

    def __init__(self):
        self.counts = np.zeros(len(EDGES_MS) + 1, np.int64)

    def add(self, age_ms: float) -> None:
        self.counts[np.searchsorted(EDGES_MS, age_ms)] += 1

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def percentile(self, percent: float) -> float | None:
        """Return the time that so many do not exceed; None of none."""
        if not self.total:
            return None
        rank = max(1, math.ceil(percent / 100 * self.total))
        place = int(np.searchsorted(self.counts.cumsum(), rank))
        return 0.0 if place == 0 else float(EDGES_MS[min(place, len(EDGES_MS) - 1)])

    def histogram(self, edges: Sequence[float]) -> Histogram:
        """Return the counts between ``edges``, which begin at 0; what is above, in the last."""
        inner = np.searchsorted(EDGES_MS, edges[1:-1])
        counts = np.add.reduceat(self.counts, [0, *(inner + 1)])
        return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


class Tally:
    """Sums and counts of every measure, by step and joint where it has them."""

    def __init__(self, robot: RobotSpec):
        self._robot = robot
        self.sums: dict[str, np.ndarray] = {}
        self.counts: dict[str, np.ndarray] = {}
        # Of measures that are none of their joints' mean, what is of a joint: sum and count [J].
        self.joints: dict[str, np.ndarray] = {}
        self.ages: dict[str, Ages] = {}

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._robot.joint_names

    def add(self, name: str, value, count=None) -> None:
        """Add values, NaN for unknown ones; or a sum of ``count`` values."""
        value = np.asarray(value, dtype=np.float64)
        if count is None:
            count = np.isfinite(value)
            value = np.where(count, value, 0.0)
        self.sums[name] = self.sums.get(name, 0.0) + value
        self.counts[name] = self.counts.get(name, 0.0) + np.asarray(count, dtype=np.float64)

    def add_joints(self, name: str, value) -> None:
        """Add values [J] or [T, J], NaN for unknown ones, to what is told by joint."""
        value_TJ = np.atleast_2d(np.asarray(value, dtype=np.float64))
        known_TJ = np.isfinite(value_TJ)
        self.joints[name] = self.joints.get(name, 0.0) + np.stack(
            [np.where(known_TJ, value_TJ, 0.0).sum(axis=0), known_TJ.sum(axis=0)])

    def add_age(self, name: str, age_ms: float) -> None:
        """Add a time to 'input_age' or 'command_age'."""
        self.ages.setdefault(name, Ages()).add(age_ms)

    def __iadd__(self, other: Tally) -> Tally:
        for name, value in other.sums.items():
            self.add(name, value, other.counts[name])
        for name, value_2J in other.joints.items():
            self.joints[name] = self.joints.get(name, 0.0) + value_2J
        for name, ages in other.ages.items():
            self.ages.setdefault(name, Ages()).counts += ages.counts
        return self

    def totals(self) -> dict[str, tuple[float, float]]:
        """Return the sum and the count of every measure over all its parts."""
        return {name: (float(self.sums[name].sum()), float(self.counts[name].sum()))
                for name in self.sums}

    def figures(self) -> Figures:
        """Return what was measured."""
        figures = {name: self._figure(name) for name, (_, count) in self.totals().items()
                   if count}
        for name, value_2J in self.joints.items():
            if name in figures:
                figures[name] = replace(figures[name], joint=self._by_joint(*value_2J))
        for name, ages in self.ages.items():
            figures.update({f'{name}_p{percent}': Figure(ages.percentile(percent), ages.total)
                            for percent in (50, 99)})
        return figures

    def _by_joint(self, total_J: np.ndarray, count_J: np.ndarray) -> dict[str, float]:
        return {name: float(total / count) for name, total, count in zip(
            self._robot.joint_names, total_J, count_J) if count}

    def _figure(self, name: str) -> Figure:
        total, count = self.sums[name], self.counts[name]
        axes = CELLS.get(name, '')
        joint, step = {}, ()
        if 'J' in axes:
            others = tuple(range(len(axes) - 1))
            joint = self._by_joint(total.sum(axis=others), count.sum(axis=others))
        if 'T' in axes and name not in NO_STEPS:
            step = tuple(_means(total, count, (1,) if 'J' in axes else ()))
        return Figure(float(total.sum() / count.sum()), int(count.sum()), joint, step)


def _means(total: np.ndarray, count: np.ndarray, axes: tuple[int, ...]) -> list[float | None]:
    total, count = total.sum(axis=axes), count.sum(axis=axes)
    return [float(t / c) if c else None for t, c in zip(total, count)]
