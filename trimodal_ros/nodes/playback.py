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

"""Publishes what was recorded, as it is, and the time it was received at as ``/clock``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
import threading
import time

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from .message_types import import_message
from .ros import on_incompatible_qos, ROS_TYPES
from ..record.playing import choose_topics, Played
from ..record.reader import Recorded
from ..spec import NS_PER_S

CLOCK = '/clock'
CLOCK_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class Playback:
    """
    Publishers of what is played on a node: the topics named, by default the sensors.

    ``published`` counts messages by the full name of their topic.
    """

    def __init__(self, node: Node, names: Collection[str] | None = None):
        self._node, self._names = node, names
        self._clock = node.create_publisher(Clock, CLOCK, CLOCK_QOS)
        self._publishers: dict[str, tuple[Played, Publisher]] = {}
        self.published: Counter[str] = Counter()

    def open(self, path: Path) -> list[str]:
        """
        Offer the topics of a bag as they were offered when it was recorded; return their names.

        Raises EpisodeError for a bag without any, or with messages of a type not installed here.
        """
        topics = choose_topics(path, self._names)
        for topic in topics:
            before, publisher = self._publishers.get(topic.name, (None, None))
            if before == topic:
                continue
            if publisher is not None:
                self._node.destroy_publisher(publisher)
            self._publishers[topic.name] = topic, self._offer(topic)
        return [topic.name for topic in topics]

    def _offer(self, topic: Played) -> Publisher:
        profile = QoSProfile(
            depth=topic.depth,
            reliability=(ReliabilityPolicy.RELIABLE if topic.reliable
                         else ReliabilityPolicy.BEST_EFFORT),
            durability=(DurabilityPolicy.TRANSIENT_LOCAL if topic.latched
                        else DurabilityPolicy.VOLATILE))
        return self._node.create_publisher(
            import_message(topic.type_name), topic.name, profile,
            event_callbacks=PublisherEventCallbacks(incompatible_qos=on_incompatible_qos(
                topic.name, lambda _, text: self._node.get_logger().error(text))))

    def close(self) -> None:
        """Take back all that is offered; what was latched is then told nobody any more."""
        for _, publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._node.destroy_publisher(self._clock)

    def full_name(self, topic: str) -> str:
        return self._node.resolve_topic_name(topic)

    def unheard(self) -> list[str]:
        """Return the topics, ``/clock`` too, that nobody subscribes to."""
        heard = {CLOCK: self._clock, **{name: publisher for name, (_, publisher)
                                        in self._publishers.items()}}
        return [name for name, publisher in heard.items()
                if not publisher.get_subscription_count()]

    def tell_time(self, time_ns: int) -> None:
        """Publish a time on ``/clock``."""
        self._clock.publish(Clock(clock=ROS_TYPES.header(time_ns).stamp))

    def publish(self, recorded: Recorded) -> None:
        """Publish a message of an open topic, serialized as it was."""
        _, publisher = self._publishers[recorded.topic.name]
        publisher.publish(bytes(recorded.data))
        self.published[self.full_name(recorded.topic.name)] += 1


class Pace:
    """Simulated time, in ns, that goes on ``rate`` times as fast as time does, or pauses."""

    def __init__(self, rate: float, steady: Callable[[], int] = time.monotonic_ns):
        self.rate, self._steady = rate, steady
        self._lock, self._is_paused = threading.Lock(), False
        self.begin(0)

    def begin(self, time_ns: int) -> None:
        """Go on from a time."""
        with self._lock:
            self._from_ns, self._began_ns = time_ns, self._steady()

    @property
    def now_ns(self) -> int:
        with self._lock:
            return self._now_ns()

    def _now_ns(self) -> int:
        gone_ns = 0 if self._is_paused else self._steady() - self._began_ns
        return self._from_ns + round(self.rate * gone_ns)

    def left_s(self, time_ns: int) -> float:
        """Return how long it takes until a time, unpaused; less than 0 when it has passed."""
        return (time_ns - self.now_ns) / NS_PER_S / self.rate

    def pause(self, is_paused: bool) -> None:
        """Stand still, or go on."""
        with self._lock:
            self._from_ns, self._began_ns = self._now_ns(), self._steady()
            self._is_paused = is_paused
