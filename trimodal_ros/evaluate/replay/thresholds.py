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
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import difflib
import math
from pathlib import Path

import yaml

from .catalogue import MEASURES
from .result import Figures, Passed
from ...spec import RobotSpec

BOUNDS = ('min', 'max')


class ThresholdError(ValueError):
    """A file that doesn't say what a checkpoint must keep to."""


@dataclass(frozen=True)
class Threshold:
    """A bound of a measure over all, or with ``joint`` of that joint."""

    measure: str
    joint: str
    bound: str
    value: float

    @property
    def name(self) -> str:
        return f'{self.measure}.{self.joint}' if self.joint else self.measure

    def judge(self, figures: Figures) -> Passed:
        """Return whether it is kept; what was not measured keeps to nothing."""
        figure = figures.get(self.measure)
        value = figure and (figure.joint.get(self.joint) if self.joint else figure.value)
        ok = value is not None and (
            value <= self.value if self.bound == 'max' else value >= self.value)
        return Passed(self.name, self.bound, self.value, value, ok)


def read_thresholds(path: Path, robot: RobotSpec) -> list[Threshold]:
    """Return the bounds that a YAML file names. Raises ThresholdError, or OSError."""
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ThresholdError(f'{path} is not YAML: {error}') from error
    if not isinstance(data, Mapping) or not data:
        raise ThresholdError(f'{path}: expected measures with bounds, such as '
                             'action_error: {max: 0.05}')
    return [_threshold(path, str(name), bound, value, robot)
            for name, bounds in data.items() for bound, value in _bounds(path, name, bounds)]


def _bounds(path: Path, name: str, bounds) -> list[tuple[str, object]]:
    if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= set(BOUNDS):
        raise ThresholdError(f'{path}, {name}: {bounds!r}, expected min, max or both, such as '
                             '{max: 0.05}')
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
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ThresholdError(f'{path}, {name}: {bound}: {value!r}, expected a number in '
                             f'{MEASURES[measure].unit}')
    return Threshold(measure, joint, bound, float(value))
