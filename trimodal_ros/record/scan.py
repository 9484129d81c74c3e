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
What is in an MCAP file, whole or not.

Found from its first byte to its last, its index not trusted; what doesn't fit is passed over up to
the next chunk, and told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
import mmap
import os
from pathlib import Path
import re
import struct
import zlib

from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from .mcap_file import Damage, McapFile
from .piece import chunk_at, DamageError, MESSAGE, parse, Piece, RECORD

MAGIC = b'\x89MCAP0\r\n'
HEAD_BYTES = 64                     # enough for the head of a chunk
LIKE_A_CHUNK = re.compile(rb'\x06[\s\S]{5}\x00\x00\x00')  # of less than a terabyte
LOOSE_BYTES = 2**20
MAX_RECORD_BYTES = 2**30            # of those outside of chunks
INDEX = struct.Struct('<HI')        # channel, length of what follows; of a message index
INDEX_ENTRY_BYTES = 16
FOOTER_BYTES = RECORD.size + 20
DATA_END_BYTES = RECORD.size + 4
SUMMARY_CRC_BYTES = 4
PARSED = {Opcode.HEADER: Header, Opcode.FOOTER: Footer, Opcode.SCHEMA: Schema,
          Opcode.CHANNEL: Channel, Opcode.CHUNK_INDEX: ChunkIndex,
          Opcode.ATTACHMENT: Attachment, Opcode.ATTACHMENT_INDEX: AttachmentIndex,
          Opcode.STATISTICS: Statistics, Opcode.METADATA: Metadata,
          Opcode.METADATA_INDEX: MetadataIndex, Opcode.SUMMARY_OFFSET: SummaryOffset,
          Opcode.DATA_END: DataEnd}


def scan(path: Path) -> McapFile:
    """Find the pieces of a file, without reading them. Raises OSError; to be closed."""
    descriptor = os.open(path, os.O_RDONLY)
    found = McapFile(path, descriptor, os.fstat(descriptor).st_size)
    try:
        _walk(found)
    except BaseException:
        found.close()
        raise
    return found


def _walk(found: McapFile) -> None:
    at = 0
    if os.pread(found.descriptor, len(MAGIC), 0) == MAGIC:
        at = len(MAGIC)
    else:
        at = _pass_over(found, 0, 'no MCAP file begins like this')
    while at < found.size and not found.is_ended:
        try:
            at = _take(found, at)
        except DamageError as error:
            at = _pass_over(found, at, str(error))
    if not found.is_ended and not found.damages:
        found.damages.append(Damage(found.size, 0, 'ends without a footer'))


def _take(found: McapFile, at: int) -> int:
    """Take the record at ``at`` in and return the offset of the next. Raises DamageError."""
    head = os.pread(found.descriptor, HEAD_BYTES, at)
    if len(head) < RECORD.size:
        raise DamageError('ends within a record')
    opcode, length = RECORD.unpack_from(head)
    end, taken = at + RECORD.size + length, None
    if opcode == Opcode.CHUNK:
        taken = chunk_at(head, at, length)
    elif opcode == Opcode.MESSAGE_INDEX:
        _check_message_index(head, length)
    elif opcode not in PARSED and opcode != Opcode.MESSAGE:
        raise DamageError('no record begins like this')
    if end > found.size:
        raise DamageError('ends within a record')
    if taken is not None:
        found.pieces.append(taken)
    elif opcode == Opcode.MESSAGE:
        _take_loose(found, Piece(at, at, end - at))
    elif opcode in PARSED:
        _take_parsed(found, opcode, at, end)
    return end


def _check_message_index(head: bytes, length: int) -> None:
    """Raise DamageError for a length that would lead astray; nothing else of it is needed."""
    if length < INDEX.size or len(head) < RECORD.size + INDEX.size:
        raise DamageError('a damaged message index')
    entries = INDEX.unpack_from(head, RECORD.size)[1]
    if entries % INDEX_ENTRY_BYTES or length != INDEX.size + entries:
        raise DamageError('a damaged message index')


