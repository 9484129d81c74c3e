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
The newest sample of every input, joined as-of the camera.

The live node, the simulator and the reader of bags feed the same Observer, so that one moment
is one Observation wherever it is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .freshness import Freshness
from .image import check_layout, decode_image, ImageError, same_pixels
from .instruction import normalize_instruction
from .joints import JointHistory, JointSample
from .stamp import stamp_ns
from ..spec import CameraSpec, NS_PER_S, Observation, RobotSpec

IMAGE_HISTORY = 4
MAX_AHEAD_S = 0.05  # of a stamp: clocks of two machines are never quite the same
PLAINLY_CLOSER_S = 0.005  # free cameras' jitter is less, a period more
CommandedAt = Callable[[int], 'np.ndarray | None']
Fault = Literal['missing', 'stale', 'frozen', 'unreadable', 'skewed']


class NotReady(Exception):
    """
    No observation can be made now.

    ``what`` names the input and stays the same while the reason's numbers change; ``fault`` is
    the kind of thing that is wrong with it.
    """

    def __init__(self, what: str, reason: str = '', fault: Fault = 'missing'):
        super().__init__(f'{what}: {reason}' if reason else what)
        self.what, self.reason, self.fault = what, reason, fault


@dataclass(frozen=True)
class Sample:
    """An image as it came; ``same_since_ns`` is the stamp of the first one with its pixels."""

    stamp_ns: int
    received_ns: int
    same_since_ns: int
    message: object


@dataclass(frozen=True, eq=False)
class Joined:
    """Inputs that belong together; ``observation`` decodes the images, which takes time."""

    robot: RobotSpec
    stamp_ns: int
    samples: Mapping[str, Sample]
    joint_stamp_ns: int
    position_J: np.ndarray
    command_J: np.ndarray
    instruction: str

    @property
    def received_ns(self) -> int:
        """When the last of the images had come."""
        return max(sample.received_ns for sample in self.samples.values())

    def observation(self) -> Observation:
        """Return the Observation. Raises ImageError when an image cannot be read."""
        images = {camera.name: decode_image(self.samples[camera.name].message, camera)
                  for camera in self.robot.cameras}
        stamps_ns = {name: sample.stamp_ns for name, sample in self.samples.items()}
        return Observation(
            robot=self.robot, stamp_ns=self.stamp_ns, images=images, position_J=self.position_J,
            command_J=self.command_J, instruction=self.instruction,
            stamps_ns={**stamps_ns, 'joints': self.joint_stamp_ns})


