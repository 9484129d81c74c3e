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

"""Figures with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
import math
import statistics

import numpy as np

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom.
STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
Z_95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """
    Return the Wilson score interval of a success rate (Wilson 1927), 95 % by default.

    >>> [round(bound, 4) for bound in wilson_interval(199, 200)]
    [0.9722, 0.9991]
    >>> wilson_interval(0, 0)
    (0.0, 1.0)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f'{successes} successes in {trials} trials')
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    middle = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return (middle - half) / scale, (middle + half) / scale


def sign_test(wins: int, losses: int) -> float:
    """
    Return how likely wins and losses are at least so uneven if both are equally likely.

    The exact two-sided test of pairs of yes and no (McNemar 1947): pairs that agree don't count.

    >>> sign_test(1, 5), sign_test(3, 3)
    (0.21875, 1.0)
    """
    tail = sum(math.comb(wins + losses, k) for k in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / 2 ** (wins + losses))


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """
    Return the mean and half the width of its 95 % Student interval, t s / sqrt(n).

    Raises ValueError unless there are 2 to 10 values.

    >>> [round(number, 3) for number in mean_interval([1.0, 2.0, 3.0])]
    [2.0, 2.484]
    """
    count = len(values)
    if not 2 <= count <= len(STUDENT_95) + 1:
        raise ValueError(f'{count} values, expected 2 to {len(STUDENT_95) + 1}')
    half = STUDENT_95[count - 2] * statistics.stdev(values) / math.sqrt(count)
    return statistics.fmean(values), half


def slope_interval(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """
    Return the slope of the least-squares line and half the width of its 95 % interval.

    Errors are taken as independent and normal. Raises ValueError unless there are 3 to 11 points.

    >>> [round(number, 3) for number in slope_interval([0, 1, 2, 3], [0.0, 1.1, 1.9, 3.0])]
    [0.98, 0.183]
    """
    count = len(x)
    if len(y) != count or not 3 <= count <= len(STUDENT_95) + 2:
        raise ValueError(f'{count} and {len(y)} values, expected 3 to {len(STUDENT_95) + 2}')
    slope, start = statistics.linear_regression(x, y)
    error = math.sqrt(sum((v - start - slope * u) ** 2 for u, v in zip(x, y)) / (count - 2))
    middle = statistics.fmean(x)
    spread = math.sqrt(sum((u - middle) ** 2 for u in x))
    return slope, STUDENT_95[count - 3] * error / spread


def percentile(values: Sequence[float], percent: float) -> float:
    """
    Return the smallest value that at least ``percent`` % of the values do not exceed.

    >>> percentile([5.0, 1.0, 3.0, 2.0, 4.0], 50), percentile([1.0, 2.0], 99)
    (3.0, 2.0)
    """
    if not len(values):
        return math.nan
    rank = max(0, math.ceil(percent / 100 * len(values)) - 1)
    return float(np.partition(values, rank)[rank])


def summarize_ms(values: Sequence[float]) -> dict[str, float]:
    """Return count, p50, p99 and maximum of durations in ms."""
    return {'count': len(values), 'p50': percentile(values, 50), 'p99': percentile(values, 99),
            'max': percentile(values, 100)}
