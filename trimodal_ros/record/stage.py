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

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
import shutil

from .durable import free_name, move
from .episode import EpisodeError, PARTIAL_SUFFIX, read_info, walk
from .lock import locked, LockedError

STAGE = '.recovering'
RECOVERED = 'recovered'   # in EpisodeInfo.health


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Wait until the stage in a folder is ours, and clear it at the end."""
    stage = parent / STAGE
    while True:
        stage.mkdir(exist_ok=True)
        with suppress(LockedError):  # its last holder has just removed it
            with locked(stage, wait=True):
                try:
                    yield stage
                finally:
                    _clear(stage)
                return


def place(staged: Path) -> Path:
    """Move a whole episode out of its stage; return where it lies now."""
    episode = free_name(staged.parent.parent / staged.name)
    move(staged, episode)
    return episode


def finish_interrupted(root: Path) -> None:
    """Place what was recovered whole, its original in the trash already, and clear the rest."""
    stages = [folder / STAGE for folder, _ in walk(root) if (folder / STAGE).is_dir()]
    for stage in stages:
        with suppress(LockedError), locked(stage, wait=False):
            for staged in stage.iterdir():
                with suppress(EpisodeError, KeyError):  # of somebody else: left alone
                    if not staged.name.endswith(PARTIAL_SUFFIX):
                        _finish(staged)
            _clear(stage)


def _finish(staged: Path) -> None:
    original = staged.parent.parent / read_info(staged).health[RECOVERED]['from']
    if original.exists():
        shutil.rmtree(staged)  # it is recovered anew
    else:
        place(staged)


def _clear(stage: Path) -> None:
    """Remove half-written copies, and the stage when it is empty."""
    for copy in stage.glob(f'*{PARTIAL_SUFFIX}'):
        shutil.rmtree(copy)
    with suppress(OSError):  # something whole is left in it
        stage.rmdir()
