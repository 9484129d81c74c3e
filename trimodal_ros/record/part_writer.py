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


"""Writes parts of a recording: its messages as they are, and what a part says of itself."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from .carried import Carried
from .episode import EpisodeError, EpisodeInfo
from .messages import TYPESTORE
from .reader import open_bag, read_raw, Recorded
from .selection import INSTRUCTION, TYPES
from .topic import Topic
from .writer import EpisodeWriter
from ..observe.instruction import InstructionError, normalize_instruction

SYNC_S = 60.0   # what is cut can be cut again


@dataclass(frozen=True)
class Part:
    """
    A part to be written to ``path``: what was received from ``from_ns`` on, before ``to_ns``.

    ``info`` is the whole's, with ``part_of``.
    """

    path: Path
    from_ns: int
    to_ns: int
    info: EpisodeInfo


def write_parts(recording: Path, parts: Sequence[Part], wanted: Collection[Part], stage: Path,
                progress: Callable[[int], object]) -> dict[Path, Path]:
    """
    Write the ``wanted`` of all ``parts`` to a folder; return by a part's path where it is now.

    One in which nothing was received is left out. Raises EpisodeError; then parts may be there,
    and a half one. ``progress`` is told of messages read.
    """
    begins_ns = [part.from_ns for part in parts]
    compression, carried, staged = _compression(recording), Carried(recording), {}

    def number(message: Recorded) -> int:
        progress(1)
        return max(0, bisect_right(begins_ns, message.received_ns) - 1)
    for place, messages in groupby(read_raw(recording), number):
        part = parts[place]
        if part in wanted:
            staged[part.path] = _write(part, messages, carried, stage, compression)
        else:
            for message in messages:
                carried.note(message)
    return staged


def _compression(recording: Path) -> str:
    """Return that of the first chunk, as EpisodeWriter calls it."""
    with open_bag(recording) as scans:
        names = [piece.compression for found in scans for piece in found.pieces]
    return next(filter(None, names), 'none')


def _write(part: Part, messages: Iterable[Recorded], carried: Carried, stage: Path,
           compression: str) -> Path:
    channels: dict[Topic, int] = {}
    before, told, last_ns = carried.at(part.from_ns), _Told(), part.from_ns
    writer = EpisodeWriter(stage / part.path.name, part.info, compression, SYNC_S)

    def write(message: Recorded, received_ns: int) -> None:
        if message.topic not in channels:
            channels[message.topic] = writer.add_channel(message.topic)
        writer.append(channels[message.topic], received_ns, message.data, message.sent_ns)
        told.hear(message, received_ns)
    try:
        for message in before:
            write(message, part.from_ns)
        for message in messages:
            carried.note(message)
            write(message, message.received_ns)
            last_ns = message.received_ns
        return writer.close(_amended(part.info, before, told.longest(last_ns)))
    except EpisodeError as error:
        if writer.failure is None:
            raise
        raise EpisodeError(f"{part.path} can't be written: {writer.failure}; nothing is left of "
                           'it; make room and cut again') from error
    finally:
        writer.abandon()


class _Told:
    """How long each sentence was the one that the robot was told."""

    def __init__(self):
        self._spans_ns: Counter[str] = Counter()
        self._sentence, self._since_ns = '', 0

    def hear(self, message: Recorded, received_ns: int) -> None:
        """Take a message; only instructions tell."""
        if (message.topic.name, message.topic.type_name) == (INSTRUCTION, TYPES[INSTRUCTION]):
            self._end(received_ns)
            text = TYPESTORE.deserialize_cdr(message.data, TYPES[INSTRUCTION]).data
            self._sentence = _normalized(text)

    def _end(self, time_ns: int) -> None:
        if self._sentence:
            self._spans_ns[self._sentence] += time_ns - self._since_ns
        self._since_ns = time_ns

    def longest(self, end_ns: int) -> str:
        """Return the sentence that was told for the longest time, '' if there was none."""
        self._end(end_ns)
        return max(self._spans_ns, key=self._spans_ns.get, default='')


def _normalized(text: str) -> str:
    try:
        return normalize_instruction(text)
    except InstructionError:   # the policy holds for it, as for none
        return ''


def _amended(info: EpisodeInfo, before: Sequence[Recorded], sentence: str) -> EpisodeInfo:
    """Return what a part is about: what was told in it, not what the whole is about."""
    carried: dict[str, list[int]] = {}
    for message in before:
        carried.setdefault(message.topic.name, []).append(message.received_ns)
    info = replace(info, part_of={**info.part_of, 'carried': carried})
    if not sentence or sentence == _normalized(info.instruction):
        return info
    return replace(info, instruction=sentence, paraphrases=(), task={})
