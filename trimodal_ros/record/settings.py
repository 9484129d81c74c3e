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

"""How a recorder records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .selection import TRAJECTORY
from .stream_health import Limits
from .synced import check_settings

MB = 10**6


@dataclass(frozen=True)
class Settings:
    """
    Where to, how safe, how much in memory.

    ``robot`` is the content hash of its spec; ``sync_s`` and ``compression`` are of the files;
    ``floor_bytes`` stay free on the disk; ``ring_s`` 0 keeps nothing, ``jpeg_workers`` 0
    compresses no images; ``trajectories`` are the topics of the robot's controllers. Raises
    ValueError for an unknown compression.
    """

    folder: Path
    robot: str
    sync_s: float = 0.4
    compression: str = 'none'
    queue_bytes: int = 512 * MB
    queue_messages: int = 100_000
    ring_s: float = 30.0
    ring_bytes: int = 512 * MB
    floor_bytes: int = 1000 * MB
    jpeg_workers: int = 0
    jpeg_quality: int = 90
    limits: Limits = field(default_factory=Limits)
    trajectories: tuple[str, ...] = (TRAJECTORY,)

    def __post_init__(self):
        check_settings(self.compression, self.sync_s)
