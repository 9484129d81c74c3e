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

"""Puts what came of recordings together to a Result. Shapes: J joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
import math

import numpy as np

from .compare import compare
from .judge import Judged
from .offline import Outcome
from .result import Curves, Episode, Figures, Histogram, Result, Robot, Series
from .tally import Ages, Tally
from .thinned import Thinned
from .thresholds import Threshold
from .worst import worst_of
from ...spec import RobotSpec

MOST_ROWS = 60_000      # of all episodes that are drawn: some 15 MB of JSON
LEAST_ROWS = 20         # of each
AGE_EDGES_MS = (*range(0, 110, 10), *range(125, 275, 25), 300, 400, 500, 1000)


def put_together(outcomes: Sequence[Outcome], robot: RobotSpec, hashes: Sequence[str],
                 settings: Mapping[str, object], mode: str, took_s: float | None = None,
                 thresholds: Sequence[Threshold] = ()) -> Result:
    """
    Return all of a replay; ``hashes`` are those of the checkpoint and, if any, the baseline.

    ``took_s`` is how long it took.
    """
    outcomes = sorted(outcomes, key=lambda outcome: outcome.path)
    judged = [outcome for outcome in outcomes if outcome.judged]
    tallies = [_added(robot, (each.judged[place].tally for each in judged))
               for place in range(len(hashes))]
    most = max(LEAST_ROWS, MOST_ROWS // max(1, len(judged)))
    duration_s = sum(outcome.duration_s for outcome in outcomes)
    with_baseline, figures = len(hashes) > 1, tallies[0].figures()
    return Result(
        hashes[0], _robot(robot), mode, settings,
        sum(outcome.judged[0].count for outcome in judged), duration_s, figures,
        _instructions(robot, judged), tuple(_episode(each, most) for each in outcomes),
        worst_of(chain.from_iterable(each.judged[0].worst for each in judged)),
        _histograms(tallies[0].ages), tuple(each.judge(figures) for each in thresholds),
        hashes[1] if with_baseline else '', tallies[1].figures() if with_baseline else {},
        compare([tuple(each.clusters for each in outcome.judged) for outcome in judged])
        if with_baseline and judged else None, duration_s / took_s if took_s else None)


def _added(robot: RobotSpec, tallies) -> Tally:
    total = Tally(robot)
    for tally in tallies:
        total += tally
    return total


def _robot(robot: RobotSpec) -> Robot:
    return Robot(robot.name, robot.joint_names, {joint.name: joint.unit for joint in robot.joints},
                 tuple(camera.name for camera in robot.cameras), robot.rate_hz, robot.horizon)


def _instructions(robot: RobotSpec, judged: Sequence[Outcome]) -> dict[str, Figures]:
    tallies: dict[str, Tally] = {}
    for outcome in judged:
        for sentence, tally in outcome.judged[0].instructions.items():
            tallies.setdefault(sentence, Tally(robot))
            tallies[sentence] += tally
    return {sentence: tallies[sentence].figures() for sentence in sorted(tallies)}


def _histograms(ages: Mapping[str, Ages]) -> dict[str, Histogram]:
    return {name: each.histogram(AGE_EDGES_MS) for name, each in ages.items() if each.total}


def _episode(outcome: Outcome, most: int) -> Episode:
    about = {'path': str(outcome.path), 'fault': outcome.fault,
             'instruction': outcome.instruction, 'outcome': outcome.outcome,
             'start_ns': outcome.start_ns, 'duration_s': outcome.duration_s,
             'dropped': dict(outcome.dropped)}
    if not outcome.judged:
        return Episode(**about)
    first, *others = outcome.judged
    return Episode(
        **about, decisions=first.count, refusals=dict(first.refusals),
        figures=first.tally.figures(), baseline=others[0].tally.figures() if others else {},
        series=_series(first.decisions, most), curves=_curves(outcome.judged, most))


def _series(decisions: Thinned, most: int) -> Series:
    rows = decisions.at_most(most)
    return Series(*map(tuple, zip(*rows))) if rows else Series()


def _curves(judged: Sequence[Judged], most: int) -> Curves:
    first, *others = judged
    rows = first.steps.at_most(most)
    if not rows:
        return Curves()
    time_s_N = np.array([row[0] for row in rows])
    recorded_NJ, planned_NJ = (np.array([row[part] for row in rows]) for part in (1, 2))
    names = first.tally.joint_names
    return Curves(_rounded(time_s_N), _by_joint(names, recorded_NJ), _by_joint(names, planned_NJ),
                  _by_joint(names, _at(others[0].steps, time_s_N))
                  if others and len(others[0].steps) else {})


def _at(steps: Thinned, time_s_N: np.ndarray) -> np.ndarray:
    """Return what was planned [N, J] at other times."""
    known_s = np.array([row[0] for row in steps])
    planned_MJ = np.array([row[2] for row in steps])
    return np.stack([np.interp(time_s_N, known_s, column) for column in planned_MJ.T], axis=1)


def _by_joint(names: Sequence[str], value_NJ: np.ndarray) -> dict[str, tuple]:
    return dict(zip(names, map(_rounded, value_NJ.T)))


def _rounded(values: np.ndarray) -> tuple[float | None, ...]:
    """Return numbers to be drawn, to a tenth of a milliradian; None for what is not known."""
    return tuple(round(value, 4) if math.isfinite(value) else None for value in values.tolist())
