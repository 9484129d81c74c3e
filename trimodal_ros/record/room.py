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

"""Room on the disk."""

from __future__ import annotations

import os
from pathlib import Path
import shutil

from .episode import EpisodeError
from .settings import MB, Settings

SPARE_BYTES = 64 * 2**20   # to leave free for others by whoever copies episodes


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk for a process like this one. Raises OSError."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def check_room(settings: Settings, needed: int = 0) -> None:
    """Raise EpisodeError where, after so many bytes more, too little would be free."""
    free = free_bytes(settings.folder)
    if free - needed < settings.floor_bytes:
        what = f' and {needed / MB:.0f} MB to keep' if needed else ''
        raise EpisodeError(
            f'not begun: {free / MB:.0f} MB are free in {settings.folder}, expected min_free_mb, '
            f'{settings.floor_bytes / MB:.0f}{what}; make room')


def check_space(folder: Path, needed: int) -> None:
    """Raise EpisodeError where a copy of so many bytes would not leave SPARE_BYTES free."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise EpisodeError(f'{free / 1e6:.0f} MB free on the disk, expected '
                           f'{(needed + SPARE_BYTES) / 1e6:.0f} MB; nothing was changed')
