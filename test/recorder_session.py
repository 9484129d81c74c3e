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

"""A recorder's session without a graph, that has been told what to do."""

from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.recording import Kind
from trimodal_ros.record.sample import Sample
from trimodal_ros.record.selection import Wanted
from trimodal_ros.record.session import Session
from trimodal_ros.record.settings import Settings

NOW_NS = 10**12
STRING = Kind('std_msgs/msg/String', ())
TOLD = Sample('instruction', NOW_NS, serialize(BAG_TYPES.String(data='put it there')))


def make_session(folder, topics=(), kind_of=lambda topic: STRING, tell=lambda level, text: None,
                 **settings) -> Session:
    session = Session(Settings(folder, 'robot', floor_bytes=0, **settings), kind_of,
                      lambda: NOW_NS, tell)
    for topic in ('instruction', *topics):
        session.expect(Wanted(topic))
    session.take(TOLD)
    return session
