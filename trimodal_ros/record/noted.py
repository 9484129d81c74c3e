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

"""What the writer notes in the file for a recovery: checked, unlike other MCAP metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import zlib

from mcap.records import Metadata
from mcap.writer import Writer

from .episode import METADATA_KEY

INFO, TOPICS = 'info', 'topics'


def note(mcap: Writer, key: str, text: str) -> None:
    """Write a text outside of the chunks."""
    mcap.add_metadata(METADATA_KEY, {key: text, 'crc32': _crc(text)})


def noted(records: Iterable[Metadata], key: str) -> Iterator[str]:
    """Yield the texts noted under a key, in order; damaged ones are left out."""
    for record in records:
        text = record.metadata.get(key)
        if (record.name == METADATA_KEY and text is not None
                and record.metadata.get('crc32') == _crc(text)):
            yield text


def _crc(text: str) -> str:
    return f'{zlib.crc32(text.encode()):08x}'
