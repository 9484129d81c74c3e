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

"""What the robot saw and felt at one moment; H x W pixels, J joints in spec order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from .arrays import frozen
from .camera import CameraSpec
from .errors import SpecError
from .robot import NS_PER_S, RobotSpec
from .values import check_joints


@dataclass(frozen=True, eq=False)
class Observation:
    """
    What the robot saw and felt at one moment.

    ``stamp_ns`` is the capture time of the oldest image; ``images`` are RGB uint8 [H, W, 3] in
    the sizes of the spec; ``position_J`` is measured and ``command_J`` the position commanded at
    ``stamp_ns`` (the measured one while nothing has been commanded), both
    in rad, or the unit of the joint;
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
            check_joints(self.robot, name, value)
            object.__setattr__(self, name, frozen(value))
        images = {camera.name: frozen(self.images[camera.name]) for camera in self.robot.cameras}
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
