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
"""The measures of a result that a page shows, and which where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .catalogue import Measure, MEASURES
from .result import Compared, Figure, Figures, Result
from .wording import spread, Tone, TONES

# The numbers that matter: the first few of these that were measured.
KEYS = ('action_error', 'still_error', 'within_tolerance', 'command_age_p99', 'tool_error',
        'swap_sensitivity', 'gripper_accuracy', 'jerk')
CARDS = 5
IN_TABLES = ('action_error', 'still_error', 'within_tolerance', 'gripper_accuracy', 'tool_error',
             'boundary_jump', 'refused', 'late', 'image_sentence', 'scene_motion',
             'swap_sensitivity')


class Shown(NamedTuple):
    """A measure as the page shows it."""

    name: str
    measure: Measure
    figure: Figure
    compared: Compared | None
    spread: tuple[float, float] | None

    @property
    def tone(self) -> Tone:
        """Return how it compares; of a measure that is better neither way, nothing."""
        if self.compared is None or not self.measure.better:
            return 'even'
        return TONES[self.compared.verdict]

    @property
    def whisker(self) -> tuple[float, float, float] | None:
        """Return where the interval begins and ends and the difference is, in % of a plot."""
        if self.compared is None or None in (ends := (
                self.compared.low, self.compared.high, self.compared.difference)):
            return None
        most = max(map(abs, ends)) or 1.0
        sign = -1 if self.measure.better == 'lower' else 1
        low, high, middle = (50 + 46 * sign * end / most for end in ends)
        return min(low, high), max(low, high), middle


def measures_of(result: Result) -> list[Shown]:
    """Return all measures of a result, in the order of the catalogue."""
    compared = result.comparison.measures if result.comparison is not None else {}
    return [Shown(name, measure, result.figures[name], compared.get(name),
                  spread(result, name))
            for name, measure in MEASURES.items() if name in result.figures]


def cards_of(shown: Iterable[Shown]) -> list[Shown]:
    """Return the few that matter."""
    by_name = {each.name: each for each in shown if each.figure.value is not None}
    return [by_name[name] for name in KEYS if name in by_name][:CARDS]


def columns_of(rows: Iterable[Figures]) -> list[str]:
    """Return the names of measures that a table of such rows has."""
    measured = {name for figures in rows for name in figures}
    return [name for name in IN_TABLES if name in measured]
