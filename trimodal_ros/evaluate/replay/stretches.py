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
Which parts of the recordings a page draws, and which frames it shows: a number that is bounded.

Episodes are cut into stretches of at most a minute, so that motion can be told in any of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np

from .lines import known
from .result import Episode, Moment, Result

STRETCH_S = 60.0
DRAWN = 24            # stretches on a page
WORST, OF_A_KIND = 16, 4   # moments on a page, and of them by the same measure
STRIP = 8             # frames along a stretch
STRIP_PX, MOMENT_PX = 176, 320   # widths of frames
CAMERAS = 3           # shown, the robot's first ones


class Wanted(NamedTuple):
    """The frames, one a camera, at a moment: of about its stamp, at most ``width`` px wide."""

    episode: str
    stamp_ns: int
    time_s: float      # since the first message
    width: int


@dataclass(frozen=True)
class Stretch:
    """Part of an episode; ``moments`` are the worst ones in it by their number, from 1."""

    episode: Episode
    begin_s: float
    end_s: float
    error_rad: float | None
    moments: tuple[tuple[int, Moment], ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.begin_s == 0 and self.end_s == self.episode.duration_s

    @property
    def frames(self) -> list[Wanted]:
        """Return the frames along it: of the decisions nearest to the middles of equal parts."""
        series = self.episode.series
        time_N = np.asarray(series.time_s)
        inside = np.flatnonzero((time_N >= self.begin_s) & (time_N <= self.end_s))
        if not len(inside):
            return []
        middle_S = self.begin_s + (np.arange(STRIP) + 0.5) / STRIP * (self.end_s - self.begin_s)
        chosen = inside[np.abs(time_N[inside] - middle_S[:, None]).argmin(axis=1)]
        return [Wanted(self.episode.path, series.stamp_ns[n], series.time_s[n], STRIP_PX)
                for n in chosen]


def shown_moments(result: Result) -> list[Moment]:
    """Return the worst moments that are shown: the first few by each measure, in order."""
    shown, kinds = [], Counter()
    for moment in result.worst:
        kinds[moment.measure] += 1
        if kinds[moment.measure] <= OF_A_KIND:
            shown.append(moment)
    return shown[:WORST]


def stretches(result: Result) -> list[Stretch]:
    """Return those to be drawn: with the worst moments first, then by their mean error."""
    return sorted(all_stretches(result), key=_rank)[:DRAWN]


def all_stretches(result: Result) -> list[Stretch]:
    """Return every stretch in which something was decided, in order."""
    moments: dict[str, list[tuple[int, Moment]]] = {}
    for number, moment in enumerate(shown_moments(result), 1):
        moments.setdefault(moment.episode, []).append((number, moment))
    return [stretch for episode in result.episodes
            for stretch in _cut(episode, moments.get(episode.path, []))]


def _cut(episode: Episode, moments: list[tuple[int, Moment]]) -> list[Stretch]:
    time_N, error_N = known(episode.series.time_s), known(episode.series.error_rad)
    count = max(1, math.ceil(episode.duration_s / STRETCH_S))
    bounds = [episode.duration_s * n / count for n in range(count + 1)]
    part_N = np.clip(np.searchsorted(bounds, time_N, 'right') - 1, 0, count - 1)
    found = []
    for n, (begin_s, end_s) in enumerate(zip(bounds, bounds[1:])):
        if (part_N == n).any() and end_s > begin_s:
            error = error_N[(part_N == n) & np.isfinite(error_N)]
            inside = tuple((number, moment) for number, moment in moments
                           if begin_s <= moment.time_s < end_s or (
                               n == count - 1 and moment.time_s >= end_s))
            found.append(Stretch(episode, begin_s, end_s,
                                 float(error.mean()) if len(error) else None, inside))
    return found


def _rank(stretch: Stretch) -> tuple:
    first = stretch.moments[0][0] if stretch.moments else math.inf
    return first, -(stretch.error_rad or 0.0)


def wanted_frames(result: Result) -> list[Wanted]:
    """Return all frames that a page of the result shows."""
    moments = [of_moment(moment) for moment in shown_moments(result)]
    return moments + [frame for stretch in stretches(result) for frame in stretch.frames]


def of_moment(moment: Moment) -> Wanted:
    return Wanted(moment.episode, moment.stamp_ns, moment.time_s, MOMENT_PX)
