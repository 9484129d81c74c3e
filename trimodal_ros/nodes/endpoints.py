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

"""What nodes open on the graph: topics they publish and hear, services they give and ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields
import time

from rclpy.node import Node

from .private_graph import GraphError

TIMEOUT_S, POLL_S = 10.0, 0.02


@dataclass(frozen=True)
class Endpoints:
    """Names as a node calls them (``~/stop``, ``joint_states``, ``/rosout``), with their types."""

    publishes: dict[str, str]
    subscribes: dict[str, str]
    serves: dict[str, str]
    asks: dict[str, str]

    def __or__(self, other: Endpoints) -> Endpoints:
        """Return what either has."""
        return Endpoints(*({**getattr(self, field.name), **getattr(other, field.name)}
                           for field in fields(self)))


def endpoints_of(node: Node) -> Endpoints:
    """
    Return what a node has open, parameter services and the like included.

    It needs a namespace of its own, to tell relative names from absolute ones. Raises GraphError
    where the graph does not show in time what rclpy has opened.
    """
    if node.get_namespace() == '/':
        raise ValueError(f'{node.get_name()} has no namespace: its relative names look absolute')
    deadline = time.monotonic() + TIMEOUT_S
    while lacking := _opened(node) - {name for found in _on_graph(node) for name in found}:
        if time.monotonic() > deadline:
            raise GraphError(f'{node.get_name()}: not on the graph: {sorted(lacking)}')
        time.sleep(POLL_S)
    return Endpoints(*({own_name(topic, node.get_name(), node.get_namespace()): type_name
                        for topic, type_name in sorted(found.items())}
                       for found in _on_graph(node)))


def _on_graph(node: Node) -> list[dict[str, str]]:
    return [{topic: types[0] for topic, types in find(node.get_name(), node.get_namespace())}
            for find in (node.get_publisher_names_and_types_by_node,
                         node.get_subscriber_names_and_types_by_node,
                         node.get_service_names_and_types_by_node,
                         node.get_client_names_and_types_by_node)]


def _opened(node: Node) -> set[str]:
    """Return the topics and services that rclpy knows of; rcl has some more, opened before."""
    topics = [*node.publishers, *node.subscriptions]
    services = [*node.services, *node.clients]
    return {*(topic.topic_name for topic in topics),
            *(node.resolve_service_name(service.srv_name) for service in services)}


def own_name(topic: str, name: str, namespace: str) -> str:
    """
    Return a topic or service as the node itself calls it.

    >>> own_name('/left/policy/stop', 'policy', '/left'), own_name('/left/joy', 'policy', '/left')
    ('~/stop', 'joy')
    """
    private, relative = f'{namespace}/{name}/', f'{namespace}/'
    if topic.startswith(private):
        return '~/' + topic.removeprefix(private)
    return topic.removeprefix(relative)
