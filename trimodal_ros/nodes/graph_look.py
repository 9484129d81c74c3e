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

"""
Looks at a graph for a few seconds: who is there, what comes, what controllers are set to.

It subscribes as the policy does, sends nothing, and asks nodes for their parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import time
from typing import NamedTuple

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from std_msgs.msg import String

from .graph_parameters import ParameterReader
from .message_types import import_message, MessageTypeError
from .ros import LATCHED_QOS, now_ns, SENSOR_QOS
from ..observe.image import decode_image, ImageError, to_rgb
from ..observe.joints import decode_joints, JointStateError
from ..observe.stamp import stamp_ns
from ..progress import progress_bar
from ..spec import RobotSpec
from ..spec.graph.seen import (
    CONTROLLER_STATE,
    DESCRIPTION,
    Endpoint,
    IMAGES,
    INSTRUCTION,
    JOINT_STATE,
    JOINT_STATES,
    Seen,
    Stream,
    TRAJECTORY,
)

ENOUGH = 40             # messages of a stream, to tell its rate
LEAST_S, FOLLOW_S = 1.0, 0.2   # discovery takes its time; between two looks at the graph
UNKNOWN = '_NODE_NAME_UNKNOWN_'


class Topics(NamedTuple):
    """What to listen to, by name with its type, and where commands are played."""

    streams: Mapping[str, str]
    commands: list[str]


def topics_of(robot: RobotSpec) -> Topics:
    """Return what a robot YAML names."""
    return Topics({**{camera.topic: camera.message_type for camera in robot.cameras},
                   JOINT_STATES: JOINT_STATE}, [group.topic for group in robot.groups])


def topics_found(found: Mapping[str, str]) -> Topics:
    """Return all of a graph that a robot YAML could name."""
    return Topics({**{topic: kind for topic, kind in found.items() if kind in IMAGES},
                   JOINT_STATES: JOINT_STATE},
                  [topic for topic, kind in found.items() if kind == TRAJECTORY])


class Look:
    """One look by a node, which it spins; ``robot`` is None where there is none to compare to."""

    def __init__(self, node: Node, robot: RobotSpec | None):
        self._node, self._robot = node, robot
        self._streams: dict[str, Stream] = {}
        self._newest: dict[str, object] = {}
        self._readers: dict[str, ParameterReader] = {}
        self._active: dict[str, bool] = {}
        self._states: dict[str, Subscription] = {}
        self._description = ''
        node.create_subscription(String, DESCRIPTION, self._on_description, LATCHED_QOS)

    def run(self, timeout_s: float) -> Seen:
        """Return what is seen within a time, or as soon as all is there that was looked for."""
        executor, started = SingleThreadedExecutor(
            context=self._node.context), time.monotonic()
        executor.add_node(self._node)
        followed_s = -FOLLOW_S
        with progress_bar(total=round(timeout_s, 1), desc='look', unit='s', leave=False) as bar:
            while (passed_s := time.monotonic() - started) < timeout_s:
                if passed_s - followed_s >= FOLLOW_S:
                    self._follow()
                    bar.update(min(timeout_s, round(passed_s, 1)) - bar.n)
                    followed_s = passed_s
                if passed_s >= LEAST_S and self._has_enough():
                    break
                executor.spin_once(timeout_sec=FOLLOW_S / 4)
        executor.remove_node(self._node)
        return self._seen(time.monotonic() - started)

    # -- the graph

    def _found(self) -> dict[str, str]:
        return {name: types[0] for name, types in self._node.get_topic_names_and_types()}

    def _topics(self) -> Topics:
        return topics_found(self._found()) if self._robot is None else topics_of(self._robot)

    def _follow(self) -> None:
        topics = self._topics()
        for topic, kind in topics.streams.items():
            types = {each.type for each in self._publishers(topic)}
            if topic not in self._streams and types == {kind}:
                self._listen(topic, kind)
        for topic in topics.commands:
            for each in self._subscribers(topic):
                if each.node not in self._readers:
                    self._readers[each.node] = ParameterReader(self._node, each.node)
        for node, reader in self._readers.items():
            reader.step()
            if self._robot is not None:
                self._follow_state(node)

    def _follow_state(self, node: str) -> None:
        """Await the first state of a controller, which sends it for each step while active."""
        topic = f'{node}/{CONTROLLER_STATE}'
        publishers = self._publishers(topic)
        if self._active.get(node) and node in self._states:
            self._node.destroy_subscription(self._states.pop(node))
        elif publishers and node not in self._active:
            try:
                kind = import_message(publishers[0].type)
            except MessageTypeError:   # of control_msgs, which only a machine with a robot has
                return
            self._active[node] = False
            self._states[node] = self._node.create_subscription(
                kind, topic, lambda _: self._active.update({node: True}), SENSOR_QOS)

    def _has_enough(self) -> bool:
        topics = self._topics()
        awaits_urdf = any(each.latched for each in self._publishers(DESCRIPTION))
        return (all(self._is_settled(topic, kind) for topic, kind in topics.streams.items())
                and all(self._subscribers(topic) for topic in topics.commands)
                and all(reader.done for reader in self._readers.values())
                and all(self._active.values())
                and bool(self._description or not awaits_urdf))

    def _is_settled(self, topic: str, kind: str) -> bool:
        """Tell whether enough came, or nothing can come as the types differ."""
        if topic in self._streams:
            return len(self._streams[topic].received_ns) >= ENOUGH
        return any(each.type != kind for each in self._publishers(topic))

    def _publishers(self, topic: str) -> list[Endpoint]:
        return self._endpoints(self._node.get_publishers_info_by_topic(self._full(topic)))

    def _subscribers(self, topic: str) -> list[Endpoint]:
        return self._endpoints(self._node.get_subscriptions_info_by_topic(self._full(topic)))

    def _full(self, topic: str) -> str:
        return self._node.resolve_topic_name(topic)

    def _endpoints(self, infos: list[TopicEndpointInfo]) -> list[Endpoint]:
        ends = [_endpoint(info) for info in infos if info.node_name != UNKNOWN]
        return [end for end in ends if end.node != self._node.get_fully_qualified_name()]

    def _seen(self, seconds: float) -> Seen:
        topics = self._topics()
        for topic, message in self._newest.items():
            self._judge_newest(topic, message)
        named = [*topics.streams, *topics.commands, INSTRUCTION, DESCRIPTION]
        return Seen(
            seconds, {topic: self._publishers(topic) for topic in named},
            {topic: self._subscribers(topic) for topic in topics.commands}, self._streams,
            {node: reader.values for node, reader in self._readers.items()}, self._found(),
            self._description, self._node.get_namespace(), self._active)

    # -- messages

    def _listen(self, topic: str, kind: str) -> None:
        stream = self._streams[topic] = Stream()
        self._node.create_subscription(
            import_message(kind), topic, lambda message: self._on_message(topic, stream, message),
            SENSOR_QOS)

    def _on_message(self, topic: str, stream: Stream, message) -> None:
        stream.received_ns.append(now_ns(self._node))
        stream.stamps_ns.append(stamp_ns(message.header.stamp))
        self._newest[topic] = message
        if topic == JOINT_STATES:
            stream.order = tuple(message.name)
            stream.positions.update(zip(message.name, message.position))

    def _on_description(self, message: String) -> None:
        self._description = message.data

    def _judge_newest(self, topic: str, message) -> None:
        stream = self._streams[topic]
        try:
            if topic == JOINT_STATES:
                self._try_joints(message)
            else:
                stream.encoding = getattr(message, 'encoding', None) or message.format
                image = self._try_image(topic, message)
                stream.size_px = (image.shape[1], image.shape[0])
        except (ImageError, JointStateError) as error:
            stream.fault = str(error)

    def _try_joints(self, message) -> None:
        if self._robot is not None:
            decode_joints(message, self._robot)

    def _try_image(self, topic: str, message) -> np.ndarray:
        """Return the image as it was sent; raises ImageError where the policy couldn't see it."""
        for camera in self._robot.cameras if self._robot else ():
            if camera.topic == topic:
                decode_image(message, camera)
        return to_rgb(message, topic)


def _endpoint(info: TopicEndpointInfo) -> Endpoint:
    qos = info.qos_profile
    return Endpoint(f'{info.node_namespace.rstrip("/")}/{info.node_name}', info.topic_type,
                    qos.reliability == ReliabilityPolicy.RELIABLE,
                    qos.durability == DurabilityPolicy.TRANSIENT_LOCAL)


def look(make_node: Callable[[], Node], robot: RobotSpec | None, timeout_s: float) -> Seen:
    """Return what a node of its own sees of the graph."""
    node = make_node()
    try:
        return Look(node, robot).run(timeout_s)
    finally:
        node.destroy_node()
