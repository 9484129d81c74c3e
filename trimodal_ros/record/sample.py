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

"""One serialized message as it was received, and what its bytes tell without deserializing."""

from __future__ import annotations

from struct import unpack_from
from typing import NamedTuple

import xxhash

from ..spec import NS_PER_S

ENCAPSULATION = 4   # bytes in front of a CDR message; the second one is odd for little-endian
STAMP_AT, FRAME_ID_AT = ENCAPSULATION, ENCAPSULATION + 8
IMAGE, COMPRESSED_IMAGE = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
HASHED_TYPES = (IMAGE, COMPRESSED_IMAGE)


class Sample(NamedTuple):
    """
    A message in CDR.

    ``received_ns`` is the time of receipt, ``sent_ns`` of sending, as the middleware noted it.
    ``stamp_ns`` is the header's, None for a type without; ``digest`` is of an image's content.
    """

    topic: str
    received_ns: int
    data: bytes
    sent_ns: int | None = None
    stamp_ns: int | None = None
    digest: int | None = None


def header_stamp_ns(data: bytes) -> int:
    """
    Return the stamp of a message that begins with a ``std_msgs/Header``, in ns.

    >>> header_stamp_ns(bytes([0, 1, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0]))
    2000000005
    """
    sec, nanosec = unpack_from('<iI' if data[1] & 1 else '>iI', data, STAMP_AT)
    return sec * NS_PER_S + nanosec


def content_digest(data: bytes) -> int:
    """Return the xxh3 of all that comes after the header of a message: 64 bits."""
    length, = unpack_from('<I' if data[1] & 1 else '>I', data, FRAME_ID_AT)
    return xxhash.xxh3_64_intdigest(memoryview(data)[FRAME_ID_AT + 4 + length:])
