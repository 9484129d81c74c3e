"""Figures with their uncertainty."""

from __future__ import annotations

import math

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
