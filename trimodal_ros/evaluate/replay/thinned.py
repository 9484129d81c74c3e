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

"""A list that stays short: evenly thinned out as it grows."""

from __future__ import annotations

from collections.abc import Iterator


class Thinned:
    """
    Rows in order, every one at first, then every second, fourth ...: never more than ``most``.

    >>> rows = Thinned(4)
    >>> for row in range(10):
    ...     rows.add(row)
    >>> list(rows)
    [0, 4, 8]
    """

    def __init__(self, most: int):
        if most < 2:
            raise ValueError(f'most: {most}, expected at least 2')
        self._most, self._every, self._count, self._rows = most, 1, 0, []

    def add(self, row) -> None:
        if self._count % self._every == 0:
            if len(self._rows) == self._most:
                self._rows, self._every = self._rows[::2], 2 * self._every
            if self._count % self._every == 0:
                self._rows.append(row)
        self._count += 1

    def __iter__(self) -> Iterator:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def at_most(self, most: int) -> list:
        """Return as many rows, or fewer."""
        every = -(-len(self._rows) // max(1, most))
        return self._rows[::max(1, every)]
