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

"""Trajectories on the topics of the robot's controllers, and what class an image topic has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import time

from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from trajectory_msgs.msg import JointTrajectory

from .ros import COMMAND_QOS
from ..spec import CameraSpec, RobotSpec


def image_class(camera: CameraSpec) -> type:
    """Return the message class of a camera's topic."""
    return CompressedImage if camera.is_compressed else Image


class TrajectoryPublishers:
    """
    A publisher for each of the robot's controllers; names begin with ``under``.

    ``complains`` returns the callback for a QoS that doesn't match, for a topic.
    """

    def __init__(self, node: Node, robot: RobotSpec,
                 complains: Callable[[str], Callable] | None = None, under: str = ''):
        self._by_topic = {}
        for group in robot.groups:
            topic = under + group.topic.strip('/') if under else group.topic
            events = PublisherEventCallbacks(
                incompatible_qos=complains(topic)) if complains else None
            self._by_topic[group.topic] = node.create_publisher(
                JointTrajectory, topic, COMMAND_QOS, event_callbacks=events)

    @property
    def publishers(self) -> list:
        """The publishers, to be destroyed by the node."""
        return list(self._by_topic.values())

    def publish(self, messages: Mapping[str, JointTrajectory]) -> None:
        """Publish to every controller what ``to_messages`` has for it."""
        for topic, message in messages.items():
            self._by_topic[topic].publish(message)

    def listeners(self) -> int:
        """Return how many subscribe, on the topic where they are fewest."""
        return min(each.get_subscription_count() for each in self._by_topic.values())

    def wait_for_all_acked(self, seconds: float) -> None:
        """Wait until all that was published has arrived, for so long in all."""
        until = time.monotonic() + seconds
        for publisher in self._by_topic.values():
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, until - time.monotonic())))
