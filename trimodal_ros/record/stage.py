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

"""Where recovered episodes are written until they take their place: ``.recovering`` beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
import shutil

from .durable import free_name, move
from .episode import EpisodeError, PARTIAL_SUFFIX, read_info, walk
from .lock import locked, LockedError

STAGE = '.recovering'
RECOVERED = 'recovered'   # in EpisodeInfo.health


def place(staged: Path) -> Path:
    """Move a whole episode out of its stage; return where it lies now."""
    episode = free_name(staged.parent.parent / staged.name)
    move(staged, episode)
    clear_stage(staged.parent)
    return episode


def clear_stage(stage: Path) -> None:
    """Remove half-written copies that nobody is writing any more, and the stage when empty."""
    for copy in stage.glob(f'*{PARTIAL_SUFFIX}'):
        with suppress(LockedError, FileNotFoundError), locked(copy, wait=False):
            shutil.rmtree(copy)
    with suppress(OSError):
        stage.rmdir()


def finish_interrupted(root: Path) -> None:
    """Place what was recovered whole, its original in the trash already, and clear the rest."""
    stages = [folder / STAGE for folder, _ in walk(root) if (folder / STAGE).is_dir()]
    for stage in stages:
        for staged in stage.iterdir():
            with suppress(EpisodeError, KeyError):  # of somebody else: left alone
                if not staged.name.endswith(PARTIAL_SUFFIX):
                    _finish(staged)
        clear_stage(stage)


def _finish(staged: Path) -> None:
    original = staged.parent.parent / read_info(staged).health[RECOVERED]['from']
    if not original.exists():
        place(staged)
        return
    with locked(original, wait=False):  # by nobody: then it is recovered anew
        shutil.rmtree(staged)
