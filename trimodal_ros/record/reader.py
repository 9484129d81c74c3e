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

"""Reads episodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rosbags.rosbag2 import Reader
from rosbags.rosbag2.errors import ReaderError

from .episode import EpisodeError
from .messages import TYPESTORE


def _open(path: Path) -> Reader:
    try:
        reader = Reader(path)
        reader.open()
    except (ReaderError, OSError) as error:
        raise EpisodeError(f'{path} is not a readable episode: {error}') from error
    return reader


def read_messages(path: Path) -> Iterator[tuple[str, int, object]]:
    """Yield (topic, time of receipt in ns, message) in the order of receipt; or EpisodeError."""
    reader = _open(path)
    try:
        for connection, time_ns, data in reader.messages():
            yield connection.topic, time_ns, TYPESTORE.deserialize_cdr(data, connection.msgtype)
    except Exception as error:  # noqa: B902 - damaged bytes: whatever MCAP, zstd or CDR raise
        raise EpisodeError(f'{path}: damaged: {error!r}') from error
    finally:
        reader.close()
