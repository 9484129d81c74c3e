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

"""The joints of a first robot YAML: what the URDF tells of them, the rest to be filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import math
from xml.etree.ElementTree import Element

from ..errors import SpecError
from ..gripper import Finger
from ..joint import limit_key, LIMITS, Unit
from ..urdf import urdf_limits, UrdfLimits
from ..urdf_file import joints_of, read_urdf

GRIPPERS = ('gripper', 'finger', 'jaw', 'hand', 'knuckle')
CAUTIOUS = {'rad': 5.0, 'm': 0.5}   # rad/s^2, m/s^2
GUESS = 'CHECK: a cautious guess; the datasheet, or joint_limits.yaml of MoveIt'


def urdf_elements(description: str) -> tuple[dict[str, Element], str]:
    """Return the joints of a URDF and its robot's name; none and a name to fill in without one."""
    if not description:
        return {}, 'robot    # FILL IN: what it is called'
    root = read_urdf(description)
    return joints_of(root), '_'.join(root.get('name', 'robot').split())


def joint_lines(names: Sequence[str], elements: Mapping[str, Element]) -> list[str]:
    """
    Return a line for each joint; a finger that others mimic is their width.

    A joint that the URDF hasn't, or whose limits there can't be used, is to be filled in.
    """
    return [_line(name, elements) for name in names]


def _line(name: str, elements: Mapping[str, Element]) -> str:
    fingers = _fingers(name, elements)
    parts = [f'name: {name}']
    if len(fingers) > 1:
        told = ', '.join(f'{finger.joint}: {finger.factor:g}' for finger in fingers)
        parts.append(f'gripper: parallel, fingers: {{{told}}}')
    elif any(word in name.lower() for word in GRIPPERS):
        parts.append('gripper: true')
    given, remarks = _limits(name, fingers, elements)
    if len(fingers) > 1:
        remarks.append('CHECK: the width between the fingers; call it as you like')
    comment = f'    # {"; ".join(remarks)}' if remarks else ''
    return f'  - {{{", ".join([*parts, *given])}}}{comment}'


def _fingers(name: str, elements: Mapping[str, Element]) -> list[Finger]:
    """Return a joint, and those that mimic it in metres: fingers at half the width each."""
    element = elements.get(name)
    if element is None or element.get('type') != 'prismatic':
        return [Finger(name, 1.0)]
    mimics = [(other, joint.find('mimic')) for other, joint in elements.items()
              if joint.find('mimic') is not None and joint.find('mimic').get('joint') == name]
    if not mimics:
        return [Finger(name, 1.0)]
    return [Finger(name, 0.5), *(Finger(other, 0.5 * float(mimic.get('multiplier', '1')))
                                 for other, mimic in mimics)]


def _limits(name: str, fingers: Sequence[Finger],
            elements: Mapping[str, Element]) -> tuple[list[str], list[str]]:
    """Return the limits that have to be written, and what to say of them."""
    if not elements:
        return _unknown('rad'), [
            "FILL IN: the datasheet's limits (of a prismatic joint lower_m and so on)"]
    try:
        return _open(urdf_limits(elements, name, fingers))
    except SpecError as error:
        element = elements.get(name)
        is_linear = element is not None and element.get('type') == 'prismatic'
        return _unknown('m' if is_linear else 'rad'), [f'FILL IN: {" ".join(str(error).split())}']


def _unknown(unit: Unit) -> list[str]:
    return [f'{limit_key(limit, unit)}: ' for limit in LIMITS]


def _open(limits: UrdfLimits) -> tuple[list[str], list[str]]:
    """Return keys that the URDF leaves open, and what to say of them."""
    given, remarks = [], []
    for limit in LIMITS:
        value, key = getattr(limits, limit), limit_key(limit, limits.unit)
        if value is not None and math.isfinite(value):
            continue
        if limit == 'acceleration':
            given.append(f'{key}: {CAUTIOUS[limits.unit]}')
            remarks.append(GUESS)
        else:
            given.append(f'{key}: ')
            remarks.append(f'FILL IN: {key}, which the URDF leaves open')
    return given, remarks
