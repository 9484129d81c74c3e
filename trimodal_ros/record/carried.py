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


"""What was said before a moment and is still true: what a part of a recording begins with."""

from __future__ import annotations

from .messages import TYPESTORE
from .playing import played
from .reader import Recorded
from .topic import Topic
from ..observe.stamp import stamp_ns
from ..spec.controller import TRAJECTORY_TOPIC

TRAJECTORY_TYPE = 'trajectory_msgs/msg/JointTrajectory'
TRANSFORMS_TYPE = 'tf2_msgs/msg/TFMessage'   # latched, each tells of other frames


class Carried:
    """
    Takes messages in order of receipt, and keeps what holds on.

    That is the newest of each latched topic, of static transforms all, and of each controller the
    trajectory that it still plays. Bounded, but for static transforms.
    """

    def __init__(self, path):
        self._path = path    # of the recording, for errors
        self._is_latched: dict[Topic, bool] = {}
        self._kept: dict[Topic, list[Recorded]] = {}

    def note(self, message: Recorded) -> None:
        """Take a message. Raises EpisodeError for a topic whose QoS can't be read."""
        topic = message.topic
        if topic not in self._is_latched:
            self._is_latched[topic] = played(self._path, topic.name, topic.type_name,
                                             topic.qos).latched
        if self._is_latched[topic] or _is_command(topic):
            before = self._kept.get(topic, []) if topic.type_name == TRANSFORMS_TYPE else []
            self._kept[topic] = [*before, message._replace(data=bytes(message.data))]

    def at(self, time_ns: int) -> list[Recorded]:
        """Return what holds on at a time, in order of receipt."""
        kept = [message for messages in self._kept.values() for message in messages
                if not _is_command(message.topic) or _is_under_way(message, time_ns)]
        return sorted(kept, key=lambda message: message.received_ns)


def _is_command(topic: Topic) -> bool:
    """Tell a controller's trajectories from labels, which have the same type."""
    return (topic.type_name == TRAJECTORY_TYPE
            and topic.name.rpartition('/')[2] == TRAJECTORY_TOPIC)


def _is_under_way(message: Recorded, time_ns: int) -> bool:
    trajectory = TYPESTORE.deserialize_cdr(message.data, TRAJECTORY_TYPE)
    start_ns = stamp_ns(trajectory.header.stamp)   # 0: from receipt on, which is another here
    return bool(start_ns and trajectory.points) and (
        start_ns + stamp_ns(trajectory.points[-1].time_from_start) > time_ns)
