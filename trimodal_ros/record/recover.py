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
Makes whole episodes of unfinished and damaged ones.

What is readable is written anew under ``.recovering`` beside the original; when that is whole and
synced, the original goes to ``.trash`` and the new one takes its place. Killed in between, the
next call goes on; nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .durable import free_name, move_to_trash
from .episode import EpisodeError, PARTIAL_SUFFIX
from .leftovers import find_leftovers, storage_size
from .lock import is_being_written, locked, LockedError
from .room import check_space
from .salvage import Loss, Salvage
from .salvaged_info import salvaged_info
from .stage import finish_interrupted, place, staging
from .writer import EpisodeWriter
from ..progress import progress_bar

FORGETFUL_SYNC_S = 60.0    # what is recovered can be recovered again


@dataclass(frozen=True)
class Recovery:
    """
    What became of a leftover.

    ``result`` is 'recovered'; 'empty', where no message could be read and there is only the
    trash; 'in use', where somebody is writing or recovering it; or 'failed', for ``reason``:
    then nothing is lost, and the next call tries again.
    """

    original: Path
    result: str
    episode: Path | None = None
    trash: Path | None = None
    messages: int = 0
    losses: tuple[Loss, ...] = ()
    reason: str = ''

    def __str__(self) -> str:
        """Say it in a line, and one for each loss."""
        text = f'{self.original}: {self.result}'
        if self.episode is not None:
            text += f' as {self.episode}, {self.messages} messages'
        if self.trash is not None:
            text += f'; the original is {self.trash}'
        return '\n    '.join([f'{text}: {self.reason}' if self.reason else text,
                              *map(str, self.losses)])


def recover(root: Path, thorough: bool = False, show_progress: bool = True) -> list[Recovery]:
    """
    Recover every leftover at or below ``root`` and return what became of each.

    Leftovers are what was never closed, and episodes whose files are not whole. With
    ``thorough`` every byte of every episode is checked, not only its frame. What others are
    writing is left alone; several may run at a time. Raises EpisodeError where ``root`` is no
    directory; what goes wrong with one leftover is in its Recovery.
    """
    root = Path(root)
    if not root.is_dir():
        raise EpisodeError(f'{root} is not a directory')
    finish_interrupted(root)
    leftovers = find_leftovers(root, thorough, show_progress)
    size = sum(map(storage_size, leftovers))
    with progress_bar(total=2 * size, desc='recover', unit='B', unit_scale=True,
                      disable=not (show_progress and leftovers)) as bar:
        return [_recover_or_tell(folder, bar.update) for folder in leftovers]


def _recover_or_tell(folder: Path, progress: Callable[[int], object]) -> Recovery:
    try:
        with locked(folder, wait=False), staging(folder.parent) as stage:
            if any(map(is_being_written, folder.glob('*.mcap'))):  # by what doesn't lock
                return Recovery(folder, 'in use')
            return _recover(folder, stage, progress)
    except LockedError:
        return Recovery(folder, 'in use')
    except (OSError, EpisodeError) as error:
        return Recovery(folder, 'failed', reason=str(error))


def _recover(folder: Path, stage: Path, progress: Callable[[int], object]) -> Recovery:
    with Salvage(folder, progress) as salvage:
        losses = tuple(salvage.losses)
        if not salvage.size:
            return Recovery(folder, 'empty', trash=move_to_trash(folder), losses=losses)
        check_space(stage, salvage.size)
        staged = _write(salvage, stage / _target(folder).name, progress)
    trash = move_to_trash(folder)
    episode = place(staged)
    return Recovery(folder, 'recovered', episode, trash, salvage.counts.total(), losses)


def _target(folder: Path) -> Path:
    """Return where the episode of a leftover is to lie: where it was meant to, if that is free."""
    meant = folder.with_name(folder.name.removesuffix(PARTIAL_SUFFIX))
    return meant if meant == folder else free_name(meant)


def _write(salvage: Salvage, path: Path, progress: Callable[[int], object]) -> Path:
    writer = EpisodeWriter(path, salvage.info, salvage.compression, FORGETFUL_SYNC_S)
    try:
        channels = {}
        for topic, received_ns, sent_ns, data in salvage.messages(progress):
            if topic not in channels:
                channels[topic] = writer.add_channel(topic)
            writer.append(channels[topic], received_ns, data, sent_ns)
        return writer.close(salvaged_info(salvage))
    except BaseException:
        writer.abandon()
        raise
