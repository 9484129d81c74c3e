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
The page of a replay: one HTML file, for people, that fetches nothing.

Whatever was recorded its size is bounded: by the stretches drawn, points of a line, frames and
rows of a table. The page says what it leaves out; the JSON has all of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import itertools
from pathlib import Path
from typing import NamedTuple

from . import values, wording
from .catalogue import MEASURES
from .drawing import ALIGNMENTS, draw_moment, draw_stretch, Drawing, NOT_SENT, POINTS
from .frames import Pictures, shape_of
from .overview import AVERAGED, draw_histogram, draw_overview, draw_steps
from .result import Episode, Moment, Result, Robot
from .shown import cards_of, columns_of, measures_of
from .stretches import (
    all_stretches,
    CAMERAS,
    of_moment,
    shown_moments,
    Stretch,
    STRETCH_S,
    stretches,
    Wanted,
)
from ..page import write_page

TABLE_ROWS = 300
MODES = {'offline': 'offline', 'node': 'played into the live node',
         'recorded': 'as it was decided when it was recorded'}
# Lines of plots, in words.
KINDS = {'recorded': 'recorded', 'planned': 'planned', 'baseline': 'planned by the baseline',
         'then': 'the whole plan of that moment', 'refused': 'plan refused', 'late': 'plan late',
         **ALIGNMENTS}


@dataclass(frozen=True)
class Panel:
    """A stretch of an episode, drawn, with its frames along it by camera."""

    number: int
    stretch: Stretch
    drawing: Drawing
    strips: Mapping[str, list[tuple[Wanted, str]]]
    group_s: float | None   # of which curves have two points, where not every step is one


class Scene(NamedTuple):
    """One of the worst moments, drawn, with its frames by camera."""

    number: int
    moment: Moment
    pictures: Mapping[str, str]
    drawing: Drawing | None


def write_replay_page(path: Path, result: Result, pictures: Pictures) -> None:
    """Write the page of a result; ``pictures`` as frames.read_frames returns them."""
    drawn = stretches(result)
    panels = [_panel(number, stretch, pictures, result.robot)
              for number, stretch in enumerate(drawn, 1)]
    episodes, shown = sorted(result.episodes, key=_error, reverse=True), measures_of(result)
    write_page(
        'replay/page', path, title=wording.headline(result),
        subtitle=subtitle(result), result=result,
        shown=shown, cards=cards_of(shown), answers=list(wording.answers(result)),
        worse_than_still={episode.path for episode in wording.worse_than_still(result)},
        words=wording, values=values, shape_of=shape_of, measures=MEASURES,
        alignments=list(ALIGNMENTS), kinds=KINDS,
        scenes=_scenes(result, pictures), panels=panels,
        panel_of={panel.stretch.episode.path: panel for panel in reversed(panels)},
        number_of=_numbers(result), not_sent=_not_sent(panels),
        stretch_count=len(all_stretches(result)), episodes=episodes[:TABLE_ROWS],
        columns=columns_of(episode.figures for episode in result.episodes),
        instruction_columns=columns_of(result.instructions.values()),
        instructions=list(result.instructions.items())[:TABLE_ROWS],
        joint_columns=[each for each in shown if each.figure.joint],
        overview=draw_overview(result), steps=draw_steps(result),
        histograms=[draw_histogram(*each) for each in result.histograms.items()],
        limits={'points': POINTS, 'cameras': CAMERAS, 'stretch_s': STRETCH_S, 'rows': TABLE_ROWS,
                'averaged': AVERAGED})


def subtitle(result: Result) -> str:
    """Return what was replayed, in a line."""
    how = MODES[result.mode]
    judged = sum(episode.decisions > 0 for episode in result.episodes)
    against = f', baseline {result.baseline}' if result.baseline else ''
    decisions = values.counted(result.decisions, 'decision')
    recordings = values.counted(judged, 'recording')
    return (f'Robot {result.robot.name}, checkpoint {result.checkpoint}{against}: {decisions} on '
            f'{recordings}, {values.duration(result.duration_s)}, {how}')


def _numbers(result: Result) -> dict[str, int | None]:
    """Return numbers of recordings, in the order they are drawn in; None of those left out."""
    numbers = itertools.count(1)
    return {episode.path: next(numbers) if episode.series.time_s else None
            for episode in result.episodes}


def _not_sent(panels: list[Panel]) -> list[str]:
    return [name for name in NOT_SENT if any(
        row.name == name for panel in panels for row in panel.drawing.rows)]


def _error(episode: Episode) -> float:
    error = wording.value_of(episode.figures, 'action_error')
    return -1.0 if error is None else error


def _panel(number: int, stretch: Stretch, pictures: Pictures, robot: Robot) -> Panel:
    frames = stretch.frames
    cameras = dict.fromkeys(camera for frame in frames for camera in pictures.get(frame, ()))
    strips = {camera: [(frame, pictures.get(frame, {}).get(camera, '')) for frame in frames]
              for camera in cameras}
    return Panel(number, stretch, draw_stretch(stretch, robot.units), strips,
                 _group(stretch.episode, 1 / robot.rate_hz))


def _group(episode: Episode, step_s: float) -> float | None:
    time_s = episode.curves.time_s
    every_s = (time_s[-1] - time_s[0]) / (len(time_s) - 1) if len(time_s) > 1 else 0.0
    return 2 * every_s if every_s > 1.5 * step_s else None


def _scenes(result: Result, pictures: Pictures) -> list[Scene]:
    episodes = {episode.path: episode for episode in result.episodes}
    return [Scene(number, moment, pictures.get(of_moment(moment), {}),
                  draw_moment(moment, episodes, result.robot.units, 1 / result.robot.rate_hz))
            for number, moment in enumerate(shown_moments(result), 1)]
