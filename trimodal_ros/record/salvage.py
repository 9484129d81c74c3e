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

"""What can still be read of a damaged or unfinished bag, and what can't."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
import json
from operator import attrgetter
from pathlib import Path

from .bag_metadata import told_topics
from .episode import EpisodeError, EpisodeInfo, read_info, read_metadata
from .mcap_file import Damage, McapFile
from .noted import INFO, noted, TOPICS
from .order import in_order, MAX_STEP_BACK_NS, step_back_ns
from .piece import DamageError
from .scan import chunks_between, scan
from .topic import Topic
from ..spec import NS_PER_S


@dataclass(frozen=True)
class Loss:
    """Bytes of a file that can't be read, and between which times of receipt they lay."""

    file: str
    offset: int
    length: int
    what: str
    from_ns: int | None     # of what could be read before it
    to_ns: int | None       # and after it: None at the end

    def __str__(self) -> str:
        return f'{self.file}, {self.length} bytes from byte {self.offset} on: {self.what}'


class Salvage:
    """The readable messages of a folder's MCAP files; to be closed."""

    def __init__(self, folder: Path, progress: Callable[[int], object]):
        """Read every file once. Raises OSError. ``progress`` is told of bytes read."""
        self.folder, self.losses = folder, []
        self._opened, self._scans = ExitStack(), []
        try:
            for file in sorted(folder.glob('*.mcap')):
                found = self._opened.enter_context(scan(file))
                self._scans.append(found)
                _tell_topics(found)
                _sift(found, progress)
                self.losses += _losses(found)
        except BaseException:
            self.close()
            raise
        self.info = self._find_info()
        self.counts: Counter[str] = Counter()
        self.undefined = 0    # messages left out: nothing tells of what topic they are

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Salvage:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes of what can be read."""
        return sum(piece.data_length for found in self._scans for piece in found.pieces)

    @property
    def compression(self) -> str:
        """Compression of the first chunk, as EpisodeWriter calls it."""
        names = [piece.compression for found in self._scans for piece in found.pieces]
        return next(filter(None, names), 'none')

    def messages(self, progress: Callable[[int], object]
                 ) -> Iterator[tuple[Topic, int, int, memoryview]]:
        """Yield topic, time of receipt and of sending in ns, and CDR, by time of receipt."""
        for found in self._scans:
            def load(piece, found=found):
                progress(piece.data_length)
                return found.messages(piece)
            for message in in_order(found.pieces, load):
                if not found.knows(message.channel):
                    self.undefined += 1
                    continue
                topic = found.topic(message.channel)
                self.counts[topic.name] += 1
                yield topic, message.received_ns, message.sent_ns, message.data

    def missing(self) -> dict[str, int]:
        """Return, after the last message, how many each topic lost, as far as that is told."""
        told: Counter[str] = Counter()
        try:
            for name, _, count in told_topics(self.folder, read_metadata(self.folder)):
                told[name] += count
        except EpisodeError:
            for found in self._scans:
                if found.statistics is not None:
                    for channel, count in found.statistics.channel_message_counts.items():
                        if found.knows(channel):
                            told[found.topic(channel).name] += count
        return dict(told - self.counts)

    @property
    def step_back_s(self) -> float:
        """Return how far times of receipt go back from piece to piece, if too far, in s."""
        step_ns = max(step_back_ns([piece.first_ns for piece in found.pieces])
                      for found in self._scans)
        return step_ns / NS_PER_S if step_ns > MAX_STEP_BACK_NS else 0.0

    def _find_info(self) -> EpisodeInfo | None:
        """Return what is known of the episode: of its end, or else of its start; or None."""
        try:
            return read_info(self.folder)
        except EpisodeError:
            texts = [text for found in self._scans for text in noted(found.metadata, INFO)]
            return EpisodeInfo.from_json(texts[-1]) if texts else None


def _tell_topics(found: McapFile) -> None:
    """Take in the topics that the writer noted, should their definitions be lost."""
    for text in noted(found.metadata, TOPICS):
        found.told |= {int(channel): Topic(**about)
                       for channel, about in json.loads(text).items()}


def _sift(found: McapFile, progress: Callable[[int], object]) -> None:
    """Read every piece: keep what is readable with the times it has, note what isn't."""
    readable, waiting = {}, deque(found.pieces)
    while waiting:
        piece = waiting.popleft()
        progress(piece.data_length)
        try:
            times_ns = [message.received_ns for message in found.messages(piece)]
        except DamageError as error:
            found.damages.append(Damage(piece.offset, piece.end - piece.offset, str(error)))
            known = {each.offset for each in found.pieces}
            waiting += [chunk for chunk in chunks_between(found, piece.offset + 1, piece.end)
                        if chunk.offset not in known]  # where its length leads astray
            continue
        if times_ns:
            piece = replace(piece, first_ns=min(times_ns), last_ns=max(times_ns))
            same = piece.offset if not piece.crc else (piece.first_ns, piece.size, piece.crc)
            readable.setdefault(same, piece)  # a chunk that lies there twice is one
    found.pieces[:] = sorted(readable.values(), key=attrgetter('offset'))
    found.damages[:] = [_without_readable(found, damage) for damage in found.damages]


def _without_readable(found: McapFile, damage: Damage) -> Damage:
    """Return a damage as far as the first chunk in it that can be read."""
    ends = [piece.offset for piece in found.pieces if damage.offset < piece.offset]
    return replace(damage, length=min([damage.length, *(end - damage.offset for end in ends)]))


def _losses(found: McapFile) -> list[Loss]:
    damages = found.damages + _missing_chunks(found)
    return [_loss(found, damage) for damage in sorted(damages, key=attrgetter('offset'))]


def _missing_chunks(found: McapFile) -> list[Damage]:
    """Return the chunks that the index tells of, and that are nowhere."""
    there = {(piece.first_ns, piece.last_ns, piece.size) for piece in found.pieces}
    return [Damage(index.chunk_start_offset, index.chunk_length, 'a chunk is missing')
            for index in found.index
            if (index.message_start_time, index.message_end_time, index.uncompressed_size)
            not in there and not any(
                damage.offset <= index.chunk_start_offset < damage.offset + damage.length
                for damage in found.damages)]


def _loss(found: McapFile, damage: Damage) -> Loss:
    before = [piece.last_ns for piece in found.pieces if piece.offset < damage.offset]
    after = [piece.first_ns for piece in found.pieces if piece.offset > damage.offset]
    return Loss(found.path.name, damage.offset, damage.length, damage.what,
                max(before, default=None), min(after, default=None))
