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
Curves as SVG path data for plots that stretch with the page. Shapes: N points.

A plot is WIDTH by HEIGHT whatever it shows; its strokes don't scale, its labels are HTML. So an
hour of recording is drawn in some kilobytes, and read on a phone, which charts.py can't do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import math
from typing import NamedTuple

import numpy as np

WIDTH, HEIGHT = 1000, 100
LEAST_SPAN = 1e-3   # of a scale: what changes less is drawn flat
NICE = (1, 2, 5, 10)


class Line(NamedTuple):
    """A line of a plot; ``kind`` is its class on the page: 'recorded', 'planned' ..."""

    kind: str
    path: str


class Scale(NamedTuple):
    """From where to where a plot reaches."""

    low: float
    high: float

    def share(self, value):
        """Return where a value, or an array of them, lies: 0 is low, 1 is high."""
        return (value - self.low) / (self.high - self.low)


class Tick(NamedTuple):
    """A labelled place on the axis; ``share`` of its length."""

    share: float
    text: str


def scale_of(values: Iterable[Sequence[float | None]], margin: float = 0.06,
             least: float = LEAST_SPAN) -> Scale | None:
    """
    Return a scale that holds all values, with a margin; None where there are none.

    >>> scale_of([(0.0, None, 1.0)], margin=0.1)
    Scale(low=-0.1, high=1.1)
    """
    value_N = np.concatenate([np.zeros(0), *(known(each) for each in values)])
    value_N = value_N[np.isfinite(value_N)]
    if not len(value_N):
        return None
    low, high = float(value_N.min()), float(value_N.max())
    wider = max(margin * (high - low), (least - (high - low)) / 2)
    return Scale(low - wider, high + wider)


def known(values: Sequence[float | None]) -> np.ndarray:
    """Return values [N] with NaN for None."""
    return np.array([math.nan if each is None else each for each in values], dtype=np.float64)


def thin(time_N: np.ndarray, value_N: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Return at most ``most`` points, the smallest and the largest of each of equal parts.

    No peak is lost. Parts of which nothing is known remain a gap.

    >>> thin(np.arange(6.0), np.array([0.0, 5.0, 1.0, 1.0, -3.0, 2.0]), 4)[1].tolist()
    [0.0, 5.0, -3.0, 2.0]
    """
    count = len(value_N)
    if count <= most:
        return time_N, value_N
    size = math.ceil(count / (most // 2))
    parts = math.ceil(count / size)
    value_PS = np.pad(value_N, (0, parts * size - count), constant_values=np.nan)
    value_PS = value_PS.reshape(parts, size)
    missing_PS = np.isnan(value_PS)
    ends_P2 = np.stack([np.where(missing_PS, np.inf, value_PS).argmin(axis=1),
                        np.where(missing_PS, -np.inf, value_PS).argmax(axis=1)], axis=1)
    chosen = np.unique(np.sort(ends_P2, axis=1) + size * np.arange(parts)[:, None])
    return time_N[chosen], value_N[chosen]


def curve(time_N: np.ndarray, value_N: np.ndarray, across: Scale, up: Scale, most: int) -> str:
    """
    Return the path of a line of at most ``most`` points, interrupted where a value is NaN.

    >>> curve(np.arange(3.0), np.array([0.0, 1.0, np.nan]), Scale(0, 2), Scale(0, 1), 9)
    'M0,100L500,0'
    """
    time_N, value_N = thin(time_N, value_N, most)
    x_N = WIDTH * across.share(time_N)
    y_N = HEIGHT * (1 - up.share(value_N))
    path, pen_up = [], True
    for x, y in zip(x_N, y_N):
        if not math.isfinite(y):
            pen_up = True
            continue
        path.append(f'{"M" if pen_up else "L"}{x:.0f},{y:.1f}'.removesuffix('.0'))
        pen_up = False
    return ''.join(path)


def spans(begin_N: Sequence[float], end_N: Sequence[float], across: Scale) -> str:
    """
    Return the path of full-height bars; those that touch are one.

    >>> spans([0.0, 1.0, 3.0], [1.0, 2.0, 4.0], Scale(0, 4))
    'M0,0H500V100H0ZM750,0H1000V100H750Z'
    """
    merged: list[list[float]] = []
    for begin, end in zip(begin_N, end_N):
        x, x_end = WIDTH * across.share(begin), WIDTH * across.share(end)
        if merged and x <= merged[-1][1] + 0.5:
            merged[-1][1] = x_end
        else:
            merged.append([x, x_end])
    return ''.join(f'M{x:.0f},0H{max(x_end, x + 2):.0f}V{HEIGHT}H{x:.0f}Z'
                   for x, x_end in merged)


def ticks(across: Scale, most: int = 8) -> list[Tick]:
    """
    Return evenly spaced places with round numbers.

    >>> [tick.text for tick in ticks(Scale(0, 12.4), 4)]
    ['0', '5', '10']
    """
    raw = (across.high - across.low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in NICE if nice * power >= raw * (1 - 1e-9))
    first, last = math.ceil(across.low / step - 1e-6), math.floor(across.high / step + 1e-6)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [Tick(across.share(n * step), f'{n * step:.{digits}f}')
            for n in range(first, last + 1)]
