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

"""Reads whole episodes; what is not whole is refused, with its file and topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, ExitStack
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from .bag_metadata import check_statistics, expected_topics, storage_files
from .episode import DamagedError, EpisodeError, read_metadata
from .mcap_file import Damage, McapFile
from .messages import TYPESTORE
from .order import check_order, check_times, in_order
from .piece import DamageError, Piece, RawMessage
from .scan import scan
from .topic import Topic


class Recorded(NamedTuple):
    """A recorded message, its data in CDR."""

    topic: Topic
    received_ns: int
    sent_ns: int
    data: memoryview


def read_messages(path: Path, topics: Collection[str] | None = None
                  ) -> Iterator[tuple[str, int, object]]:
    """
    Yield (topic, time of receipt in ns, message) in the order of receipt.

    Of ``topics``, by default of all; the others may be of unknown types. Raises EpisodeError for
    an episode that is damaged, whose clock went back, or that has other messages than its
    metadata tells; what can't be noticed earlier is raised after the last message.
    """
    known = set()
    for topic, received_ns, _, data in read_raw(path, topics):
        if topic.name not in known:
            _check_type(path, topic)
            known.add(topic.name)
        try:
            message = TYPESTORE.deserialize_cdr(data, topic.type_name)
        except Exception as error:  # noqa: B902 - whatever CDR raises
            raise EpisodeError(f'{path}, topic {topic.name!r}, received {received_ns} ns: '
                               f'damaged: not a {topic.type_name}: {error!r}') from error
        yield topic.name, received_ns, message


def _check_type(path: Path, topic: Topic) -> None:
    if topic.type_name not in TYPESTORE.types:
        raise EpisodeError(f'{path}, topic {topic.name!r}: unknown message type '
                           f'{topic.type_name!r}; other topics can be read without it')
    expected = TYPESTORE.hash_rihs01(topic.type_name)
    if topic.type_hash not in ('', expected):
        raise EpisodeError(f'{path}, topic {topic.name!r}: {topic.type_name} of another ROS, hash '
                           f"{topic.type_hash}, expected Jazzy's {expected}")


def read_raw(path: Path, topics: Collection[str] | None = None) -> Iterator[Recorded]:
    """Yield messages as ``read_messages`` does, but as they were recorded."""
    path, counts = Path(path), Counter()
    expected = expected_topics(path, read_metadata(path), topics)
    with open_bag(path) as scans:
        for found in scans:
            check_order(found.path, [piece.first_ns for piece in found.pieces])
            for message in in_order(found.pieces, partial(_load_in_order, found)):
                topic = found.topic(message.channel)
                if topic.name in expected or topics is None:
                    _check_told(found, topic, expected)
                    counts[topic.name] += 1
                    yield Recorded(topic, message.received_ns, message.sent_ns, message.data)
    for name, (_, count) in expected.items():
        if counts[name] != count:
            raise DamagedError(f'{path}, topic {name!r}: {counts[name]} messages, metadata.yaml '
                               f'tells of {count}')


def _check_told(found: McapFile, topic: Topic, expected: dict[str, tuple[str, int]]) -> None:
    told = expected.get(topic.name, ('nothing', 0))[0]
    if told != topic.type_name:
        raise EpisodeError(f'{found.path}, topic {topic.name!r} has the type {topic.type_name!r}, '
                           f'metadata.yaml tells of {told!r}')


@contextmanager
def open_bag(path: Path) -> Iterator[list[McapFile]]:
    """
    Open the files of a bag and find them whole as far as that can be told without reading them.

    Raises EpisodeError.
    """
    information = read_metadata(path)
    with ExitStack() as opened:
        scans = []
        for file in storage_files(path, information):
            try:
                scans.append(opened.enter_context(scan(file)))
            except FileNotFoundError as error:
                raise DamagedError(f'{path}: {error}') from error
            except OSError as error:
                raise EpisodeError(f'{path} is not a readable episode: {error}') from error
            check_whole(scans[-1])
        if all(map(_knows_statistics, scans)):
            check_statistics(path, information, sum(map(_statistics, scans), Counter()))
        yield scans


def check_whole(found: McapFile) -> None:
    """Raise DamagedError where pieces are damaged, or other ones than the index tells of."""
    damages = found.damages + _unlike_index(found)
    if damages:
        raise damaged(found, min(damages, key=attrgetter('offset')))


def _unlike_index(found: McapFile) -> list[Damage]:
    indexed = {index.chunk_start_offset: index for index in found.index}
    there = {piece.offset: piece for piece in found.pieces if piece.compression is not None}
    missing = [Damage(offset, index.chunk_length, 'a chunk is missing')
               for offset, index in indexed.items() if offset not in there]
    exchanged = [Damage(offset, index.chunk_length, 'another chunk is here')
                 for offset, index in indexed.items() if offset in there
                 and there[offset].first_ns != index.message_start_time]
    surplus = [Damage(offset, piece.end - offset, 'a chunk too many')
               for offset, piece in there.items() if indexed and offset not in indexed]
    return missing + exchanged + surplus


def check_pieces(scans: Sequence[McapFile], progress: Callable[[int], object]) -> None:
    """Read every byte of an open bag. Raises EpisodeError where any is wrong."""
    for found in scans:
        counts = Counter()
        for piece in found.pieces:
            progress(piece.data_length)
            counts.update(found.topic(message.channel).name for message in _load(found, piece))
        if _knows_statistics(found) and counts != _statistics(found):
            raise damaged(found, Damage(0, found.size, f'{counts.total()} messages, its '
                                        f'statistics tell of {_statistics(found).total()}'))


def damaged(found: McapFile, damage: Damage) -> DamagedError:
    """Return the error that names the file, the place and, where it is known, the topics."""
    names = topics_at(found, damage.offset)
    topics = f', topics {", ".join(map(repr, names))}' if names else ''
    return DamagedError(
        f'{found.path}{topics}: damaged: {damage.what}, {damage.length} bytes from byte '
        f'{damage.offset} on; python -m trimodal_ros.record recover {found.path.parent.parent} '
        'saves the rest')


def topics_at(found: McapFile, offset: int) -> list[str]:
    """Return the topics that have messages in the chunk at a byte, as far as the index tells."""
    return sorted({found.topic(channel).name for index in found.index
                   if index.chunk_start_offset == offset
                   for channel in index.message_index_offsets if channel in found.channels})


def _knows_statistics(found: McapFile) -> bool:
    return found.statistics is not None and all(
        map(found.knows, found.statistics.channel_message_counts))


def _statistics(found: McapFile) -> Counter[str]:
    counts = Counter()
    for channel, count in found.statistics.channel_message_counts.items():
        counts[found.topic(channel).name] += count
    return counts


def _load_in_order(found: McapFile, piece: Piece) -> list[RawMessage]:
    messages = _load(found, piece)
    check_order(found.path, [message.received_ns for message in messages])
    return messages


def _load(found: McapFile, piece: Piece) -> list[RawMessage]:
    try:
        messages = found.messages(piece)
        check_times(piece, messages)
        for channel in {message.channel for message in messages}:
            found.topic(channel)
        return messages
    except DamageError as error:
        raise damaged(found, Damage(piece.offset, piece.end - piece.offset,
                                    str(error))) from error
    except OSError as error:
        raise EpisodeError(f'{found.path} can no longer be read: {error}') from error
