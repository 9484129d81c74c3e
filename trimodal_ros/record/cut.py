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
Cuts recordings into episodes.

Training and replay take episodes; a long recording is one. Messages are copied as they are
(record/part_writer.py), behind what was said before and still holds (record/carried.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
import math
from pathlib import Path
import shutil

from .bag_metadata import message_counts
from .durable import make_folder, move
from .episode import (
    EpisodeError,
    EpisodeInfo,
    find_episodes,
    fingerprint,
    read_info,
    read_metadata,
)
from .leftovers import storage_size
from .lock import locked
from .part_writer import Part, write_parts
from .room import check_space
from ..progress import progress_bar
from ..spec import NS_PER_S

STAGE = '.cutting'   # parts are written there, and moved out when all of a recording are whole


@dataclass(frozen=True)
class Cuts:
    """
    Where recordings are cut, in s from the first message.

    Every ``every_s``, the last part being what is left, or ``at_s``. Raises EpisodeError unless
    one of them is given.
    """

    every_s: float | None = None
    at_s: tuple[float, ...] = ()

    def __post_init__(self):
        if (self.every_s is None) == (not self.at_s):
            raise EpisodeError('where to cut? give --every-s SECONDS, or --at-s SECONDS ...')
        if self.every_s is not None and not 0 < self.every_s < math.inf:
            raise EpisodeError(f'--every-s: {self.every_s}, expected seconds above 0')
        if any(not before < after for before, after in pairwise((0.0, *self.at_s, math.inf))):
            raise EpisodeError(f'--at-s: {" ".join(map(str, self.at_s))}, expected seconds from '
                               'the first message on, above 0 and each later than the one before')

    def edges_ns(self, path: Path, duration_ns: int) -> list[int]:
        """Return where parts begin, in ns from the first message. Raises EpisodeError."""
        if self.every_s is not None:
            every_ns = max(1, round(self.every_s * NS_PER_S))
            return list(range(0, max(1, duration_ns), every_ns))
        edges_ns = [0, *(round(at_s * NS_PER_S) for at_s in self.at_s)]
        if edges_ns[-1] > duration_ns:
            raise EpisodeError(f'{path}: --at-s {self.at_s[-1]:g}: it ends after '
                               f'{duration_ns / NS_PER_S:.3f} s; give times before')
        return edges_ns


@dataclass
class Cut:
    """
    What became of a recording: its ``parts`` that are there, ``written`` of them now.

    There are fewer than ``planned`` where nothing was received in one; ``fault`` is why it could
    not be cut.
    """

    path: Path
    planned: int = 0
    parts: list[Path] = field(default_factory=list)
    written: int = 0
    fault: str = ''

    def __str__(self) -> str:
        """Say it in a line."""
        text = f'{self.path}: {len(self.parts)} parts'
        if self.written < len(self.parts):
            text += f', {len(self.parts) - self.written} of them were there already'
        if self.planned > len(self.parts):
            text += f'; nothing was received in {self.planned - len(self.parts)} more'
        return text


def cut_recordings(roots: Sequence[Path], out: Path, cuts: Cuts,
                   show_progress: bool = True) -> list[Cut]:
    """
    Cut every recording at or below ``roots`` into ``out``; return what became of each.

    Of a recording all parts are there at the end, or none is added; those that were there are
    kept, so that an interrupted call goes on. One that can't be read is told in its ``fault``.
    Raises EpisodeError, and changes nothing, where something else has a part's name, where
    ``out`` is among the recordings, and where the disk is too full.
    """
    recordings = _targets(roots, out)
    jobs = [_plan(path, target, cuts) for path, target in recordings.items()]
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, wait=False):
        for job in jobs:
            job.missing = [part for part in job.parts if not _is_there(part)]
        busy = [job for job in jobs if job.missing]
        check_space(out, sum(storage_size(job.cut.path) for job in busy))
        with progress_bar(total=sum(job.messages for job in busy), desc='cut', unit='msg',
                          unit_scale=True, disable=not show_progress) as bar:
            for job in busy:
                _cut(job, out, bar.update)
        for job in jobs:
            job.cut.parts = [part.path for part in job.parts if part.path.exists()]
    return [job.cut for job in jobs]


