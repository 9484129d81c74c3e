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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from . import wording
from .catalogue import Measure, MEASURES
from .drawing import ALIGNMENTS, draw_moment, draw_stretch, Drawing, POINTS
from .frames import Pictures
from .overview import AVERAGED, draw_histogram, draw_overview, draw_steps
from .result import Compared, Episode, Figure, Figures, Moment, Result
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

# The numbers that matter, as far as they were measured.
KEYS = ('action_error', 'within_tolerance', 'gripper_accuracy', 'tool_error', 'refused', 'late',
        'command_age_p99', 'swap_sensitivity')
IN_TABLES = ('action_error', 'within_tolerance', 'gripper_accuracy', 'tool_error', 'boundary_jump',
             'refused', 'late', 'image_sentence', 'scene_motion', 'swap_sensitivity')
TABLE_ROWS = 300
# Lines of plots, in words.
KINDS = {'recorded': 'recorded', 'planned': 'planned', 'baseline': 'planned by the baseline',
         'refused': 'plan refused', 'late': 'plan late', **ALIGNMENTS}


class Shown(NamedTuple):
    """A measure as the page shows it."""

    name: str
    measure: Measure
    figure: Figure
    compared: Compared | None
    spread: tuple[float, float] | None

    @property
    def tone(self) -> wording.Tone:
        """Return how it compares; of a measure that is better neither way, nothing."""
        if self.compared is None or not self.measure.better:
            return 'even'
        return wording.TONES[self.compared.verdict]

    @property
    def whisker(self) -> tuple[float, float, float] | None:
        """Return where the interval begins and ends and the difference is, in % of a plot."""
        if self.compared is None or None in (ends := (
                self.compared.low, self.compared.high, self.compared.difference)):
            return None
        most = max(map(abs, ends)) or 1.0
        sign = -1 if self.measure.better == 'lower' else 1
        low, high, middle = (50 + 46 * sign * end / most for end in ends)
        return min(low, high), max(low, high), middle


@dataclass(frozen=True)
class Panel:
    """A stretch of an episode, drawn, with its frames along it by camera."""

    number: int
    stretch: Stretch
    drawing: Drawing
    strips: Mapping[str, list[tuple[Wanted, str]]]
    every_s: float | None   # between the points of its curves, where not every step is one


class Scene(NamedTuple):
    """One of the worst moments, drawn, with its frames by camera."""

    number: int
    moment: Moment
    pictures: Mapping[str, str]
    drawing: Drawing | None


def write_replay_page(path: Path, result: Result, pictures: Pictures) -> None:
    """Write the page of a result; ``pictures`` as frames.read_frames returns them."""
    drawn = stretches(result)
    panels = [_panel(number, stretch, pictures, result.robot.rate_hz)
              for number, stretch in enumerate(drawn, 1)]
    episodes = sorted(result.episodes, key=_error, reverse=True)
    write_page(
        'replay/page', path, title=wording.headline(result),
        subtitle=subtitle(result), result=result,
        shown=_shown(result), keys=KEYS, answers=list(wording.answers(result)), words=wording,
        measures=MEASURES, alignments=list(ALIGNMENTS), kinds=KINDS,
        scenes=_scenes(result, pictures), panels=panels,
        panel_of={panel.stretch.episode.path: panel for panel in reversed(panels)},
        stretch_count=len(all_stretches(result)), episodes=episodes[:TABLE_ROWS],
        columns=_columns(episode.figures for episode in result.episodes),
        instruction_columns=_columns(result.instructions.values()),
        instructions=list(result.instructions.items())[:TABLE_ROWS],
        joint_columns=[each for each in _shown(result) if each.figure.joint],
        overview=draw_overview(result), steps=draw_steps(result),
        histograms=[draw_histogram(*each) for each in result.histograms.items()],
        limits={'points': POINTS, 'cameras': CAMERAS, 'stretch_s': STRETCH_S, 'rows': TABLE_ROWS,
                'averaged': AVERAGED})


def subtitle(result: Result) -> str:
    """Return what was replayed, in a line."""
    how = {'offline': 'offline', 'node': 'played into the live node'}[result.mode]
    judged = len(result.episodes) - len(result.faults)
    against = f', baseline {result.baseline}' if result.baseline else ''
    decisions = wording.counted(result.decisions, 'decision')
    recordings = wording.counted(judged, 'recording')
    return (f'Robot {result.robot.name}, checkpoint {result.checkpoint}{against}: {decisions} on '
            f'{recordings}, {wording.duration(result.duration_s)}, {how}')


def _shown(result: Result) -> list[Shown]:
    compared = result.comparison.measures if result.comparison is not None else {}
    return [Shown(name, measure, result.figures[name], compared.get(name),
                  wording.spread(result, name))
            for name, measure in MEASURES.items() if name in result.figures]


def _columns(rows: Iterable[Figures]) -> list[str]:
    measured = {name for figures in rows for name in figures}
    return [name for name in IN_TABLES if name in measured]


def _error(episode: Episode) -> float:
    error = wording.value_of(episode.figures, 'action_error')
    return -1.0 if error is None else error


def _panel(number: int, stretch: Stretch, pictures: Pictures, rate_hz: float) -> Panel:
    strips: dict[str, list[tuple[Wanted, str]]] = {}
    frames = stretch.frames
    cameras = {camera: None for frame in frames for camera in pictures.get(frame, ())}
    for camera in cameras:
        strips[camera] = [(frame, pictures.get(frame, {}).get(camera, '')) for frame in frames]
    return Panel(number, stretch, draw_stretch(stretch), strips,
                 _every(stretch.episode, 1 / rate_hz))


def _every(episode: Episode, step_s: float) -> float | None:
    time_s = episode.curves.time_s
    every_s = (time_s[-1] - time_s[0]) / (len(time_s) - 1) if len(time_s) > 1 else 0.0
    return every_s if every_s > 1.5 * step_s else None


def _scenes(result: Result, pictures: Pictures) -> list[Scene]:
    episodes = {episode.path: episode for episode in result.episodes}
    return [Scene(number, moment, pictures.get(of_moment(moment), {}),
                  draw_moment(moment, episodes))
            for number, moment in enumerate(shown_moments(result), 1)]
