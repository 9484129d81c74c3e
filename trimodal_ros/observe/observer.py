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
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .image import decode_image
from .instruction import normalize_instruction
from .joints import decode_joints
from .stamp import stamp_ns
from ..spec import NS_PER_S, Observation, RobotSpec

IMAGE_HISTORY = 4
JOINT_HISTORY = 256
CommandedAt = Callable[[int], 'np.ndarray | None']


class NotReady(Exception):
    """
    No observation can be made now.

    ``what`` names the input and stays the same while the reason's numbers change.
    """

    def __init__(self, what: str, reason: str = ''):
        super().__init__(f'{what}: {reason}' if reason else what)
        self.what, self.reason = what, reason


@dataclass(frozen=True)
class MaxAge:
    """How old, in seconds, an input may be when it is observed, and how far cameras may part."""

    camera_s: float = 0.3
    joints_s: float = 0.2
    camera_skew_s: float = 0.05


class Observer:
    """Stores messages as they arrive; ``observe`` joins them. Single-threaded: lock outside."""

    def __init__(self, robot: RobotSpec, max_age: MaxAge | None = None):
        self.robot = robot
        self.max_age = max_age or MaxAge()
        self.instruction = ''
        self._images = {camera.name: deque(maxlen=IMAGE_HISTORY) for camera in robot.cameras}
        self._joints = deque(maxlen=JOINT_HISTORY)

    def add_image(self, camera: str, message) -> None:
        """Keep an image; it is decoded when observed."""
        self._images[camera].append((stamp_ns(message.header.stamp), message))

    def is_from_before(self, camera: str, message) -> bool:
        """Tell whether an image is so much older than the newest that the clock jumped back."""
        images = self._images[camera]
        back_ns = images[-1][0] - stamp_ns(message.header.stamp) if images else 0
        return back_ns > self.max_age.camera_s * NS_PER_S

    def add_joints(self, message) -> None:
        """Keep a joint state. Raises JointStateError, and then keeps nothing."""
        self._joints.append((stamp_ns(message.header.stamp), decode_joints(message, self.robot)))

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
        return min(images[-1][0] for images in self._images.values())

    def check_alive(self, now_ns: int) -> None:
        """Raise NotReady for the input that is missing or too old."""
        self._images_at(now_ns)
        self._check_joints(now_ns)

    def newest_joints(self, now_ns: int) -> tuple[int, np.ndarray] | None:
        """Return stamp and positions measured last, or None when they are older than allowed."""
        if not self._joints or now_ns - self._joints[-1][0] > self.max_age.joints_s * NS_PER_S:
            return None
        return self._joints[-1]

    def newest_position_J(self, now_ns: int) -> np.ndarray | None:
        """Return the newest measured joints, or None when they are older than allowed."""
        newest = self.newest_joints(now_ns)
        return None if newest is None else newest[1]

    def observe(self, now_ns: int, commanded_at: CommandedAt) -> Observation:
        """
        Join the newest inputs at the time of the oldest image.

        ``commanded_at`` tells the joints commanded at a time, or None. Raises NotReady when an
        input is missing, too old, from the future or too far from the others; ImageError
        when an image cannot be read.
        """
        stamp, messages = self._images_at(now_ns)
        joint_stamp, position_J = self._joints_at(stamp, now_ns)
        command_J = commanded_at(stamp)
        stamps_ns = {name: stamp_ns(message.header.stamp) for name, message in messages.items()}
        images = {camera.name: decode_image(messages[camera.name], camera)
                  for camera in self.robot.cameras}
        return Observation(
            robot=self.robot, stamp_ns=stamp, images=images, position_J=position_J,
            command_J=position_J if command_J is None else command_J,
            instruction=self.instruction, stamps_ns={**stamps_ns, 'joints': joint_stamp})

    def _images_at(self, now_ns: int) -> tuple[int, dict[str, object]]:
        """
        Return the newest moment all cameras have reached, and each one's image nearest to it.

        A camera that has already sent its next image must not make the others look late.
        """
        for camera in self.robot.cameras:
            if not self._images[camera.name]:
                raise NotReady(f'camera {camera.name!r}', f'no image yet on {camera.topic!r}')
            _check_age(f'camera {camera.name!r}', self._images[camera.name][-1][0], now_ns,
                       self.max_age.camera_s)
        moment = self.image_stamp_ns
        nearest = {name: min(images, key=lambda sample: abs(sample[0] - moment))
                   for name, images in self._images.items()}
        stamps_ns = [stamp for stamp, _ in nearest.values()]
        skew_s = (max(stamps_ns) - min(stamps_ns)) / NS_PER_S
        if skew_s > self.max_age.camera_skew_s:
            raise NotReady('cameras', f'{skew_s:.3f} s apart, '
                           f'at most {self.max_age.camera_skew_s} s is allowed')
        return min(stamps_ns), {name: message for name, (_, message) in nearest.items()}

    def _check_joints(self, now_ns: int) -> None:
        if not self._joints:
            raise NotReady('joint_states', 'none yet')
        _check_age('joint_states', self._joints[-1][0], now_ns, self.max_age.joints_s)

    def _joints_at(self, stamp: int, now_ns: int) -> tuple[int, np.ndarray]:
        """Return the newest joints not newer than the image, or the first after it."""
        self._check_joints(now_ns)
        before = [sample for sample in self._joints if sample[0] <= stamp]
        sample = before[-1] if before else self._joints[0]
        if abs(stamp - sample[0]) > self.max_age.joints_s * NS_PER_S:
            raise NotReady('joint_states', f'{abs(stamp - sample[0]) / NS_PER_S:.3f} s from '
                           f'the image, at most {self.max_age.joints_s} s is allowed')
        return sample


def _check_age(what: str, stamp: int, now_ns: int, max_age_s: float) -> None:
    age_s = (now_ns - stamp) / NS_PER_S
    if not -max_age_s <= age_s <= max_age_s:
        raise NotReady(what, f'stamped {age_s:.3f} s ago, at most {max_age_s} s is allowed')
