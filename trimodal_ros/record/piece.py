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
Pieces of an MCAP file: a chunk each, or a run of records outside of chunks.

Layouts are those of https://mcap.dev/spec, all little-endian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
import os
import struct
from typing import NamedTuple
import zlib

import lz4.frame
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile
from mcap.opcode import Opcode
from mcap.records import Channel, McapRecord, Schema
import zstandard

RECORD = struct.Struct('<BQ')       # opcode, length of what follows
CHUNK = struct.Struct('<QQQII')     # first and last ns, size, CRC, length of compression's name
LENGTH = struct.Struct('<Q')
MESSAGE = struct.Struct('<HIQQ')    # channel, sequence, received ns, sent ns
MAX_CHUNK_BYTES = 2**32
DECOMPRESS: Mapping[str, Callable[[bytes, int], bytes]] = {
    '': lambda data, size: data,
    'lz4': lambda data, size: lz4.frame.decompress(data),
    'zstd': lambda data, size: zstandard.decompress(data, size)}


class DamageError(Exception):
    """Bytes that are not what MCAP prescribes, or whose checksum is another."""


class RawMessage(NamedTuple):
    """A message as it lies in a chunk; ``data`` is CDR."""

    received_ns: int
    sent_ns: int
    channel: int
    data: memoryview


@dataclass(frozen=True)
class Piece:
    """Where records lie in a file; ``compression`` None for those outside of chunks."""

    offset: int             # of the record in the file, bytes
    data_offset: int
    data_length: int
    first_ns: int = 0       # of receipt
    last_ns: int = 0
    size: int = 0           # uncompressed, bytes
    crc: int = 0            # 0: none was written
    compression: str | None = None

    @property
    def end(self) -> int:
        return self.data_offset + self.data_length


def chunk_at(head: bytes, offset: int, length: int) -> Piece:
    """Return the chunk whose record begins with ``head``. Raises DamageError."""
    try:
        first_ns, last_ns, size, crc, n = CHUNK.unpack_from(head, RECORD.size)
        name_at = RECORD.size + CHUNK.size
        name = head[name_at:name_at + n].decode('ascii')
        [data_length] = LENGTH.unpack_from(head, name_at + n)
    except (struct.error, UnicodeDecodeError) as error:
        raise DamageError('a chunk with a damaged head') from error
    fixed = CHUNK.size + n + LENGTH.size
    if name not in DECOMPRESS or length != fixed + data_length or size > MAX_CHUNK_BYTES:
        raise DamageError('a chunk with a damaged head')
    return Piece(offset, offset + RECORD.size + fixed, data_length, first_ns, last_ns, size, crc,
                 name)


def read_piece(descriptor: int, piece: Piece) -> memoryview:
    """Return the records of a piece, uncompressed, its checksum found right; or DamageError."""
    data = os.pread(descriptor, piece.data_length, piece.data_offset)
    if piece.compression is None:
        return memoryview(data)
    try:
        data = DECOMPRESS[piece.compression](data, piece.size)
    except (zstandard.ZstdError, RuntimeError, MemoryError) as error:
        raise DamageError(f'a chunk that is not {piece.compression}: {error}') from error
    if len(data) != piece.size:
        raise DamageError(f'a chunk of {len(data)} bytes, expected {piece.size}')
    if piece.crc and zlib.crc32(data) != piece.crc:
        raise DamageError('a chunk whose checksum is wrong')
    return memoryview(data)


def split(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield opcode and content of each record in a piece. Raises DamageError."""
    at = 0
    while at < len(data):
        try:
            opcode, length = RECORD.unpack_from(data, at)
        except struct.error as error:
            raise DamageError('a piece that ends within a record') from error
        at += RECORD.size + length
        if at > len(data):
            raise DamageError('a piece that ends within a record')
        yield opcode, data[at - length:at]


def parse(record: type[McapRecord], content: bytes | memoryview) -> McapRecord:
    """Return a record of which nothing is missing and nothing left over; or DamageError."""
    stream = ReadDataStream(BytesIO(content))
    try:
        parsed = record.read(stream)
    except (EndOfFile, struct.error, UnicodeDecodeError) as error:
        raise DamageError(f'a damaged {record.__name__}') from error
    if stream.count != len(content):
        raise DamageError(f'a damaged {record.__name__}')
    return parsed


def messages_of(data: memoryview, define: Callable[[McapRecord], None]) -> list[RawMessage]:
    """Return the messages of a piece as they lie; pass on schemas and channels on the way."""
    messages = []
    for opcode, content in split(data):
        if opcode == Opcode.MESSAGE:
            if len(content) < MESSAGE.size:
                raise DamageError('a message without a head')
            channel, _, received_ns, sent_ns = MESSAGE.unpack_from(content)
            messages.append(RawMessage(received_ns, sent_ns, channel, content[MESSAGE.size:]))
        elif opcode == Opcode.SCHEMA:
            define(parse(Schema, content))
        elif opcode == Opcode.CHANNEL:
            define(parse(Channel, content))
    return messages
