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

"""The robot, described once: joints, cameras and controllers, chunk rate and horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
import hashlib
import json
from pathlib import Path

import numpy as np

from .arrays import frozen
from .camera import CameraSpec
from .controller import ControllerSpec, TRAJECTORY_CONTROLLER, TRAJECTORY_TOPIC
from .errors import SpecError
from .gripper import Finger
from .joint import JointSpec

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class RobotSpec:
    """
    Joints and cameras in order, chunk rate and horizon, and who plays trajectories.

    Without ``controllers``, one that has every joint listens to ``joint_trajectory``.
    ``joint_states_hz`` is what the joints' driver is expected to send at least; 0: not known.
    """

    name: str
    joints: tuple[JointSpec, ...]
    cameras: tuple[CameraSpec, ...]
    rate_hz: float
    horizon: int
    controllers: tuple[ControllerSpec, ...] = ()
    joint_states_hz: float = 0.0

    def __post_init__(self):
        for kind, parts in (('joint', self.joints), ('camera', self.cameras)):
            names = [part.name for part in parts]
            if not names:
                raise SpecError(f'robot {self.name!r} has no {kind}')
            if len(set(names)) != len(names):
                raise SpecError(f'robot {self.name!r}: a {kind} is named twice in {names}')
        driven = [finger.joint for finger in self.driven]
        if len(set(driven)) != len(driven):
            raise SpecError(f'robot {self.name!r}: two of its joints drive the same in {driven}')
        if not self.rate_hz > 0 or self.horizon < 2:
            raise SpecError(
                f'robot {self.name!r}: rate_hz must be above 0 (got {self.rate_hz}) and '
                f'horizon at least 2 (got {self.horizon})')
        self._check_controllers()

    def _check_controllers(self) -> None:
        topics = [controller.topic for controller in self.controllers]
        if len(set(topics)) != len(topics):
            raise SpecError(f'robot {self.name!r}: two controllers on one topic in {topics}')
        played = [name for controller in self.controllers for name in controller.joints]
        if self.controllers and sorted(played) != sorted(self.joint_names):
            raise SpecError(
                f'robot {self.name!r}: its controllers have the joints {played}, expected each '
                f'of {list(self.joint_names)} once')

    def only(self, joints: tuple[str, ...]) -> RobotSpec:
        """Return the robot as one of its controllers knows it: with these joints alone."""
        if joints == self.joint_names and not self.controllers:
            return self
        kept = {joint.name: joint for joint in self.joints}
        return replace(self, joints=tuple(kept[name] for name in joints), controllers=())

    @cached_property
    def parts(self) -> dict[str, RobotSpec]:
        """The robot as each of its controllers knows it, by the controller's topic."""
        return {group.topic: self.only(group.joints) for group in self.groups}

    @property
    def groups(self) -> tuple[ControllerSpec, ...]:
        """Who plays what of a trajectory, each on a topic of its own."""
        return self.controllers or (
            ControllerSpec(TRAJECTORY_CONTROLLER, TRAJECTORY_TOPIC, self.joint_names),)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    def on_topics(self, position_J: np.ndarray) -> dict[str, float]:
        """Return positions of the joints as topics name them: a gripper's fingers, not itself."""
        return {finger.joint: float(finger.factor * position)
                for joint, position in zip(self.joints, position_J) for finger in joint.driven}

    @property
    def commanded_names(self) -> tuple[str, ...]:
        """The joints as trajectories name them: of a gripper with fingers the first one."""
        return tuple(joint.driven[0].joint for joint in self.joints)

    @property
    def driven(self) -> tuple[Finger, ...]:
        """All joints as joint states name them."""
        return tuple(finger for joint in self.joints for finger in joint.driven)

    @property
    def input_topics(self) -> tuple[str, ...]:
        """What a policy listens to: images, joints, what it is told and what is commanded."""
        return (*(camera.topic for camera in self.cameras), 'joint_states', 'instruction',
                *(group.topic for group in self.groups))

    @property
    def step_ns(self) -> int:
        """Time between two steps of a chunk."""
        return round(NS_PER_S / self.rate_hz)

    @cached_property
    def is_gripper_J(self) -> np.ndarray:
        return frozen([joint.gripper for joint in self.joints])

    @cached_property
    def is_percent_J(self) -> np.ndarray:
        return frozen([joint.unit == 'percent' for joint in self.joints])

    @cached_property
    def has_distance_J(self) -> np.ndarray:
        """
        Which joints an error in rad is the mean of: those in rad and, as metres, in m.

        Percent of a device's range don't go with them; where all joints are in percent, all do.
        """
        return frozen(self.is_percent_J if self.is_percent_J.all() else ~self.is_percent_J)

    @cached_property
    def lower_J(self) -> np.ndarray:
        return frozen([joint.lower for joint in self.joints])

    @cached_property
    def upper_J(self) -> np.ndarray:
        return frozen([joint.upper for joint in self.joints])

    @cached_property
    def velocity_J(self) -> np.ndarray:
        return frozen([joint.velocity for joint in self.joints])

    @cached_property
    def acceleration_J(self) -> np.ndarray:
        return frozen([joint.acceleration for joint in self.joints])

    def camera(self, name: str) -> CameraSpec:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise SpecError(
            f'robot {self.name!r} has no camera {name!r}; '
            f'it has {[camera.name for camera in self.cameras]}')

    def to_dict(self) -> dict:
        """
        Plain data, the form kept in a checkpoint's ``config.json``.

        What is as for any other robot is left out.
        """
        plain = {'name': self.name, 'joints': [joint.to_dict() for joint in self.joints],
                 'cameras': [camera.to_dict() for camera in self.cameras],
                 'rate_hz': self.rate_hz, 'horizon': self.horizon}
        if self.controllers:
            plain['controllers'] = [controller.to_dict() for controller in self.controllers]
        if self.joint_states_hz:
            plain['joint_states_hz'] = self.joint_states_hz
        return plain

    @classmethod
    def from_dict(cls, data: Mapping) -> RobotSpec:
        try:
            return cls(
                name=data['name'], rate_hz=float(data['rate_hz']), horizon=int(data['horizon']),
                joints=tuple(JointSpec.from_dict(joint) for joint in data['joints']),
                cameras=tuple(CameraSpec.from_dict(camera) for camera in data['cameras']),
                controllers=tuple(ControllerSpec(each['name'], each['topic'],
                                                 tuple(each['joints']))
                                  for each in data.get('controllers', ())),
                joint_states_hz=float(data.get('joint_states_hz', 0.0)))
        except (KeyError, TypeError) as error:
            raise SpecError(f'not a robot description: {error}') from error

    @classmethod
    def from_yaml(cls, path: str | Path) -> RobotSpec:
        """
        Read ``config/robots/*.yaml``, and the URDF it names; doc/reference/robot.md has every key.

        Raises SpecError, with file, line and what to write instead, for all that is wrong.
        """
        from .robot_file import read_robot_file
        return read_robot_file(path).robot

    @property
    def content_hash(self) -> str:
        """
        First 16 hex digits of the SHA-256 of what recordings and policies depend on.

        Limits are left out: a robot that is slowed down is the same robot. So are the rates that
        are expected of its sensors.
        """
        joints = [(joint.name, joint.gripper, *([joint.kind] if joint.kind else []))
                  for joint in self.joints]
        plain = self.to_dict()
        plain.pop('joint_states_hz', None)
        for camera in plain['cameras']:
            camera.pop('rate_hz', None)
        text = json.dumps({**plain, 'joints': joints}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def make_example(cls) -> RobotSpec:
        return cls(
            name='example', rate_hz=10.0, horizon=8,
            joints=(JointSpec('shoulder', -2.0, 2.0, 3.0, 60.0),
                    JointSpec('elbow', -1.5, 1.5, 3.0, 60.0),
                    JointSpec('gripper', 0.0, 1.0, 3.0, 60.0, gripper=True)),
            cameras=(CameraSpec('front', 'front/image_raw', 64, 48),))
