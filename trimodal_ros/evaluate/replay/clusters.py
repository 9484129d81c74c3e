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

"""Sums by stretch of time: what is drawn again and again where there are few recordings."""

from __future__ import annotations

from collections.abc import Mapping

Totals = Mapping[str, tuple[float, float]]   # sum and count by measure
STRETCH_S = 10.0
MOST_STRETCHES = 512    # of a recording: then each two are joined


class Clusters:
    """
    Sums and counts of measures by stretch of a recording, a bounded number of them.

    >>> clusters = Clusters()
    >>> clusters.add(3.0, {'jerk': (1.0, 2)})
    >>> clusters.add(12.0, {'jerk': (0.5, 1)})
    >>> clusters.whole()
    {'jerk': (1.5, 3)}
    """

    def __init__(self):
        self.stretch_s, self._totals = STRETCH_S, {}

    def __bool__(self) -> bool:
        return bool(self._totals)

    def add(self, time_s: float, totals: Totals) -> None:
        """Add what came of a decision."""
        number = int(time_s // self.stretch_s)
        self._totals[number] = summed(self._totals.get(number, {}), totals)
        if len(self._totals) > MOST_STRETCHES:
            self.widen()

    def widen(self) -> None:
        """Make stretches twice as long."""
        self.stretch_s, before, self._totals = 2 * self.stretch_s, self._totals, {}
        for number, totals in before.items():
            self._totals[number // 2] = summed(self._totals.get(number // 2, {}), totals)

    def whole(self) -> Totals:
        """Return the sums over all of the recording."""
        total = {}
        for totals in self._totals.values():
            total = summed(total, totals)
        return total

    def paired(self, other: Clusters) -> list[tuple[Totals, Totals]]:
        """Return the sums of both, by stretch, as long as those of the one with longer ones."""
        while self.stretch_s < other.stretch_s:
            self.widen()
        while other.stretch_s < self.stretch_s:
            other.widen()
        return [(self._totals.get(number, {}), other._totals.get(number, {}))
                for number in sorted({*self._totals, *other._totals})]


def summed(first: Totals, second: Totals) -> Totals:
    """
    Return sums and counts of both.

    >>> summed({'jerk': (1.0, 2)}, {'jerk': (0.5, 1), 'late': (0.0, 1)})
    {'jerk': (1.5, 3), 'late': (0.0, 1)}
    """
    return {**first, **{name: (total + first.get(name, (0, 0))[0],
                               count + first.get(name, (0, 0))[1])
                        for name, (total, count) in second.items()}}
