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

"""Long recordings made of short ones, which are repeated with later stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import struct

from trimodal_ros.record.bag_metadata import message_counts
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.messages import TYPESTORE
from trimodal_ros.record.qos import LATCHED, RELIABLE
from trimodal_ros.record.reader import read_raw, Recorded
from trimodal_ros.record.sample import header_stamp_ns, STAMP_AT
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S

APART_NS = NS_PER_S // 10    # between the end of an episode and its beginning again
WITHOUT_STAMP = ('std_msgs/msg/String',)
Change = Callable[[Recorded, bytes], bytes]


def write_long(source: Path, out: Path, goes_on: Callable[[int, int], bool],
               change: Change = lambda recorded, data: data) -> Path:
    """
    Write an episode again and again while ``goes_on`` says so of seconds and bytes until then.

    ``change`` may make other data of each message. Topics of unknown types are left out.
    """
    info, writer = read_info(source), EpisodeWriter(out, read_info(source), 'none')
    offered, written, first_ns = set(), 0, None
    for recorded, received_ns, data in _repeated(source):
        first_ns = received_ns if first_ns is None else first_ns
        if not goes_on((received_ns - first_ns) // NS_PER_S, written):
            break
        topic = recorded.topic
        if topic.name not in offered:
            latched = topic.name == 'instruction'
            writer.add_topic(topic.name, topic.type_name, [LATCHED if latched else RELIABLE])
            offered.add(topic.name)
        data = change(recorded, data)
        writer.write(topic.name, received_ns, data)
        written += len(data)
    return writer.close(info)


def _repeated(source: Path) -> Iterator[tuple[Recorded, int, bytes]]:
    topics = [name for name in message_counts(source) if name != 'demonstration']
    later_ns = 0
    while True:
        first_ns = last_ns = None
        for recorded in read_raw(source, topics):
            first_ns = recorded.received_ns if first_ns is None else first_ns
            last_ns = recorded.received_ns
            yield recorded, recorded.received_ns + later_ns, _later(recorded, later_ns)
        later_ns += last_ns - first_ns + APART_NS


def _later(recorded: Recorded, by_ns: int) -> bytes:
    data = bytearray(recorded.data)
    assert recorded.topic.type_name in TYPESTORE.types
    if recorded.topic.type_name not in WITHOUT_STAMP:
        sec, nanosec = divmod(header_stamp_ns(data) + by_ns, NS_PER_S)
        struct.pack_into('<iI', data, STAMP_AT, sec, nanosec)
    return bytes(data)
