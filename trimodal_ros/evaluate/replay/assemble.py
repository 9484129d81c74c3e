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
from dataclasses import replace
from itertools import chain
import math
from pathlib import Path

import numpy as np

from .catalogue import PRIMARY
from .compare import compare, compare_still
from .judge import Judged
from .offline import Outcome
from .result import Curves, Episode, Figures, Histogram, Result, Robot, Series
from .tally import Ages, Tally
from .thresholds import Threshold
from .worst import worst_of
from ...spec import RobotSpec

AGE_EDGES_MS = (*range(0, 110, 10), *range(125, 275, 25), 300, 400, 500, 1000)


def put_together(outcomes: Sequence[Outcome], robot: RobotSpec, hashes: Sequence[str],
                 settings: Mapping[str, object], mode: str, took_s: float | None = None,
                 thresholds: Sequence[Threshold] = ()) -> Result:
    """
    Return all of a replay; ``hashes`` are those of the checkpoint and, if any, the baseline.

    ``took_s`` is how long it took.
    """
    outcomes = sorted(outcomes, key=lambda outcome: Path(outcome.episode.path))
    judged = [outcome for outcome in outcomes if outcome.judged]
    tallies = [_added(robot, (each.judged[place].tally for each in judged))
               for place in range(len(hashes))]
    duration_s = sum(outcome.episode.duration_s for outcome in outcomes)
    with_baseline, figures = len(hashes) > 1, tallies[0].figures()
    comparison = compare([tuple(each.clusters for each in outcome.judged) for outcome in judged]
                         ) if with_baseline and judged else None
    return Result(
        hashes[0], _robot(robot), mode, settings,
        sum(outcome.judged[0].count for outcome in judged), duration_s, figures,
        _instructions(robot, judged), tuple(map(_episode, outcomes)),
        worst_of(chain.from_iterable(each.judged[0].worst for each in judged)),
        _histograms(tallies[0].ages),
        tuple(each.judge(figures, comparison) for each in thresholds),
        hashes[1] if with_baseline else '', tallies[1].figures() if with_baseline else {},
        comparison, compare_still([each.judged[0].clusters for each in judged])
        if PRIMARY in figures else None, duration_s / took_s if took_s else None)


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


def _episode(outcome: Outcome) -> Episode:
    if not outcome.judged:
        return outcome.episode
    first, *others = outcome.judged
    return replace(
        outcome.episode, decisions=first.count, refusals=dict(first.refusals),
        figures=first.tally.figures(), baseline=others[0].tally.figures() if others else {},
        series=Series(*map(tuple, zip(*first.decisions))) if first.count else Series(),
        curves=_curves(outcome.judged))


def _curves(judged: Sequence[Judged]) -> Curves:
    first, *others = judged
    if not len(first.steps):
        return Curves()
    time_s_N, recorded_NJ, planned_NJ = _parts(first.steps)
    names = first.tally.joint_names
    return Curves(_rounded(time_s_N), _by_joint(names, recorded_NJ), _by_joint(names, planned_NJ),
                  _by_joint(names, _at(others[0].steps, time_s_N))
                  if others and len(others[0].steps) else {})


def _parts(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the times [N], and what was recorded and planned [N, J]."""
    joints = steps.shape[1] // 2
    return steps[:, 0], steps[:, 1:1 + joints], steps[:, 1 + joints:]


def _at(steps: np.ndarray, time_s_N: np.ndarray) -> np.ndarray:
    """Return what was planned [N, J] at other times."""
    known_s, _, planned_MJ = _parts(steps)
    return np.stack([np.interp(time_s_N, known_s, column) for column in planned_MJ.T], axis=1)


def _by_joint(names: Sequence[str], value_NJ: np.ndarray) -> dict[str, tuple]:
    return dict(zip(names, map(_rounded, value_NJ.T)))


def _rounded(values: np.ndarray) -> tuple[float | None, ...]:
    """Return numbers to be drawn, to a tenth of a milliradian; None for what is not known."""
    return tuple(round(value, 4) if math.isfinite(value) else None for value in values.tolist())
