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
Which number of a dataset is which joint of the robot, and in which unit.

Shapes: N frames, J joints, D numbers of a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
import re

import numpy as np

from .dataset import Dataset
from .schema import DatasetError
from .settings import GripperUnit, JointMapping
from ...spec import JointSpec, RobotSpec

# What a number is of a joint, not which joint: 'elbow_flex.pos', 'left_arm_action_0'.
ROLES = frozenset({'action', 'state', 'pos', 'position', 'command'})


def bare_name(name: str) -> str:
    """
    Return a name without what says what the number is of the joint.

    >>> bare_name('elbow_flex.pos'), bare_name('left_arm_action_0')
    ('elbow_flex', 'left_arm_0')
    """
    parts = [part for part in re.split(r'[._/]', name) if part not in ROLES]
    return '_'.join(parts)


def feature_names(feature: Mapping) -> list[str]:
    """Return the names of a feature's numbers, their places where it has none."""
    names = feature.get('names')
    if isinstance(names, dict):   # {'motors': [...]}
        names = [name for group in names.values() for name in group]
    if not isinstance(names, list) or len(names) != feature['shape'][0]:
        return [str(place) for place in range(feature['shape'][0])]
    return list(map(str, names))


def find_joints(dataset: Dataset, key: str, robot: RobotSpec, mapping: JointMapping) -> list[int]:
    """
    Return the place of each joint of the robot in a feature.

    Raises DatasetError, with the names of both, for a feature or a joint that isn't there.
    """
    if key not in dataset.features or len(dataset.features[key]['shape']) != 1:
        numbers = [name for name, feature in dataset.features.items()
                   if len(feature['shape']) == 1 and 'float' in feature['dtype']]
        raise DatasetError(f'{dataset.root}: no feature {key!r} with joints; features of numbers '
                           f'are {numbers}; choose with --state and --action')
    names = feature_names(dataset.features[key])
    bare = list(map(bare_name, names))
    places = []
    for joint in robot.joint_names:
        wanted = mapping.names.get(joint, joint)
        found = [i for i, name in enumerate(names) if name == wanted] or [
            i for i, name in enumerate(bare) if name == wanted]
        if len(found) != 1:
            raise DatasetError(
                f'{dataset.root}: {key!r} has {"no" if not found else "more than one"} joint '
                f'{wanted!r}; the dataset has {names}, {robot.name} has '
                f'{list(robot.joint_names)}; give --joints.names JOINT NAME for those that are '
                'called something else')
        places.append(found[0])
    return places


def to_rad(values_NJ: np.ndarray, robot: RobotSpec, mapping: JointMapping,
           what: str) -> np.ndarray:
    """
    Return joint values in rad, or the unit of a joint that isn't revolute, float64.

    Raises DatasetError, naming joint and frame, for values that are not finite, and for those so
    far outside the limits that they must be in another unit.
    """
    values_NJ = values_NJ.astype(np.float64, order='C')
    for index, joint in enumerate(robot.joints):
        unit = mapping.gripper_unit if joint.gripper else mapping.unit
        column = values_NJ[:, index]
        if not np.isfinite(column).all():
            frame = int(np.argmin(np.isfinite(column)))
            raise DatasetError(f'{what}: joint {joint.name!r}, frame {frame}: {column[frame]} is '
                               'not a finite number')
        if unit == 'deg' and joint.unit != 'rad':
            raise DatasetError(f'{what}: joint {joint.name!r} is in {joint.unit}, not in degrees; '
                               "leave its unit at 'rad', which takes numbers as they are")
        width = joint.upper - joint.lower
        if unit != 'rad':
            column = (np.radians(column) if unit == 'deg'
                      else joint.lower + width * column / 100)
            values_NJ[:, index] = column
        low, high = column.min(), column.max()
        if low < joint.lower - width or high > joint.upper + width:
            raise DatasetError(
                f'{what}: joint {joint.name!r} goes from {low:.4g} to {high:.4g} '
                f'{_unit_name(unit, joint)}, far outside its limits [{joint.lower}, '
                f'{joint.upper}] {joint.unit}; is it in another unit (--joints.unit, '
                '--joints.gripper-unit)?')
    return values_NJ


def _unit_name(unit: GripperUnit, joint: JointSpec) -> str:
    return joint.unit if unit == 'rad' else f'{joint.unit} (from {unit})'
