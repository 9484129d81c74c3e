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


def percentile(values: list[float], percent: float) -> float:
    """
    Return the smallest value that at least ``percent`` % of the values do not exceed.

    >>> percentile([5.0, 1.0, 3.0, 2.0, 4.0], 50), percentile([1.0, 2.0], 99)
    (3.0, 2.0)
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summarize_ms(values: list[float]) -> dict[str, float]:
    """Return count, p50, p99 and maximum of durations in ms."""
    return {'count': len(values), 'p50': percentile(values, 50), 'p99': percentile(values, 99),
            'max': max(values, default=math.nan)}
