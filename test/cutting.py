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

"""Parts of recordings, and small recordings to be cut."""

from bags import START_NS, STARTED

from trimodal_ros.record.cut import cut_recordings, Cuts
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.qos import LATCHED, RELIABLE
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.spec import NS_PER_S


def cut(recordings, out, **cuts):
    """Return the parts of the one recording there is."""
    [done] = cut_recordings([recordings], out, Cuts(**cuts), show_progress=False)
    assert not done.fault, done.fault
    return done.parts


def said(path, *messages, info=STARTED):
    """Write an episode of (s, topic, text); topics that begin with a capital are volatile."""
    writer = EpisodeWriter(path, info)
    for topic in dict.fromkeys(topic for _, topic, _ in messages):
        writer.add_topic(topic, 'std_msgs/msg/String', [RELIABLE if topic.istitle() else LATCHED])
    for at_s, topic, text in messages:
        writer.write(topic, START_NS + round(at_s * NS_PER_S),
                     serialize(BAG_TYPES.String(data=text)))
    return writer.close(info)
