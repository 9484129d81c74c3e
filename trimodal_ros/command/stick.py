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
What a person's stick asks for: axes and buttons of a sensor_msgs/Joy, named by a YAML.

``config/teleop.yaml`` explains its keys.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType, Sequence
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np
import yaml

from ..paths import share_dir
from ..spec import RobotSpec, SpecError

MAX_CONTROLS = 256   # axes, or buttons, of a Joy
TWIST = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
KEYS = {'rest', 'deadman', 'next_mode', 'gripper', 'joint', 'cartesian'}


class StickError(ValueError):
    """A Joy that cannot be what a person's hand does, or not that of the device expected."""


@dataclass(frozen=True)
class Control:
    """One axis, or a button that asks for 1 and one that asks for -1, times ``scale``."""

    axis: int | None = None
    buttons: tuple[int, int] | None = None
    scale: float = 1.0

    def __post_init__(self):
        if (self.axis is None) == (self.buttons is None):
            raise SpecError("expected either 'axis' or 'buttons'")
        if self.buttons is None and not _is_index(self.axis):
            raise SpecError(f'axis {self.axis!r}: expected a whole number from 0 on')
        if self.axis is None and (len(self.buttons) != 2 or not all(map(_is_index, self.buttons))):
            raise SpecError(f'buttons {list(self.buttons)}: expected two whole numbers from 0 on')
        if not isinstance(self.scale, (int, float)) or not 0 < abs(self.scale) <= 1:
            raise SpecError(f'scale {self.scale}: expected -1 to 1, and not 0')

    def read(self, axes: Sequence[float], buttons: Sequence[int], rest: float) -> float:
        """Return -1 to 1; 0 where an axis is nearer than ``rest`` to its middle."""
        if self.axis is None:
            plus, minus = self.buttons
            return self.scale * (bool(buttons[plus]) - bool(buttons[minus]))
        value = axes[self.axis]
        beyond = max(0.0, abs(value) - rest) / (1 - rest)
        return self.scale * math.copysign(beyond, value) if beyond else 0.0


@dataclass(frozen=True, eq=False)
class Stick:
    """
    What is asked for, as shares of full speed.

    ``joint_J`` in joint space, ``twist_6`` of the tool (x, y, z, roll, pitch, yaw),
    ``gripper_J`` of the grippers in every mode. ``deadman`` is None where there is none.
    """

    joint_J: np.ndarray
    twist_6: np.ndarray
    gripper_J: np.ndarray
    deadman: bool | None = None
    next_mode: bool = False


class Mapping:
    """Which axis and button means what, for one robot."""

    def __init__(self, robot: RobotSpec, data: MappingType):
        if not isinstance(data, dict) or set(data) != KEYS:
            found = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise SpecError(f'expected the keys {sorted(KEYS)}, got {found}; write null '
                            'for what you do without')
        self.rest = data['rest']
        if not isinstance(self.rest, (int, float)) or not 0 <= self.rest < 1:
            raise SpecError(f'rest {self.rest}: expected 0 to below 1')
        self.robot = robot
        self.deadman = _button(data, 'deadman')
        self.next_mode = _button(data, 'next_mode')
        self.gripper = _control(data, 'gripper')
        arm = [joint.name for joint in robot.joints if not joint.gripper]
        self.joint = _controls(data, 'joint', arm)
        self.cartesian = _controls(data, 'cartesian', TWIST)
        self._axes, self._buttons = self._sizes()

    @classmethod
    def from_yaml(cls, path: str | Path, robot: RobotSpec) -> Mapping:
        """Read a file like ``config/teleop.yaml``; raises SpecError naming file and entry."""
        try:
            return cls(robot, yaml.safe_load(Path(path).read_text()))
        except yaml.YAMLError as error:
            raise SpecError(f'{path} is not YAML: {error}') from error
        except SpecError as error:
            raise SpecError(f'{path}: {error}') from error

    def read(self, axes: Sequence[float], buttons: Sequence[int]) -> Stick:
        """
        Return what a Joy's axes and buttons ask for.

        Raises StickError where there are fewer than the mapping names, for more than
        MAX_CONTROLS, and for an axis that is not a number from -1 to 1.
        """
        self._check(axes, buttons)
        robot = self.robot
        gripper = self.gripper.read(axes, buttons, self.rest) if self.gripper else 0.0
        return Stick(
            np.array([self._read(self.joint.get(name), axes, buttons)
                      for name in robot.joint_names]),
            np.array([self._read(self.cartesian.get(name), axes, buttons) for name in TWIST]),
            gripper * robot.is_gripper_J,
            None if self.deadman is None else bool(buttons[self.deadman]),
            self.next_mode is not None and bool(buttons[self.next_mode]))

    def _read(self, control: Control | None, axes, buttons) -> float:
        return 0.0 if control is None else control.read(axes, buttons, self.rest)

    def _sizes(self) -> tuple[int, int]:
        """Return how many axes and buttons are named."""
        controls = [*self.joint.values(), *self.cartesian.values()]
        controls += [self.gripper] if self.gripper else []
        buttons = [self.deadman, self.next_mode]
        for control in controls:
            buttons += control.buttons or ()
        axes = [control.axis for control in controls]
        return tuple(1 + max((index for index in indices if index is not None), default=-1)
                     for indices in (axes, buttons))

    def _check(self, axes, buttons) -> None:
        for what, got, needed in (('axes', len(axes), self._axes),
                                  ('buttons', len(buttons), self._buttons)):
            if got > MAX_CONTROLS:
                raise StickError(f'{got} {what}, at most {MAX_CONTROLS} are taken')
            if got < needed:
                raise StickError(f'{got} {what}, the mapping names {needed}; '
                                 'is it of this device?')
        for index, value in enumerate(axes):
            if not abs(value) <= 1 + 1e-6:  # neither is NaN
                raise StickError(f'axis {index} is {value}, expected -1 to 1')


def _is_index(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _button(data: dict, name: str) -> int | None:
    index = data[name]
    if index is not None and not _is_index(index):
        raise SpecError(f'{name} {index!r}: expected the number of a button, or null for none')
    return index


def _control(data: dict, name: str) -> Control | None:
    given = data[name]
    if given is None:
        return None
    try:
        buttons = given.get('buttons')
        return Control(**{**given, **({'buttons': tuple(buttons)} if buttons else {})})
    except (TypeError, AttributeError) as error:
        raise SpecError(f'{name}: expected axis or buttons, and scale, got {given}') from error
    except SpecError as error:
        raise SpecError(f'{name}: {error}') from error


def _controls(data: dict, name: str, known: Sequence[str]) -> dict[str, Control]:
    given = data[name] or {}
    unknown = sorted(set(given) - set(known)) if isinstance(given, dict) else [given]
    if unknown:
        raise SpecError(f'{name}: {unknown} unknown, expected some of {list(known)}')
    return {key: control for key in given
            if (control := _control(given, key)) is not None}


def mapping_file(name: str) -> Path:
    """Return the file that a mapping's name is of. Raises ValueError where there is none."""
    for path in (share_dir() / 'config' / name, Path(name)):
        if path.is_file():
            return path
    raise ValueError(f"mapping: there is no file {name!r}; expected one of yours, "
                     "'teleop.yaml' for a gamepad or 'keyboard.yaml' for keys")
