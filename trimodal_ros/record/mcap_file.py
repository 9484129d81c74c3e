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

"""An MCAP file taken apart: its pieces, what they are of, and what of it is damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
import os
from pathlib import Path

from mcap.records import Channel, ChunkIndex, McapRecord, Metadata, Schema, Statistics

from .piece import DamageError, messages_of, Piece, RawMessage, read_piece
from .topic import Topic


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that can't be read."""

    offset: int
    length: int
    what: str


@dataclass
class McapFile:
    """
    An MCAP file taken apart.

    Of the summary at its end only what its checksum confirms. ``told`` is what is known of
    channels from elsewhere, should their definitions be lost.
    """

    path: Path
    descriptor: int
    size: int
    is_ended: bool = False                                    # with a footer, and nothing after
    pieces: list[Piece] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    metadata: list[Metadata] = field(default_factory=list)
    index: list[ChunkIndex] = field(default_factory=list)
    statistics: Statistics | None = None
    told: dict[int, Topic] = field(default_factory=dict)
    summary_at: int | None = None                             # byte, once the data has ended
    summary: list[McapRecord] = field(default_factory=list)   # as it lies there, unconfirmed
    _topics: dict[int, Topic] = field(default_factory=dict)

    def close(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> McapFile:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def messages(self, piece: Piece) -> list[RawMessage]:
        """Return the messages of a piece in the order they lie in. Raises DamageError."""
        return messages_of(read_piece(self.descriptor, piece), self.define)

    def define(self, record: McapRecord) -> None:
        """Remember a schema or a channel. Raises DamageError where it contradicts another."""
        known = self.schemas if isinstance(record, Schema) else self.channels
        if known.setdefault(record.id, record) != record:
            raise DamageError(f'{type(record).__name__} {record.id} is defined twice, and not '
                              'alike')

    def topic(self, channel: int) -> Topic:
        """Return what is known of a channel. Raises DamageError where that is nothing."""
        about = self.channels.get(channel)
        if about is None and channel not in self.told:
            raise DamageError(f'a message of channel {channel}, which is nowhere defined')
        if channel not in self._topics:
            self._topics[channel] = self.told[channel] if about is None else _topic(
                about, self.schemas.get(about.schema_id))
        return self._topics[channel]

    def knows(self, channel: int) -> bool:
        return channel in self.channels or channel in self.told


def _topic(about: Channel, schema: Schema | None) -> Topic:
    return Topic(about.topic, schema.name if schema else '',
                 about.metadata.get('offered_qos_profiles', ''),
                 schema.data.decode('utf-8', 'replace') if schema else '',
                 about.metadata.get('topic_type_hash', ''), schema.encoding if schema else '')
