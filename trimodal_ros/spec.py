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
What crosses rooms: the robot, what it observes and the motion it is to make.

Shape suffixes: T steps of a chunk, J joints in spec order, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
import hashlib
import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import yaml

NS_PER_S = 1_000_000_000


class SpecError(ValueError):
    """A value that does not fit the robot it is meant for."""


@dataclass(frozen=True)
class JointSpec:
    """One position-controlled joint; limits in rad, rad/s and rad/s^2."""

    name: str
    lower_rad: float
    upper_rad: float
    velocity_rad_s: float
    acceleration_rad_s2: float
    gripper: bool = False

    def __post_init__(self):
        if not self.lower_rad < self.upper_rad:
            raise SpecError(
                f'joint {self.name!r}: lower_rad {self.lower_rad} is not below '
                f'upper_rad {self.upper_rad}')
        for name in ('velocity_rad_s', 'acceleration_rad_s2'):
            if not getattr(self, name) > 0:
                raise SpecError(f'joint {self.name!r}: {name} must be above 0')


@dataclass(frozen=True)
class CameraSpec:
    """One camera: the topic it arrives on and the size, in pixels, the policy sees."""

    name: str
    topic: str
    width: int
    height: int

    def __post_init__(self):
        if self.width < 8 or self.height < 8:
            raise SpecError(f'camera {self.name!r}: {self.width}x{self.height} px is under 8x8')


