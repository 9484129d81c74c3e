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
The keys of a robot YAML, what each takes, and which there must be.

doc/reference/robot.md explains them; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
import math
from typing import NamedTuple

from .camera import ROTATIONS_DEG
from .joint import limit_key, LIMIT_KEYS, LIMITS, UNITS
from .located import Located, Place

GRIPPER_KINDS = ('position', 'parallel', 'binary')


class Key(NamedTuple):
    """What a key takes: ``takes`` tells whether a value will do, ``expected`` says it."""

    takes: Callable[[object], bool]
    expected: str
    required: bool = False


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(least: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_name(value) -> bool:
    return isinstance(value, str) and bool(value.strip('/ ')) and not set(value) & set(' \n\t')


def _is_crop(value) -> bool:
    return (isinstance(value, list) and len(value) == 4 and all(map(_is_whole(0), value))
            and min(value[2:]) >= 1)


def _is_fingers(value) -> bool:
    return isinstance(value, dict) and bool(value) and all(
        _is_name(joint) and is_number(factor) and factor for joint, factor in value.items())


NAME = Key(_is_name, 'a name without blanks', True)
TOPIC = Key(lambda value: _is_name(value) and not value.endswith('/'), 'the name of a topic', True)
ABOVE_0 = Key(lambda value: is_number(value) and value > 0, 'a number above 0')
SHARE = Key(lambda value: is_number(value) and 0 < value < 1, 'a share of the way, 0 to 1')
NUMBER = Key(is_number, 'a number')
PIXELS = Key(_is_whole(8), 'whole pixels, at least 8', True)

ROBOT_KEYS = {
    'robot': NAME,
    'urdf': Key(lambda value: isinstance(value, str) and bool(value),
                'a file beside this one, or package://PACKAGE/FILE'),
    'rate_hz': ABOVE_0._replace(required=True),
    'horizon': Key(_is_whole(2), 'whole steps, at least 2', True),
    'joint_states_hz': ABOVE_0,
    'joints': Key(lambda value: isinstance(value, list) and bool(value), 'a list of joints', True),
    'controllers': Key(lambda value: isinstance(value, dict) and bool(value),
                       'controllers by name'),
    'cameras': Key(lambda value: isinstance(value, dict) and bool(value), 'cameras by name', True),
}
JOINT_KEYS = {
    'name': NAME,
    **{limit_key(limit, unit): NUMBER if limit in ('lower', 'upper') else ABOVE_0
       for unit in UNITS for limit in LIMITS},
    'gripper': Key(lambda value: isinstance(value, bool) or value in GRIPPER_KINDS,
                   'true, position, parallel or binary'),
    'fingers': Key(_is_fingers, 'joints with their factor, such as {finger_joint: 0.5}'),
    **{f'{end}_{unit}': NUMBER for unit in UNITS for end in ('open', 'closed')},
    'close_below': SHARE, 'open_above': SHARE,
}
CONTROLLER_KEYS = {
    'topic': TOPIC,
    'joints': Key(lambda value: isinstance(value, list) and all(map(_is_name, value)),
                  'a list of names from joints', True),
}
CAMERA_KEYS = {
    'topic': TOPIC, 'width': PIXELS, 'height': PIXELS,
    'crop_px': Key(_is_crop, '[x, y, width, height] in whole pixels of the image that comes'),
    'rotation_deg': Key(lambda value: type(value) is int and value in ROTATIONS_DEG,
                        '0, 90, 180 or 270 (clockwise)'),
    'compressed': Key(lambda value: isinstance(value, bool), 'true or false'),
    'rate_hz': ABOVE_0,
}
END_KEYS = {f'{end}_{unit}': (end, unit) for unit in UNITS for end in ('open', 'closed')}
UNIT_OF = {**{key: unit for key, (_, unit) in LIMIT_KEYS.items()},
           **{key: unit for key, (_, unit) in END_KEYS.items()}}


def check_keys(file: Located, place: Place, what: str, keys: Mapping[str, Key]) -> dict:
    """Return the values at a place that will do; faults are noted for all others."""
    value = at(file, place)
    if not isinstance(value, dict):
        file.fault(place, f'{what}: got {value!r}, expected a mapping with the keys '
                          f'{", ".join(keys)}')
        return {}
    for key in value:
        if key not in keys:
            file.fault((*place, key), f'{what}: unknown key {key!r}, expected one of '
                                      f'{", ".join(keys)}{_meant(key, keys)}')
    for key, takes in keys.items():
        if takes.required and key not in value:
            file.fault(place, f'{what}: {key} is missing, expected {takes.expected}; add it')
    known = {key: inside for key, inside in value.items() if key in keys}
    for key in [key for key, inside in known.items() if not keys[key].takes(inside)]:
        got = known.pop(key)
        file.fault((*place, key), f'{what}: {key}: got {"nothing" if got is None else repr(got)}, '
                                  f'expected {keys[key].expected}'
                                  f'{"; fill it in" if got is None else ""}')
    return known


def at(file: Located, place: Place):
    """Return what is at a place."""
    value = file.data
    for key in place:
        value = value[key]
    return value


def _meant(key, keys) -> str:
    close = get_close_matches(str(key), keys, n=1)
    return f'; did you mean {close[0]!r}?' if close else '; remove it'
