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

"""One camera: where its images come from and what the policy sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from .errors import SpecError

ROTATIONS_DEG = (0, 90, 180, 270)
COMPRESSED_SUFFIX = '/compressed'   # of image_transport


@dataclass(frozen=True)
class CameraSpec:
    """
    One camera: the topic it arrives on and the size, in pixels, the policy sees.

    Of the image that comes, ``crop_px`` (x, y, width, height; None: all) is cut out, turned
    clockwise by ``rotation_deg`` and scaled to ``width`` x ``height``. ``compressed`` says that
    the topic carries a sensor_msgs/CompressedImage; None: if its name ends in ``/compressed``.
    ``rate_hz`` is what the camera is expected to send at least; 0: not known.
    """

    name: str
    topic: str
    width: int
    height: int
    crop_px: tuple[int, int, int, int] | None = None
    rotation_deg: int = 0
    compressed: bool | None = None
    rate_hz: float = 0.0

    def __post_init__(self):
        if self.width < 8 or self.height < 8:
            raise SpecError(f'camera {self.name!r}: {self.width}x{self.height} px is under 8x8')
        if self.rotation_deg not in ROTATIONS_DEG:
            raise SpecError(f'camera {self.name!r}: rotation_deg {self.rotation_deg} is not one '
                            f'of {ROTATIONS_DEG}')
        if self.crop_px is not None:
            object.__setattr__(self, 'crop_px', tuple(self.crop_px))
            self._check_crop()

    def _check_crop(self) -> None:
        if len(self.crop_px) != 4 or min(self.crop_px[:2]) < 0 or min(self.crop_px[2:]) < 1:
            raise SpecError(f'camera {self.name!r}: crop_px {list(self.crop_px)}, expected '
                            '[x, y, width, height] with x, y from 0 and width, height from 1')

    @property
    def view(self) -> dict:
        """What of it matters to a policy: not where its images come from, nor how."""
        return {key: value for key, value in self.to_dict().items()
                if key not in ('topic', 'compressed', 'rate_hz')}

    @property
    def is_compressed(self) -> bool:
        """Whether its topic carries a sensor_msgs/CompressedImage."""
        return (self.topic.endswith(COMPRESSED_SUFFIX) if self.compressed is None
                else self.compressed)

    @property
    def message_type(self) -> str:
        """The type of its topic."""
        return f'sensor_msgs/msg/{"CompressedImage" if self.is_compressed else "Image"}'

    def to_dict(self) -> dict:
        """Plain data: what is as for any other camera is left out."""
        plain, defaults = asdict(self), CameraSpec('', '', 8, 8)
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in plain.items()
                if key in ('name', 'topic', 'width', 'height') or value != getattr(defaults, key)}

    @classmethod
    def from_dict(cls, data: Mapping) -> CameraSpec:
        return cls(**data)