@dataclass(frozen=True)
class RobotSpec:
    """The robot, described once: joints and cameras in order, chunk rate and horizon."""

    name: str
    joints: tuple[JointSpec, ...]
    cameras: tuple[CameraSpec, ...]
    rate_hz: float
    horizon: int

    def __post_init__(self):
        for kind, parts in (('joint', self.joints), ('camera', self.cameras)):
            names = [part.name for part in parts]
            if not names:
                raise SpecError(f'robot {self.name!r} has no {kind}')
            if len(set(names)) != len(names):
                raise SpecError(f'robot {self.name!r}: a {kind} is named twice in {names}')
        if not self.rate_hz > 0 or self.horizon < 2:
            raise SpecError(
                f'robot {self.name!r}: rate_hz must be above 0 (got {self.rate_hz}) and '
                f'horizon at least 2 (got {self.horizon})')

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def step_ns(self) -> int:
        """Time between two steps of a chunk."""
        return round(NS_PER_S / self.rate_hz)

    @property
    def is_gripper_J(self) -> np.ndarray:
        return np.array([joint.gripper for joint in self.joints])

    @property
    def lower_J(self) -> np.ndarray:
        return np.array([joint.lower_rad for joint in self.joints])

    @property
    def upper_J(self) -> np.ndarray:
        return np.array([joint.upper_rad for joint in self.joints])

    @property
    def velocity_J(self) -> np.ndarray:
        return np.array([joint.velocity_rad_s for joint in self.joints])

    @property
    def acceleration_J(self) -> np.ndarray:
        return np.array([joint.acceleration_rad_s2 for joint in self.joints])

    def camera(self, name: str) -> CameraSpec:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise SpecError(
            f'robot {self.name!r} has no camera {name!r}; '
            f'it has {[camera.name for camera in self.cameras]}')

    def to_dict(self) -> dict:
        """Plain data, the form kept in a checkpoint's ``config.json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping) -> RobotSpec:
        try:
            return cls(
                name=data['name'], rate_hz=float(data['rate_hz']), horizon=int(data['horizon']),
                joints=tuple(JointSpec(**joint) for joint in data['joints']),
                cameras=tuple(CameraSpec(**camera) for camera in data['cameras']))
        except (KeyError, TypeError) as error:
            raise SpecError(f'not a robot description: {error}') from error

    @classmethod
    def from_yaml(cls, path: str | Path) -> RobotSpec:
        """Read ``config/robots/*.yaml``; an unknown or missing key is named in the error."""
        try:
            data = yaml.safe_load(Path(path).read_text())
        except yaml.YAMLError as error:
            raise SpecError(f'{path} is not YAML: {error}') from error
        expected = {'robot', 'rate_hz', 'horizon', 'joints', 'cameras'}
        if not isinstance(data, dict) or set(data) != expected:
            found = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise SpecError(f'{path}: expected the keys {sorted(expected)}, got {found}')
        cameras = [{'name': name, **camera} for name, camera in data['cameras'].items()]
        try:
            return cls.from_dict({**data, 'name': data['robot'], 'cameras': cameras})
        except SpecError as error:
            raise SpecError(f'{path}: {error}') from error

    @property
    def content_hash(self) -> str:
        """
        First 16 hex digits of the SHA-256 of what recordings and policies depend on.

        Limits are left out: a robot that is slowed down is the same robot.
        """
        joints = [(joint.name, joint.gripper) for joint in self.joints]
        text = json.dumps({**self.to_dict(), 'joints': joints}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def make_example(cls) -> RobotSpec:
        return cls(
            name='example', rate_hz=10.0, horizon=8,
            joints=(JointSpec('shoulder', -2.0, 2.0, 3.0, 60.0),
                    JointSpec('elbow', -1.5, 1.5, 3.0, 60.0),
                    JointSpec('gripper', 0.0, 1.0, 3.0, 60.0, gripper=True)),
            cameras=(CameraSpec('front', 'front/image_raw', 64, 48),))


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.view()
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Observation:
    """
    What the robot saw and felt at one moment.

    ``stamp_ns`` is the capture time of the oldest image; ``images`` are RGB uint8 [H, W, 3] in
    the sizes of the spec; ``position_J`` is measured and ``command_J`` the position commanded at
    ``stamp_ns`` (the measured one while nothing has been commanded), both in rad;
    ``stamps_ns`` keeps the header stamp of every input.
    """

    robot: RobotSpec
    stamp_ns: int
    images: Mapping[str, np.ndarray]
    position_J: np.ndarray
    command_J: np.ndarray
    instruction: str
    stamps_ns: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self):
        for camera in self.robot.cameras:
            self._check_image(camera)
        for name in ('position_J', 'command_J'):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            _check_joints(self.robot, name, value)
            object.__setattr__(self, name, _frozen(value))
        images = {camera.name: _frozen(self.images[camera.name]) for camera in self.robot.cameras}
        object.__setattr__(self, 'images', MappingProxyType(images))
        object.__setattr__(self, 'stamps_ns', MappingProxyType(dict(self.stamps_ns)))

    def _check_image(self, camera: CameraSpec) -> None:
        image = self.images.get(camera.name)
        expected = (camera.height, camera.width, 3)
        if image is None or image.shape != expected or image.dtype != np.uint8:
            got = 'none' if image is None else f'{image.dtype} {image.shape}'
            raise SpecError(f'camera {camera.name!r}: expected uint8 {expected}, got {got}')

    @classmethod
    def make_example(cls, robot: RobotSpec | None = None, seed: int = 0) -> Observation:
        robot = robot or RobotSpec.make_example()
        rng = np.random.default_rng(seed)
        images = {c.name: rng.integers(0, 256, (c.height, c.width, 3), np.uint8)
                  for c in robot.cameras}
        middle_J = (robot.lower_J + robot.upper_J) / 2
        return cls(robot, NS_PER_S, images, middle_J, middle_J, 'put the red cube on the plate')


@dataclass(frozen=True, eq=False)
class Trajectory:
    """
    A planned motion: positions in rad at ``stamp_ns + time_s_T``, joints in spec order.

    Times strictly increase; ``velocity_TJ`` (rad/s) may be None. Non-finite values are refused.
    ``alignment`` says how well the plan lies with what was seen and said: cosines by name.
    """

    robot: RobotSpec
    stamp_ns: int
    time_s_T: np.ndarray
    position_TJ: np.ndarray
    velocity_TJ: np.ndarray | None = None
    alignment: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        time_s_T = np.asarray(self.time_s_T, dtype=np.float64)
        if time_s_T.ndim != 1 or len(time_s_T) == 0:
            raise SpecError(f'a trajectory needs at least one step, got times {time_s_T.shape}')
        if not np.all(np.diff(time_s_T) > 0) or not np.all(np.isfinite(time_s_T)):
            raise SpecError('trajectory times are not finite and strictly increasing')
        object.__setattr__(self, 'time_s_T', _frozen(time_s_T))
        object.__setattr__(self, 'alignment', MappingProxyType(dict(self.alignment)))
        for name in ('position_TJ', 'velocity_TJ'):
            value = getattr(self, name)
            if value is None and name == 'velocity_TJ':
                continue
            value = np.asarray(value, dtype=np.float64)
            if value.shape != (len(time_s_T), len(self.robot.joints)):
                raise SpecError(f'{name} has shape {value.shape}, expected '
                                f'({len(time_s_T)}, {len(self.robot.joints)})')
            if not np.isfinite(value).all():
                for step in value:
                    _check_joints(self.robot, name, step)
            object.__setattr__(self, name, _frozen(value))

    @classmethod
    def make_example(cls, robot: RobotSpec | None = None) -> Trajectory:
        robot = robot or RobotSpec.make_example()
        time_s_T = (1 + np.arange(robot.horizon)) / robot.rate_hz
        middle_J = (robot.lower_J + robot.upper_J) / 2
        return cls(robot, NS_PER_S, time_s_T, np.tile(middle_J, (robot.horizon, 1)))


def _check_joints(robot: RobotSpec, what: str, value_J: np.ndarray) -> None:
    if value_J.shape != (len(robot.joints),):
        raise SpecError(f'{what} has shape {value_J.shape}, expected ({len(robot.joints)},)')
    for joint, value in zip(robot.joints, value_J):
        if not np.isfinite(value):
            raise SpecError(f'{what}: joint {joint.name!r} is {value}, not a finite number')