def _targets(roots: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return of each recording the path of its parts, to which a number is to be added."""
    targets: dict[Path, Path] = {}
    for root in map(Path, roots):
        for path in find_episodes(root):
            if out.resolve().is_relative_to(root.resolve()):
                raise EpisodeError(f'--out {out} is in {root}, where its parts would be taken for '
                                   'further recordings; name a folder elsewhere')
            below = path.resolve().name if path == root else path.relative_to(root)
            targets[path] = out / below
    counts = Counter(targets.values())
    for path, target in targets.items():
        if counts[target] > 1:
            raise EpisodeError(f'{counts[target]} recordings are called {target.name}, one of '
                               f'them {path}; cut them into folders of their own')
    return targets


@dataclass
class _Job:
    """A recording to cut: its parts to be, and those of them that are not there."""

    cut: Cut
    messages: int = 0
    parts: Sequence[Part] = ()
    missing: Sequence[Part] = ()


def _plan(path: Path, target: Path, cuts: Cuts) -> _Job:
    try:
        info, metadata = read_info(path), read_metadata(path)
        start_ns = metadata['starting_time']['nanoseconds_since_epoch']
        duration_ns = metadata['duration']['nanoseconds']
        messages = sum(message_counts(path).values())
        edges_ns = [start_ns + edge_ns for edge_ns in cuts.edges_ns(path, duration_ns)]
    except EpisodeError as error:
        return _Job(Cut(path, fault=str(error)))
    except (KeyError, TypeError) as error:
        return _Job(Cut(path, fault=f'{path}: damaged metadata.yaml: {error!r}'))
    if not messages:
        return _Job(Cut(path, fault=f'{path}: empty, not one message was recorded'))
    spans = list(pairwise([*edges_ns, start_ns + duration_ns + 1]))
    digits = max(2, len(str(len(spans) - 1)))
    return _Job(Cut(path, planned=len(spans)), messages, [
        Part(target.with_name(f'{target.name}_{number:0{digits}d}'), *span,
             replace(info, part_of=_part_of(path, info, number, spans)))
        for number, span in enumerate(spans)])


def _part_of(path: Path, info: EpisodeInfo, number: int, spans: Sequence[tuple[int, int]]) -> dict:
    """Return what EpisodeInfo.part_of says, but for what is carried into the part."""
    from_ns, to_ns = spans[number]
    is_last = number == len(spans) - 1 and not info.goes_on
    return {'episode': path.resolve().name, 'fingerprint': fingerprint(path), 'number': number,
            'count': len(spans), 'from_ns': from_ns, 'to_ns': to_ns, 'is_last': is_last,
            **({'part_of': info.part_of} if info.part_of else {})}


def _is_there(part: Part) -> bool:
    """Tell whether a part was written before. Raises EpisodeError where that is another one."""
    if not part.path.exists():
        return False
    known = {**read_info(part.path).part_of, 'carried': None}
    if known != {**part.info.part_of, 'carried': None}:
        raise EpisodeError(f'{part.path} exists already, and is not this part of the recording as '
                           'it is now; nothing is overwritten: name another --out')
    return True


def _cut(job: _Job, out: Path, progress: Callable[[int], object]) -> None:
    try:
        with _stage(out) as stage:
            staged = write_parts(job.cut.path, job.parts, job.missing, stage, progress)
            for path, written in staged.items():
                if not path.parent.exists():
                    make_folder(path.parent)
                move(written, path)
    except EpisodeError as error:
        job.cut.fault = str(error)
    else:
        job.cut.written = len(staged)


@contextmanager
def _stage(out: Path) -> Iterator[Path]:
    """Give a folder for what is not whole yet, of which nothing is left at the end."""
    stage = out / STAGE
    shutil.rmtree(stage, ignore_errors=True)   # of a run that was killed: ``out`` is locked
    make_folder(stage)
    try:
        yield stage
    finally:
        shutil.rmtree(stage)