def _take_loose(found: McapFile, piece: Piece) -> None:
    """Add a message outside of chunks to the piece before it, up to about a megabyte."""
    head = os.pread(found.descriptor, MESSAGE.size, piece.offset + RECORD.size)
    try:
        channel, _, received_ns, _ = MESSAGE.unpack(head)
    except struct.error as error:
        raise DamageError('a message without a head') from error
    if channel not in found.channels:
        raise DamageError(f'a message of channel {channel}, which is not defined before it')
    last = found.pieces[-1] if found.pieces else None
    if last and last.compression is None and last.end == piece.offset and (
            last.data_length < LOOSE_BYTES):
        found.pieces[-1] = replace(last, data_length=piece.end - last.offset,
                                   first_ns=min(last.first_ns, received_ns),
                                   last_ns=max(last.last_ns, received_ns))
    else:
        found.pieces.append(replace(piece, first_ns=received_ns, last_ns=received_ns))


def _take_parsed(found: McapFile, opcode: int, at: int, end: int) -> None:
    content_at = at + RECORD.size
    if end - content_at > MAX_RECORD_BYTES:
        raise DamageError('a record too long for what it is')
    record = parse(PARSED[opcode], os.pread(found.descriptor, end - content_at, content_at))
    if isinstance(record, Footer):
        _end(found, record, end)
    elif isinstance(record, DataEnd):
        found.summary_at = end
    elif isinstance(record, Metadata):
        found.metadata.append(record)
    elif found.summary_at is not None:
        found.summary.append(record)
    elif isinstance(record, (Schema, Channel)):
        found.define(record)


def _end(found: McapFile, footer: Footer, end: int) -> None:
    if os.pread(found.descriptor, len(MAGIC) + 1, end) != MAGIC:
        raise DamageError('a footer that is not the end')
    found.is_ended = True
    if not footer.summary_start:
        return
    start = footer.summary_start if found.summary_at is None else found.summary_at
    length = max(0, end - SUMMARY_CRC_BYTES - start)
    if footer.summary_crc and footer.summary_crc != zlib.crc32(
            os.pread(found.descriptor, length, start)):
        found.damages.append(Damage(start, length, 'a summary whose checksum is wrong'))
        return
    if start != footer.summary_start:
        found.damages.append(Damage(start, length, 'a summary that was at byte '
                                    f'{footer.summary_start}'))
    _take_summary(found)


def _take_summary(found: McapFile) -> None:
    for record in found.summary:
        if isinstance(record, (Schema, Channel)):
            found.define(record)
        elif isinstance(record, ChunkIndex):
            found.index.append(record)
        elif isinstance(record, Statistics):
            found.statistics = record


def _pass_over(found: McapFile, at: int, what: str) -> int:
    """Note a damage at ``at`` and return where the next chunk, or else the summary, begins."""
    next_chunk = next(chunks_between(found, at + 1, found.size), None)
    end = next_chunk.offset if next_chunk else _data_end(found, at + 1) or found.size
    found.damages.append(Damage(at, end - at, what))
    return end


def chunks_between(found: McapFile, start: int, end: int) -> Iterator[Piece]:
    """Yield what begins like a chunk between two bytes, and ends within the file."""
    if start >= end:
        return
    with mmap.mmap(found.descriptor, 0, access=mmap.ACCESS_READ) as whole:
        for match in LIKE_A_CHUNK.finditer(whole, start, end):
            at = match.start()
            head = whole[at:at + HEAD_BYTES]
            with suppress(DamageError):
                chunk = chunk_at(head, at, RECORD.unpack_from(head)[1])
                if chunk.end <= found.size:
                    yield chunk


def _data_end(found: McapFile, start: int) -> int | None:
    """Return where the data ends and the summary begins, if that can be told."""
    tail = os.pread(found.descriptor, FOOTER_BYTES + len(MAGIC),
                    max(0, found.size - FOOTER_BYTES - len(MAGIC)))
    if not tail.endswith(MAGIC) or tail[:RECORD.size] != RECORD.pack(
            Opcode.FOOTER, FOOTER_BYTES - RECORD.size):
        return None
    footer = parse(Footer, tail[RECORD.size:FOOTER_BYTES])
    at = footer.summary_start - DATA_END_BYTES
    return at if start <= at < found.size else None
