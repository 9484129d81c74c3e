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

"""Names of the episodes in a folder."""

from __future__ import annotations

from pathlib import Path
import re

from .episode import episode_path, PARTIAL_SUFFIX

NUMBERED = re.compile(rf'episode_(\d+)(?:{re.escape(PARTIAL_SUFFIX)})?')


def next_path(folder: Path, name: str = '') -> Path:
    """
    Return where the next episode goes: ``name``, or else the number after the highest there.

    Raises EpisodeError for a name that leads out of the folder.
    """
    if name:
        return episode_path(folder, name)
    matches = (NUMBERED.fullmatch(path.name) for path in Path(folder).iterdir())
    number = 1 + max((int(match[1]) for match in matches if match), default=-1)
    return episode_path(folder, f'episode_{number:04d}')
