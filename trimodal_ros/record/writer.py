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

"""Writes episodes: crash-safe while they are written, whole when they are there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
import json
from pathlib import Path

from mcap.writer import Writer
from rosbags.interfaces import Qos

from .bag_metadata import bag_information, Contents, to_yaml
from .durable import make_folder, move, move_to_trash, sync_folder, write_whole
from .episode import (
    episode_path,
    EpisodeError,
    EpisodeInfo,
    METADATA_FILE,
    METADATA_KEY,
    PARTIAL_SUFFIX,
)
from .lock import locked
from .noted import INFO, note, TOPICS
from .qos import RELIABLE
from .synced import check_settings, SyncedMcap
from .topic import make_topic, Topic

SYNC_S = 0.5
LAST_NS = 2**63 - 1


class EpisodeWriter:
    """
    Writes raw serialized messages to ``path``; nothing is there until ``close``.

    Writes beside it under ``*.partial`` and renames, so that an interrupted episode is never
    taken for a whole one; ``python -m trimodal_ros.record recover`` makes it one. Whatever was
    written more than ``2 * sync_s`` ago outlives ``kill -9`` and a power cut (record/synced.py
    says under which condition). ``info``, what is known at the start, is kept with it.

    ``compression`` is of chunks inside the MCAP, which every reader knows: 'none', 'lz4' or
    'zstd'. Any thread may write. Whatever the disk refuses is raised as EpisodeError, by the
    call that notices and by all after it; what was written until then can be recovered.
    """

    def __init__(self, path: Path, info: EpisodeInfo | None = None, compression: str = 'none',
                 sync_s: float = SYNC_S):
        self.path = episode_path(Path(path).parent, Path(path).name)
        self._partial = self.path.with_name(self.path.name + PARTIAL_SUFFIX)
        check_settings(compression, sync_s)
        self._refuse_existing()
        self._contents, self._channels = Contents(), {}
        self._info, self._noted_info, self._noted_topics = info, None, 0
        self._held = ExitStack()
        try:
            make_folder(self._partial)
            self._held.enter_context(locked(self._partial, wait=False))
            self._mcap = SyncedMcap(self._partial / self._file_name, compression, sync_s,
                                    self._describe)
            sync_folder(self._partial)
        except OSError as error:
            self._held.close()
            raise EpisodeError(f"{self._partial} can't be written: {error}") from error

    @property
    def _file_name(self) -> str:
        """Return the name that ``ros2 bag record`` would give the file."""
        return f'{self.path.name}_0.mcap'

    def _refuse_existing(self) -> None:
        if self.path.exists():
            raise EpisodeError(f'{self.path} exists already; nothing is overwritten')
        if self._partial.exists():
            raise EpisodeError(f'{self._partial} is left of an interrupted run, or another one '
                               f'is writing it; python -m trimodal_ros.record recover '
                               f'{self.path.parent} makes an episode of it')

    @property
    def counts(self) -> dict[str, int]:
        """Messages written so far, by topic."""
        return {topic: self._contents.counts[channel]
                for topic, channel in self._channels.items()}

    @property
    def unsynced_s(self) -> float:
        """Age in seconds of the oldest message that a power cut would take now."""
        return self._mcap.unsynced_s

    @property
    def failure(self) -> OSError | None:
        """What the disk refused, if it did: nothing is written any more."""
        return self._mcap.failure

    def add_topic(self, topic: str, type_name: str, qos: Sequence[Qos] = (RELIABLE,),
                  definition: str | None = None, type_hash: str = '') -> None:
        """
        Declare a topic and the profiles it was offered with, one a publisher.

        ``definition`` is for types that are not among Jazzy's common interfaces. Raises
        EpisodeError for an unknown type and for a topic that is there already.
        """
        if topic in self._channels:
            known = self._contents.topics[self._channels[topic]].type_name
            raise EpisodeError(f'{self.path}: topic {topic!r} is there already with type '
                               f'{known!r}; got {type_name!r}')
        try:
            made = make_topic(topic, type_name, qos, definition, type_hash)
        except EpisodeError as error:
            raise EpisodeError(f'{self.path}: {error}') from error
        self._channels[topic] = self.add_channel(made)

    def add_channel(self, topic: Topic) -> int:
        """Declare a topic, even one that is there already with another type; return its id."""
        def register(mcap: Writer) -> int:
            schema = mcap.register_schema(topic.type_name, topic.encoding,
                                          topic.definition.encode())
            channel = mcap.register_channel(topic.name, 'cdr', schema, {
                'offered_qos_profiles': topic.qos, 'topic_type_hash': topic.type_hash})
            self._contents.add(channel, topic)
            return channel
        return self._edit(register)

    def write(self, topic: str, received_ns: int, data: bytes,
              sent_ns: int | None = None) -> None:
        """
        Append one message in CDR.

        :param received_ns: Time of receipt, by which episodes are read.
        :param sent_ns: Header stamp, or when it was sent; as received, where nobody knows.
        """
        if topic not in self._channels:
            raise EpisodeError(f'{self.path}: topic {topic!r} was never added; known are '
                               f'{", ".join(map(repr, self._channels))}')
        self.append(self._channels[topic], received_ns, data, sent_ns)

    def append(self, channel: int, received_ns: int, data: bytes,
               sent_ns: int | None = None) -> None:
        """Append one message to a channel, as ``write`` does to a topic."""
        sent_ns = received_ns if sent_ns is None else sent_ns
        if not (0 <= received_ns <= LAST_NS and 0 <= sent_ns <= LAST_NS):
            topic = self._contents.topics[channel].name
            raise EpisodeError(f'{self.path}, topic {topic!r}: received at {received_ns} ns, sent '
                               f'at {sent_ns} ns, expected 0 to 2^63 - 1')

        def add(mcap: Writer) -> None:
            self._contents.count(channel, received_ns)
            mcap.add_message(channel, received_ns, data, sent_ns)
        self._edit(add)

    def note(self, info: EpisodeInfo) -> None:
        """Keep what is known now, should the episode never be closed."""
        def remember(mcap: Writer) -> None:
            self._info, self._noted_info, self._noted_topics = info, None, 0
        self._edit(remember)

    def _describe(self, mcap: Writer) -> None:
        """Write what a recovery needs to know, as far as it is new: the topics and the info."""
        if self._noted_topics != len(self._contents.topics):
            self._noted_topics = len(self._contents.topics)
            note(mcap, TOPICS, json.dumps({
                channel: asdict(topic) for channel, topic in self._contents.topics.items()}))
        if self._noted_info != self._info:
            self._noted_info = self._info
            note(mcap, INFO, self._info.to_json())

    def _edit(self, change):
        try:
            return self._mcap.edit(change)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> EpisodeError:
        return EpisodeError(
            f'{self._partial}: {error}; what was written so far stays there, and python -m '
            f'trimodal_ros.record recover {self.path.parent} makes an episode of it')

    def close(self, info: EpisodeInfo) -> Path:
        """Finish the episode and return where it lies. Raises EpisodeError."""
        try:
            self.note(info)
            self._mcap.finish(self._conclude)
            write_whole(self._partial / METADATA_FILE,
                        to_yaml({'rosbag2_bagfile_information': self._information()}))
            move(self._partial, self.path)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self.abandon()
        return self.path

    def _conclude(self, mcap: Writer) -> None:
        self._describe(mcap)
        mcap.add_metadata('rosbag2', {'serialized_metadata': to_yaml(self._information())})

    def _information(self) -> dict:
        return bag_information(self._contents, self._file_name,
                               {METADATA_KEY: self._info.to_json()})

    def abandon(self) -> None:
        """Stop here; what was written stays under ``*.partial``, for recover."""
        self._mcap.abandon()
        self._held.close()

    def discard(self) -> Path:
        """Give the episode up, and return where in the trash beside it what was written is."""
        self._mcap.abandon()
        try:
            return move_to_trash(self._partial)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self._held.close()


def put_partial_away(path: Path) -> None:
    """Move what an interrupted run left of the episode ``path`` to the trash, to begin anew."""
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    if partial.exists():
        with locked(partial, wait=False):
            move_to_trash(partial)
