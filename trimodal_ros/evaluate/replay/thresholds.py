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
What a checkpoint must keep to: bounds of measures in a YAML file, such as config/thresholds.yaml.

    action_error: {max: 0.05}
    action_error.gripper: {max: 0.2}
    within_tolerance: {min: 0.8}

and, where it is compared with a baseline, of the 95 % interval of the difference:

    boundary_jump: {not_worse: true}
    jerk: {margin: 2.0}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import difflib
import math
from pathlib import Path
from typing import get_args

import yaml

from .catalogue import MEASURES, PERCENTILES
from .compare import worse_by
from .result import Bound, Comparison, Figures, Passed
from ...spec import RobotSpec

BOUNDS = get_args(Bound)
OF_A_DIFFERENCE = ('not_worse', 'margin')


class ThresholdError(ValueError):
    """A file that doesn't say what a checkpoint must keep to."""


@dataclass(frozen=True)
class Threshold:
    """
    A bound of a measure over all, or with ``joint`` of that joint.

    'not_worse' is kept unless the interval of the difference shows it worse than the baseline;
    'margin' if the interval shows that it is worse by ``value`` at most: non-inferiority.
    """

    measure: str
    joint: str
    bound: Bound
    value: float

    @property
    def name(self) -> str:
        return f'{self.measure}.{self.joint}' if self.joint else self.measure

    def judge(self, figures: Figures, comparison: Comparison | None = None) -> Passed:
        """Return whether it is kept; what was not measured keeps to nothing."""
        if self.bound in OF_A_DIFFERENCE:
            value = self._worse_by(comparison)
        else:
            figure = figures.get(self.measure)
            value = figure and (figure.joint.get(self.joint) if self.joint else figure.value)
        ok = value is not None and (
            value >= self.value if self.bound == 'min' else value <= self.value)
        return Passed(self.name, self.bound, self.value, value, ok)

    def _worse_by(self, comparison: Comparison | None) -> float | None:
        compared = comparison and comparison.measures.get(self.measure)
        ends = compared and worse_by(compared, MEASURES[self.measure].better)
        return ends and ends[OF_A_DIFFERENCE.index(self.bound)]


def read_thresholds(path: Path, robot: RobotSpec, with_baseline: bool = False) -> list[Threshold]:
    """
    Return the bounds that a YAML file names. Raises ThresholdError, or OSError.

    Bounds of a difference are refused unless ``with_baseline``.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ThresholdError(f'{path} is not YAML: {error}') from error
    if not isinstance(data, Mapping) or not data:
        raise ThresholdError(f'{path}: expected measures with bounds, such as '
                             'action_error: {max: 0.05}')
    thresholds = [_threshold(path, str(name), bound, value, robot) for name, bounds
                  in data.items() for bound, value in _bounds(path, name, bounds)]
    for each in thresholds:
        if each.bound in OF_A_DIFFERENCE and not with_baseline:
            raise ThresholdError(f'{path}, {each.name}: {each.bound} is of a comparison: name a '
                                 'checkpoint to compare with, --baseline')
    return thresholds


def _bounds(path: Path, name: str, bounds) -> list[tuple[str, object]]:
    if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= set(BOUNDS):
        raise ThresholdError(f'{path}, {name}: {bounds!r}, expected some of '
                             f'{", ".join(BOUNDS)}, such as {{max: 0.05}}')
    return list(bounds.items())


def _threshold(path: Path, name: str, bound: str, value, robot: RobotSpec) -> Threshold:
    measure, _, joint = name.partition('.')
    for what, word, known in (('measure', measure, MEASURES),
                              ('joint', joint, ('', *robot.joint_names))):
        if word not in known:
            near = difflib.get_close_matches(word, known, 1)
            raise ThresholdError(f'{path}: no {what} {word!r}'
                                 + (f', did you mean {near[0]!r}?' if near else '')
                                 + f' Known are {", ".join(filter(None, known))}')
    if bound in OF_A_DIFFERENCE:
        _check_compared(path, name, bound, measure, joint)
    if bound == 'not_worse':
        if value is not True:
            raise ThresholdError(f'{path}, {name}: not_worse: {value!r}, expected true')
        return Threshold(measure, joint, bound, 0.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ThresholdError(f'{path}, {name}: {bound}: {value!r}, expected a number in '
                             f'{MEASURES[measure].unit}')
    if bound == 'margin' and value < 0:
        raise ThresholdError(f'{path}, {name}: margin: {value!r}, expected 0 or more')
    return Threshold(measure, joint, bound, float(value))


def _check_compared(path: Path, name: str, bound: str, measure: str, joint: str) -> None:
    why = ('a joint is not compared' if joint else
           'it is better neither way' if not MEASURES[measure].better else
           'percentiles are not compared' if measure in PERCENTILES else '')
    if why:
        raise ThresholdError(f'{path}, {name}: {bound}: {why}, expected min or max')
