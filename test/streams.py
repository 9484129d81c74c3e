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

"""Samples of a camera and of joints, as a recorder gets them."""

from trimodal_ros.record.sample import Sample
from trimodal_ros.record.selection import Wanted
from trimodal_ros.record.stream_health import Limits
from trimodal_ros.spec import NS_PER_S

START_NS = 1000 * NS_PER_S
MS = NS_PER_S // 1000
CAMERA, JOINTS = 'front/image_raw', 'joint_states'
LIMITS = Limits()
WANTED = {CAMERA: Wanted(CAMERA, True, max_gap_s=0.2, min_rate_hz=15.0),
          JOINTS: Wanted(JOINTS, True, max_gap_s=0.1)}


def samples(topic=CAMERA, count=30, every_ms=33, **changes) -> list[Sample]:
    """Return samples that come regularly, 5 ms after their stamp, each of another content."""
    times = [START_NS + n * every_ms * MS for n in range(count)]
    return [Sample(topic, time, b'12345678', time, time - 5 * MS,
                   number if topic == CAMERA else None)._replace(**changes)
            for number, time in enumerate(times)]


def shifted(stream, first, by_ms):
    """Return a stream of which all from one on comes later, and is stamped later."""
    return stream[:first] + [each._replace(received_ns=each.received_ns + by_ms * MS,
                                           stamp_ns=each.stamp_ns + by_ms * MS)
                             for each in stream[first:]]
