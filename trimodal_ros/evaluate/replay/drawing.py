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
Plots of a page: rows of curves over a common axis.

Shapes: N points of a curve.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math

import numpy as np

from .lines import curve, known, LEAST_SPAN, Line, Scale, scale_of, spans, Tick, ticks
from .result import Episode, Moment, Series
from .stretches import Stretch
from .values import FACTORS, minus, UNITS

POINTS = 300          # of a line at most
# Of a joint's scale, in its unit: the least motion that is worth a look.
LEAST_MOTION = {'rad': 0.1, 'm': 0.02, 'percent': 10.0}
AROUND_S = 3.0        # on each side of a moment
ALIGNMENTS = {'image_sentence': 'image and sentence', 'scene_motion': 'scene and planned motion',
              'scene_recorded': 'scene and recorded motion'}
LINES = ('recorded', 'baseline', 'planned')   # the last one lies on top
NOT_SENT = ('refused', 'late')
Curve = tuple[Sequence[float], Sequence[float | None]]   # places, in order, and values
NO_CURVE = ((), ())


@dataclass(frozen=True)
class Row:
    """One plot: its name, what its scale reaches from and to as text, and its lines."""

    name: str
    unit: str
    lines: tuple[Line, ...]
    low: str = ''
    high: str = ''
    kind: str = ''      # 'band' for a thin one


@dataclass(frozen=True)
class Drawing:
    """Rows over one axis. ``marks`` are numbers of moments and where they are."""

    ticks: tuple[Tick, ...]
    unit: str
    rows: tuple[Row, ...]
    marks: tuple[Tick, ...] = ()


def draw_stretch(stretch: Stretch, units: Mapping[str, str]) -> Drawing:
    """Draw a stretch: what was sent, the error, every joint in its unit, and alignment."""
    across = Scale(stretch.begin_s, stretch.end_s)
    series, curves = stretch.episode.series, stretch.episode.curves
    joints = [joint_row(joint, units[joint], stretch.episode, across)
              for joint in curves.recorded]
    rows = [*sent_rows(series, across), error_row(series, across), *joints,
            alignment_row(series, across)]
    marks = tuple(Tick(min(1.0, float(across.share(moment.time_s))), str(number))
                  for number, moment in stretch.moments)
    return Drawing(tuple(ticks(across)), 's', tuple(filter(None, rows)), marks)


def draw_moment(moment: Moment, episodes: Mapping[str, Episode], units: Mapping[str, str],
                step_s: float) -> Drawing | None:
    """Draw the joint that matters around a moment, and its plan; None where no curve is known."""
    episode = episodes.get(moment.episode)
    if episode is None or not episode.curves.time_s:
        return None
    across = Scale(max(0.0, moment.time_s - AROUND_S),
                   min(episode.duration_s, moment.time_s + AROUND_S))
    if across.low >= across.high:
        return None
    joint = moment.joint if moment.joint in units else _furthest(episode, across, units)
    plan = [moment.time_s + step_s * (1 + n) for n in range(len(moment.planned))], moment.planned
    drawn = joint and joint_row(joint, units[joint], episode, across, plan)
    if drawn is None:
        return None
    return Drawing(tuple(ticks(across, 6)), 's', (drawn,),
                   (Tick(min(1.0, float(across.share(moment.time_s))), ''),))


def _furthest(episode: Episode, across: Scale, units: Mapping[str, str]) -> str | None:
    inside = _inside(episode.curves.time_s, across)
    off = {}
    for joint, recorded in episode.curves.recorded.items():
        off_N = np.abs(known(episode.curves.planned[joint][inside]) - known(recorded[inside]))
        if np.isfinite(off_N).sum() > 3:
            off[joint] = float(np.nanmax(off_N)) / LEAST_MOTION[units[joint]]
    return max(off, key=off.get) if off else None


def joint_row(joint: str, unit: str, episode: Episode, across: Scale,
              plan: Curve = NO_CURVE) -> Row | None:
    """Draw a joint as recorded, planned and planned by the baseline; and one whole plan."""
    curves = episode.curves
    values = {kind: part[joint] for kind in LINES if joint in (part := getattr(curves, kind))}
    return row(joint, unit, curves.time_s, values, across, LEAST_MOTION[unit], plan=plan)


def error_row(series: Series, across: Scale) -> Row | None:
    return row('action error', 'rad', series.time_s, {'error': series.error_rad}, across,
               from_zero=True)


def alignment_row(series: Series, across: Scale) -> Row | None:
    values = {name: getattr(series, name) for name in ALIGNMENTS if getattr(series, name)}
    return row('alignment', 'cosine', series.time_s, values, across)


def sent_rows(series: Series, across: Scale) -> list[Row]:
    """Draw when plans were refused or late, each until the next decision; none where none was."""
    inside = _inside(series.time_s, across)
    begins = series.time_s[inside]
    bars = list(zip(begins, (*begins[1:], across.high), series.status[inside]))
    rows = []
    for status in NOT_SENT:
        chosen = [bar for bar in bars if bar[2] == status]
        if chosen:
            path = spans([bar[0] for bar in chosen], [bar[1] for bar in chosen], across)
            rows.append(Row(status, '', (Line(status, path),), kind='band'))
    return rows


def row(name: str, unit: str, at: Sequence[float], values: Mapping[str, Sequence], across: Scale,
        least: float = LEAST_SPAN, from_zero: bool = False, plan: Curve = NO_CURVE) -> Row | None:
    """
    Draw lines by their kind over the places ``at``, in order; None of nothing known.

    ``plan`` is one more, with places of its own.
    """
    parts = {kind: _within(at, each, across) for kind, each in values.items() if len(each)}
    if plan[0]:
        parts['then'] = _within(*plan, across)
    up = scale_of((value_N for _, value_N in parts.values()), least=least)
    if up is None:
        return None
    if from_zero:
        up = Scale(0.0, min(up.high, 1.0) if unit == 'share' else up.high)
    lines = tuple(Line(kind, curve(at_N, value_N, across, up, POINTS))
                  for kind, (at_N, value_N) in parts.items())
    return Row(name, UNITS.get(unit, unit), lines, *scale_text(up, unit))


def scale_text(up: Scale, unit: str) -> tuple[str, str]:
    """
    Return the ends of a scale with as many decimals as tell them apart.

    >>> scale_text(Scale(-1.0951, 0.2), 'rad'), scale_text(Scale(0.0, 0.012), 'm')
    (('−1.1', '0.2'), ('0', '12'))
    """
    low, high = (end * FACTORS.get(unit, 1.0) for end in up)
    places = max(0, 1 - math.floor(math.log10(high - low)))
    return minus(f'{low:.{places}f}'), minus(f'{high:.{places}f}')


def _within(at: Sequence[float], values: Sequence, across: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Return the places and values that lie inside."""
    inside = _inside(at, across)
    return known(at[inside]), known(values[inside])


def _inside(at: Sequence[float], across: Scale) -> slice:
    return slice(bisect_left(at, across.low), bisect_right(at, across.high))
