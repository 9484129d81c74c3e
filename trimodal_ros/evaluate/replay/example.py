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

"""Results made up, in the shape of real ones, for tests and for whoever draws them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
import math

import numpy as np

from .catalogue import MEASURES, PRIMARY, STILL
from .result import (
    Compared,
    Comparison,
    Curves,
    Episode,
    Figure,
    Histogram,
    Moment,
    Passed,
    Result,
    Robot,
    Series,
)
from ...spec import NS_PER_S, RobotSpec

SENTENCES = ('put the red cube on the left plate', 'put the blue cube on the right plate')
START_NS = 1_000 * NS_PER_S
TYPICAL = {'rad': 0.03, 'm': 0.008, 'ms': 20.0, 'Hz': 1.7, 'rad/s^3': 9.0, 'share': 0.1,
           'cosine': 0.6}


def make_example(robot: RobotSpec | None = None, episodes: int = 4, decisions: int = 60,
                 with_baseline: bool = True) -> Result:
    """Return a result of made-up numbers: two instructions, a bag that can't be read, a slip."""
    robot = robot or RobotSpec.make_example()
    rng = np.random.default_rng(0)
    judged = tuple(_episode(robot, number, decisions, rng) for number in range(episodes))
    broken = Episode('bags/damaged', fault='bags/damaged/damaged_0.mcap: damaged: ends within a '
                     'record, 0 bytes from byte 4096 on')
    figures, baseline = _figures(robot, rng, 1.0), _figures(robot, rng, 1.4)
    result = Result(
        checkpoint='0123456789abcdef', mode='offline', decisions=episodes * decisions,
        robot=Robot(robot.name, robot.joint_names, {each.name: each.unit for each in robot.joints},
                    tuple(c.name for c in robot.cameras), robot.rate_hz, robot.horizon),
        settings={'replan_period_s': 0.6, 'tolerance_rad': 0.05}, duration_s=sum(
            episode.duration_s for episode in judged), figures=figures,
        instructions={sentence: _figures(robot, rng, 1.0) for sentence in SENTENCES},
        episodes=(*judged, broken), worst=_worst(judged),
        histograms={'input_age': Histogram(tuple(range(0, 110, 10)), tuple(
            int(count) for count in rng.integers(0, 50, 10)))},
        thresholds=(Passed('action_error', 'max', 0.05, figures['action_error'].value, True),
                    Passed('within_tolerance', 'min', 0.9, 0.1, False)), real_time=24.0,
        still=_comparison(figures, figures | {PRIMARY: figures[STILL]}, (PRIMARY,)))
    return result if not with_baseline else replace(
        result, baseline='fedcba9876543210', baseline_figures=baseline,
        comparison=_comparison(figures, baseline))


def _figures(robot: RobotSpec, rng, scale: float) -> dict[str, Figure]:
    figures = {}
    for name, measure in MEASURES.items():
        value = TYPICAL[measure.unit] * scale * rng.uniform(0.8, 1.2)
        joints = {joint: value * rng.uniform(0.5, 1.5) for joint in robot.joint_names}
        steps = tuple(value * (0.5 + step / robot.horizon) for step in range(robot.horizon))
        figures[name] = Figure(value, 240, joints if measure.unit.startswith('rad') else {},
                               steps if name in ('action_error', 'within_tolerance') else ())
    return figures


def _episode(robot: RobotSpec, number: int, decisions: int, rng) -> Episode:
    time_s = tuple(0.6 * (1 + index) for index in range(decisions))
    error = tuple(float(each) for each in rng.gamma(2.0, 0.015, decisions))
    cosines = {name: tuple(float(each) for each in np.clip(rng.normal(0.6, 0.1, decisions), 0, 1))
               for name in ('image_sentence', 'scene_motion', 'scene_recorded')}
    status = tuple(str(each) for each in rng.choice(
        ['commanded', 'refused', 'late'], decisions, p=[0.9, 0.07, 0.03]))
    series = Series(tuple(START_NS + round(each * NS_PER_S) for each in time_s), time_s, status,
                    error, **cosines, age_ms=tuple(rng.uniform(5, 60, decisions).tolist()))
    return Episode(
        f'bags/seed_{number:06d}', instruction=SENTENCES[number % 2], outcome='success',
        start_ns=START_NS, duration_s=0.6 * (decisions + 1), decisions=decisions,
        dropped={'joint_states: stale': 3} if number == 1 else {},
        refusals={'limits': status.count('refused')}, figures=_figures(robot, rng, 1.0),
        baseline=_figures(robot, rng, 1.4), series=series, curves=_curves(robot, decisions))


def _curves(robot: RobotSpec, decisions: int) -> Curves:
    time_s = tuple(0.1 * step for step in range(6 * decisions))
    recorded = {joint: tuple(math.sin(each / 3 + index) for each in time_s)
                for index, joint in enumerate(robot.joint_names)}
    planned, baseline = ({joint: tuple(each + off * math.sin(k / 4) for k, each in
                                       enumerate(values)) for joint, values in recorded.items()}
                         for off in (0.03, 0.08))
    return Curves(time_s, recorded, planned, baseline)


def _worst(episodes: tuple[Episode, ...]) -> tuple[Moment, ...]:
    moments = [Moment(episode.path, episode.instruction, stamp, time_s, 'action_error', error,
                      f'planned {error:.3f} rad from what was recorded, {joint} most', joint,
                      tuple(error * step for step in range(16)))
               for episode in episodes for joint in [next(iter(episode.curves.recorded))]
               for stamp, time_s, error in zip(
                   episode.series.stamp_ns, episode.series.time_s, episode.series.error_rad)]
    return tuple(sorted(moments, key=lambda moment: -moment.value)[:12])


def _comparison(figures: dict[str, Figure], baseline: dict[str, Figure],
                names: Iterable[str] = MEASURES) -> Comparison:
    measures = {}
    for name in names:
        difference = figures[name].value - baseline[name].value
        measures[name] = Compared(figures[name].value, baseline[name].value, difference,
                                  1.2 * difference, 0.8 * difference,
                                  'better' if MEASURES[name].better == 'lower' else 'worse')
    return Comparison('better', 'episodes', 4, measures)
