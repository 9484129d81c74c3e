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

"""One position-controlled joint, with its limits in the unit that it moves in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import get_args, Literal

from .errors import SpecError
from .gripper import Binary, Finger

Unit = Literal['rad', 'm', 'percent']  # revolute, prismatic, a share of a device's own range
UNITS: tuple[Unit, ...] = get_args(Unit)
LIMITS = {'lower': '', 'upper': '', 'velocity': '/s', 'acceleration': '/s^2'}  # per


def limit_key(limit: str, unit: Unit) -> str:
    """
    Return what a limit is called in a YAML and in a checkpoint.

    >>> limit_key('lower', 'rad'), limit_key('velocity', 'm'), limit_key('acceleration', 'rad')
    ('lower_rad', 'velocity_m_s', 'acceleration_rad_s2')
    """
    return f'{limit}_{unit}{LIMITS[limit].replace("/", "_").replace("^", "")}'


LIMIT_KEYS = {limit_key(limit, unit): (limit, unit) for unit in UNITS for limit in LIMITS}


@dataclass(frozen=True)
class JointSpec:
    """
    One position-controlled joint; limits in its ``unit``, a second and a second squared.

    A gripper with ``fingers`` is called ``name`` by the policy only: on topics there are its
    fingers. One with ``binary`` is commanded open or closed and nothing else.
    """

    name: str
    lower: float
    upper: float
    velocity: float
    acceleration: float
    gripper: bool = False
    unit: Unit = 'rad'
    fingers: tuple[Finger, ...] = ()
    binary: Binary | None = None

    def __post_init__(self):
        if self.unit not in UNITS:
            raise SpecError(f'joint {self.name!r}: unit {self.unit!r} is not one of {UNITS}')
        if not self.lower < self.upper:
            raise SpecError(f'joint {self.name!r}: {self._key("lower")} {self.lower} is not '
                            f'below {self._key("upper")} {self.upper}')
        for limit in ('velocity', 'acceleration'):
            if not getattr(self, limit) > 0:
                raise SpecError(f'joint {self.name!r}: {self._key(limit)} must be above 0')
        if (self.fingers or self.binary) and not self.gripper:
            raise SpecError(f'joint {self.name!r} is no gripper and has fingers or is binary')
        for position in (self.binary.open, self.binary.closed) if self.binary else ():
            if not self.lower <= position <= self.upper:
                raise SpecError(f'joint {self.name!r}: its gripper is open or closed at '
                                f'{position} {self.unit}, outside [{self.lower}, {self.upper}]')

    def _key(self, limit: str) -> str:
        return limit_key(limit, self.unit)

    @cached_property
    def driven(self) -> tuple[Finger, ...]:
        """The joints on topics that this one stands for; the first one is commanded."""
        return self.fingers or (Finger(self.name, 1.0),)

    @property
    def kind(self) -> str:
        """What the policy and a recording see of it, beyond its name: '' for a revolute joint."""
        return '' if self.unit == 'rad' and not self.fingers and not self.binary else repr(
            (self.unit, self.fingers, self.binary))

    def to_dict(self) -> dict:
        """Plain data: what is as for any other joint is left out."""
        limits = {self._key(limit): getattr(self, limit) for limit in LIMITS}
        plain = {'name': self.name, **limits, 'gripper': self.gripper}
        if self.fingers:
            plain['fingers'] = {finger.joint: finger.factor for finger in self.fingers}
        if self.binary:
            plain['binary'] = dict(vars(self.binary))
        return plain

    @classmethod
    def from_dict(cls, data: Mapping) -> JointSpec:
        """Return the joint of ``to_dict``. Raises SpecError for limits in more than one unit."""
        limits = {LIMIT_KEYS[key][0]: value for key, value in data.items() if key in LIMIT_KEYS}
        units = {LIMIT_KEYS[key][1] for key in data if key in LIMIT_KEYS}
        if len(units) != 1:
            raise SpecError(f'joint {data.get("name")!r}: limits in {sorted(units) or "no unit"}, '
                            f'expected all in one of {UNITS}')
        others = {key: value for key, value in data.items() if key not in LIMIT_KEYS}
        fingers = others.pop('fingers', None) or {}
        binary = others.pop('binary', None)
        return cls(**others, **limits, unit=units.pop(), fingers=tuple(
            Finger(joint, float(factor)) for joint, factor in fingers.items()),
            binary=Binary(**binary) if binary else None)
