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

"""What can be chosen when datasets are written and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
from typing import Literal

from .schema import ACTION, DatasetError, STATE

Codec = Literal['h264', 'av1']
PixelFormat = Literal['yuv420p', 'yuv444p']
Unit = Literal['rad', 'deg']
GripperUnit = Literal['rad', 'deg', 'percent']
ImageForm = Literal['raw', 'jpeg']


@dataclass(frozen=True)
class Encoding:
    """How frames are compressed."""

    # av1 is smaller and takes longer; root can't have it.
    codec: Codec = 'h264'
    # Constant rate factor, 0 (best) to 51 (h264) or 63 (av1).
    quality: int = 18
    # yuv420p halves the resolution of colour, yuv444p keeps it and takes odd sizes.
    pixel_format: PixelFormat = 'yuv420p'

    def __post_init__(self):
        best = {'h264': 51, 'av1': 63}[self.codec]
        if not 0 <= self.quality <= best:
            raise DatasetError(f'quality {self.quality}: {self.codec} takes 0 (best) to {best}')
        if self.codec == 'av1' and self.pixel_format != 'yuv420p':
            raise DatasetError(f'pixel format {self.pixel_format}: the AV1 encoder has yuv420p '
                               'only; take h264, or yuv420p')
        if self.codec == 'av1' and os.geteuid() == 0:
            raise DatasetError('codec av1: its encoder, SVT-AV1, makes itself real-time where '
                               'root runs it, and nodes beside it stand still; export as another '
                               'user, or take h264')

    def check_size(self, camera: str, width: int, height: int) -> None:
        """Raise DatasetError for a size that can't be encoded."""
        if self.pixel_format == 'yuv420p' and (width % 2 or height % 2):
            raise DatasetError(f'camera {camera!r}: {width}x{height} px, yuv420p needs even '
                               'numbers; give --encoding.pixel-format yuv444p')


@dataclass(frozen=True)
class JointMapping:
    """How a dataset's numbers become joints."""

    # Joint of the robot, and the dataset's name of it or, where it has no names, its place from
    # 0; joints left out are called the same in both.
    names: Mapping[str, str] = field(default_factory=dict)
    # Of the dataset's joints; rad takes numbers as they are, of a prismatic joint in m.
    unit: Unit = 'rad'
    # Of its grippers; percent is of the way from the lower to the upper limit.
    gripper_unit: GripperUnit = 'rad'


@dataclass(frozen=True)
class ImportSettings:
    """What is taken from a dataset and how it is written."""

    # Feature of numbers that were measured.
    state: str = STATE
    # Feature of numbers that were commanded.
    action: str = ACTION
    # How its numbers become joints.
    joints: JointMapping = field(default_factory=JointMapping)
    # Camera of the robot and video feature; one left out is the video with the camera's name in
    # its own.
    cameras: Mapping[str, str] = field(default_factory=dict)
    # Place of the sentence, from 0, where task_index has several.
    task: int = 0
    # Make an episode of each run of frames with one sentence; else the instruction changes.
    split: bool = False
    # sensor_msgs/Image, or CompressedImage with JPEG.
    images: ImageForm = 'raw'
    # Who commanded, if the dataset doesn't tell.
    source: str = 'teleoperation'