class Observer:
    """Stores messages as they arrive; ``observe`` joins them. Single-threaded: lock outside."""

    def __init__(self, robot: RobotSpec, freshness: Freshness | None = None):
        self.robot = robot
        self.freshness = freshness or Freshness()
        self.freshness.check_streams(robot)
        self.instruction = ''
        self._images = {camera.name: deque(maxlen=IMAGE_HISTORY) for camera in robot.cameras}
        self._joints = JointHistory(robot)
        self.counts = dict.fromkeys([*self._images, 'joints'], 0)  # of all that ever came
        self._wrong = dict.fromkeys(self._images, '')  # what is wrong with the newest of each

    def add_image(self, camera: str, message, received_ns: int | None = None) -> None:
        """
        Keep an image; it is decoded when observed. Received when stamped, unless told.

        Raises ImageError for one that can't be read, and then keeps nothing; nothing is observed
        until a good one has come.
        """
        images, stamp = self._images[camera], stamp_ns(message.header.stamp)
        self.counts[camera] += 1
        self._wrong[camera] = ''
        try:
            check_layout(message, camera)
        except ImageError as error:
            self._wrong[camera] = str(error)
            raise
        same = any(same_pixels(image.message.data, message.data) for image in images)
        images.append(Sample(stamp, stamp if received_ns is None else received_ns,
                             images[-1].same_since_ns if same else stamp, message))

    def is_from_before(self, camera: str, message) -> bool:
        """Tell whether an image is so much older than the newest that the clock jumped back."""
        images = self._images[camera]
        back_ns = images[-1].stamp_ns - stamp_ns(message.header.stamp) if images else 0
        return back_ns > self.freshness.max_age_s * NS_PER_S

    def add_joints(self, message) -> None:
        """
        Keep a joint state, of all joints or some. Raises JointStateError, and then keeps nothing.

        After one with values that can't be, nothing is observed until good ones have come.
        """
        self.counts['joints'] += 1
        self._joints.add(message)

    def set_instruction(self, text: str) -> None:
        """Set what the robot is told to do. Raises InstructionError, the old one stays."""
        self.instruction = normalize_instruction(text)

    def clear(self) -> None:
        """Forget images and joints, after a clock jump or between episodes."""
        for images in self._images.values():
            images.clear()
        self._joints.clear()

    @property
    def image_stamp_ns(self) -> int | None:
        """Capture time of the oldest of the newest images; None while a camera is silent."""
        if not all(self._images.values()):
            return None
        return min(images[-1].stamp_ns for images in self._images.values())

    def newest_stamps_ns(self) -> dict[str, int]:
        """Return the newest stamp of every input that has come, cameras by name and 'joints'."""
        stamps_ns = {name: images[-1].stamp_ns for name, images in self._images.items() if images}
        joints = self._joints.newest()
        return {**stamps_ns, **({'joints': joints.stamp_ns} if joints else {})}

    def check_alive(self, now_ns: int) -> None:
        """Raise NotReady for the input that is missing or too old."""
        self._images_at(now_ns)
        self.check_joints(now_ns)

    def newest_joints(self, now_ns: int) -> JointSample | None:
        """Return what was measured last, or None when a joint of it is older than allowed."""
        joints, most_s = self._joints.newest(), self.freshness.max_age_of('joints')
        if joints is None or now_ns - joints.stamp_ns > most_s * NS_PER_S:
            return None
        return joints

    def newest_position_J(self, now_ns: int) -> np.ndarray | None:
        """Return the newest measured joints, or None when they are older than allowed."""
        newest = self.newest_joints(now_ns)
        return None if newest is None else newest.position_J

    def rests(self, now_ns: int, for_s: float, within_rad: float) -> bool:
        """Tell whether every joint was measured within so much of where it is, for so long."""
        return (self.newest_joints(now_ns) is not None
                and self._joints.moved_rad(now_ns - round(for_s * NS_PER_S)) <= within_rad)

    def observe(self, now_ns: int, commanded_at: CommandedAt) -> Observation:
        """Join the newest inputs as ``join`` does, and decode the images."""
        return self.join(now_ns, commanded_at).observation()

    def join(self, now_ns: int, commanded_at: CommandedAt) -> Joined:
        """
        Join the newest inputs at the time of the oldest image.

        ``commanded_at`` tells the joints commanded at a time, or None. Raises NotReady when an
        input is missing, too old, from the future or too far from the others.
        """
        stamp, samples = self._images_at(now_ns)
        joints = self._joints_at(stamp, now_ns)
        command_J = commanded_at(stamp)
        return Joined(self.robot, stamp, samples, joints.stamp_ns, joints.position_J,
                      joints.position_J if command_J is None else command_J, self.instruction)

    def _images_at(self, now_ns: int) -> tuple[int, dict[str, Sample]]:
        """
        Return one image a camera that belong together, and the oldest one's stamp.

        The newest of each, unless those nearest to the oldest of them are plainly closer together:
        a camera that has already sent its next image must not make the others look late.
        """
        for camera in self.robot.cameras:
            self._check_camera(camera, now_ns)
        moment = self.image_stamp_ns
        newest = {name: images[-1] for name, images in self._images.items()}
        nearest = {name: min(images, key=lambda sample: abs(sample.stamp_ns - moment))
                   for name, images in self._images.items()}
        gain_ns = _skew_ns(newest) - _skew_ns(nearest)
        chosen = nearest if gain_ns > PLAINLY_CLOSER_S * NS_PER_S else newest
        skew_s = _skew_ns(chosen) / NS_PER_S
        if skew_s > self.freshness.camera_skew_s:
            raise NotReady('cameras', f'{skew_s:.3f} s apart, '
                           f'at most {self.freshness.camera_skew_s} s is allowed', 'skewed')
        return min(sample.stamp_ns for sample in chosen.values()), chosen

    def _check_camera(self, camera: CameraSpec, now_ns: int) -> None:
        name, images = f'camera {camera.name!r}', self._images[camera.name]
        if self._wrong[camera.name]:
            raise NotReady('unreadable image', self._wrong[camera.name], 'unreadable')
        if not images:
            raise NotReady(name, f'no image yet on {camera.topic!r}')
        newest = images[-1]
        _check_age(name, newest.stamp_ns, now_ns, self.freshness.max_age_of(camera.name))
        same_s = (newest.stamp_ns - newest.same_since_ns) / NS_PER_S
        if 0 < self.freshness.frozen_s < same_s:
            raise NotReady(f'{name} is frozen', f'the same pixels for {same_s:.2f} s, at most '
                           f'{self.freshness.frozen_s} s is allowed', 'frozen')

    def check_joints(self, now_ns: int) -> None:
        """Raise NotReady when a joint is missing, too old or can't be."""
        missing = self._joints.missing
        if missing:
            raise NotReady('joint_states', 'none yet' if len(missing) == len(self.robot.joints)
                           else f'nothing yet of {", ".join(map(repr, missing))}')
        if self._joints.wrong:
            raise NotReady('unusable joint_states', self._joints.wrong, 'unreadable')
        self._check_joints_age(self._joints.newest(), now_ns)

    def _check_joints_age(self, joints: JointSample, now_ns: int) -> None:
        of = f'joint {joints.oldest!r} ' if joints.oldest else ''
        _check_age('joint_states', joints.stamp_ns, now_ns, self.freshness.max_age_of('joints'),
                   of)

    def _joints_at(self, stamp: int, now_ns: int) -> JointSample:
        """Return the newest joints not newer than the image, or the first after it."""
        self.check_joints(now_ns)
        joints = self._joints.as_of(stamp)
        self._check_joints_age(joints, now_ns)
        apart_s, most_s = (stamp - joints.stamp_ns) / NS_PER_S, self.freshness.max_age_of('joints')
        if abs(apart_s) > most_s:
            raise NotReady('joint_states', f'{abs(apart_s):.3f} s from the image, at most '
                           f'{most_s} s is allowed', 'skewed')
        return joints


def _skew_ns(samples: Mapping[str, Sample]) -> int:
    stamps_ns = [sample.stamp_ns for sample in samples.values()]
    return max(stamps_ns) - min(stamps_ns)


def _check_age(what: str, stamp: int, now_ns: int, max_age_s: float, of: str = '') -> None:
    age_s = (now_ns - stamp) / NS_PER_S
    if not -MAX_AHEAD_S <= age_s <= max_age_s:
        raise NotReady(what, f'{of}stamped {age_s:.3f} s ago, at most {max_age_s} s is allowed',
                       'stale')
