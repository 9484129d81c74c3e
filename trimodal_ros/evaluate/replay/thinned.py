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
What stays short however much comes, thinned out so that no peak is lost.

Shapes: N rows, K columns, G groups, S rows of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


class Thinned:
    """
    Rows in order, all at first, then of every two, four ... the worst: never more than ``most``.

    >>> rows = Thinned(4, worse=lambda row: row % 10)
    >>> for row in (0, 9, 2, 3, 4, 15, 6, 17, 8):
    ...     rows.add(row)
    >>> list(rows)
    [9, 17, 8]
    """

    def __init__(self, most: int, worse: Callable):
        if most < 2 or most % 2:
            raise ValueError(f'most: {most}, expected an even number')
        self._most, self._worse, self._every, self._count, self._rows = most, worse, 1, 0, []

    def add(self, row) -> None:
        """Add a row behind the others."""
        if self._count % self._every:
            self._rows[-1] = max(self._rows[-1], row, key=self._worse)
        else:
            if len(self._rows) == self._most:
                self._rows = [max(pair, key=self._worse)
                              for pair in zip(self._rows[::2], self._rows[1::2])]
                self._every *= 2
            self._rows.append(row)
        self._count += 1

    def __iter__(self) -> Iterator:
        return iter(self._rows)


class Envelope:
    """
    Rows of numbers in order, all at first, then of each group the extremes: ``most`` + 2 at most.

    >>> rows = Envelope(4)
    >>> rows.extend(np.array([[0, 0], [1, 9], [2, 0], [3, 1], [4, -5], [5, 2]]))
    >>> rows.rows().tolist()
    [[0.0, 0.0], [3.0, 9.0], [4.0, -5.0], [5.0, 2.0]]
    """

    def __init__(self, most: int):
        if most < 4 or most % 4:
            raise ValueError(f'most: {most}, expected a multiple of 4')
        self._most, self._size, self._rows, self._group = most, 1, [], []

    def extend(self, row_NK: np.ndarray) -> None:
        """Add rows behind the others."""
        for row_K in np.asarray(row_NK, dtype=np.float64):
            self._group.append(row_K)
            if len(self._group) == self._size:
                self._close()

    def _close(self) -> None:
        self._rows.extend(
            self._group if self._size == 1 else extremes(self._group, self._size))
        self._group = []
        if len(self._rows) >= self._most:
            self._rows = [*extremes(self._rows, 4)]
            self._size = max(4, 2 * self._size)

    def rows(self) -> np.ndarray:
        """Return the rows [N, K]."""
        last = extremes(self._group, self._size) if self._group else []
        return np.array([*self._rows, *last])


def extremes(row_NK: np.ndarray, size: int) -> np.ndarray:
    """
    Return the smallest and the largest of each column in each group of rows, as they came.

    Two rows for ``size``, or for what is left at the end. NaN only where there is nothing else.

    >>> extremes(np.array([[0.0, 5.0], [1.0, np.nan], [2.0, -5.0], [3.0, 0.0], [4.0, 7.0]]), 4)
    array([[ 0.,  5.],
           [ 3., -5.],
           [ 4.,  7.],
           [ 4.,  7.]])
    """
    row_NK = np.asarray(row_NK)
    row_NK = np.pad(row_NK, ((0, -len(row_NK) % size), (0, 0)), mode='edge')
    row_GSK = row_NK.reshape(-1, size, row_NK.shape[1])
    missing_GSK = np.isnan(row_GSK)
    ends_G2K = np.sort(np.stack([np.where(missing_GSK, np.inf, row_GSK).argmin(axis=1),
                                 np.where(missing_GSK, -np.inf, row_GSK).argmax(axis=1)],
                                axis=1), axis=1)
    return np.take_along_axis(row_GSK, ends_G2K, axis=1).reshape(-1, row_NK.shape[1])
