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
"""Plots of a page that are of all recordings: over time, by step of the chunk, of latencies."""

from __future__ import annotations

from collections.abc import Sequence
import itertools
import math

import numpy as np

from .catalogue import MEASURES
from .drawing import alignment_row, ALIGNMENTS, Drawing, error_row, Row, row, sent_rows
from .lines import HEIGHT, known, Line, Scale, Tick, ticks, WIDTH
from .result import Histogram, Result, Series
from .wording import title

AVERAGED = 80  # parts of the whole time
LEAST_BARS = 6
MARKED = 40   # episodes whose beginnings are marked: of more, none are


def draw_overview(result: Result) -> Drawing | None:
    """Draw error and alignment of all recordings, one after another; None without decisions."""
    judged = [episode for episode in result.episodes if episode.series.time_s]
    if not judged:
        return None
    begins_s = [0.0, *itertools.accumulate(episode.duration_s for episode in judged)]
    across = Scale(0.0, begins_s[-1])
    if not across.high > 0:
        return None
    series = _joined([episode.series for episode in judged], begins_s)
    rows = [*sent_rows(series, across), error_row(series, across),
            alignment_row(averaged(series, across), across)]
    marks = [Tick(across.share(begin_s), str(number))
             for number, begin_s in enumerate(begins_s[:-1], 1)]
    return Drawing(tuple(ticks(across)), 's', tuple(filter(None, rows)),
                   tuple(marks) if 1 < len(marks) <= MARKED else ())


def _joined(parts: Sequence[Series], begins_s: Sequence[float]) -> Series:
    """Return one series of all, a gap after each; what a part doesn't have is unknown."""
    time_s, status = [], []
    values: dict[str, list] = {name: [] for name in ('error_rad', *ALIGNMENTS)}
    for part, begin_s, end_s in zip(parts, begins_s, begins_s[1:]):
        time_s += [begin_s + each for each in part.time_s] + [end_s]
        status += [*part.status, 'commanded']
        for name, value in values.items():
            value += [*(getattr(part, name) or [None] * len(part.time_s)), None]
    return Series((), tuple(time_s), tuple(status),
                  **{name: tuple(value) for name, value in values.items()})


def averaged(series: Series, across: Scale, parts: int = AVERAGED) -> Series:
    """Return a series' alignment as means of equal parts, at their middles, if it is long."""
    if len(series.time_s) <= 2 * parts:
        return series
    part_N = np.clip(parts * across.share(known(series.time_s)), 0, parts - 1).astype(int)
    middle_P = across.low + (np.arange(parts) + 0.5) / parts * (across.high - across.low)
    means = {}
    for name in ALIGNMENTS:
        value_N = known(getattr(series, name))
        is_known_N = np.isfinite(value_N)
        count_P = np.bincount(part_N[is_known_N], minlength=parts)
        sum_P = np.bincount(part_N[is_known_N], value_N[is_known_N], parts)
        means[name] = tuple(float(total / count) if count else None
                            for total, count in zip(sum_P, count_P))
    return Series(time_s=tuple(middle_P.tolist()), **means)


def draw_steps(result: Result) -> Drawing | None:
    """Draw each measure that has a figure for each step of the chunk."""
    seconds = [(step + 1) / result.robot.rate_hz for step in range(result.robot.horizon)]
    across = Scale(seconds[0], seconds[-1])
    rows = []
    for name, figure in result.figures.items():
        values = {'planned': figure.step}
        if name in result.baseline_figures:
            values = {'baseline': result.baseline_figures[name].step, **values}
        if figure.step:
            rows.append(row(title(name), MEASURES[name].unit, seconds, values, across,
                            from_zero=True))
    rows = tuple(filter(None, rows))
    return Drawing(tuple(ticks(across)), 's', rows) if rows else None


def draw_histogram(name: str, histogram: Histogram) -> Drawing:
    """Draw bars of one width, the last ones left out if empty; labels say where they end."""
    last = max((n for n, each in enumerate(histogram.counts, 1) if each), default=0)
    count = min(len(histogram.counts), max(last, LEAST_BARS))
    most, across = max(1, *histogram.counts), Scale(0.0, count)
    bars = (f'M{WIDTH * across.share(n):.0f},{HEIGHT}V{HEIGHT * (1 - each / most):.1f}'
            f'H{WIDTH * across.share(n + 1):.0f}V{HEIGHT}Z'
            for n, each in enumerate(histogram.counts[:count]) if each)
    labels = tuple(Tick(across.share(n), f'{histogram.edges[n]:g}')
                   for n in range(0, count + 1, math.ceil(count / 6)))
    drawn = Row(name.replace('_', ' '), '', (Line('bars', ''.join(bars)),), '0', f'{most:,}')
    return Drawing(labels, 'ms', (drawn,))
