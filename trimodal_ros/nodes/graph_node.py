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

"""A node of a command that looks at a graph, named and remapped as the one it looks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import os

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

NAME = 'trimodal_ros_spec'


@contextmanager
def graph_node(namespace: str, remap: Sequence[str],
               use_sim_time: bool) -> Iterator[Callable[[], Node]]:
    """Yield what makes the node, on a context of its own. Raises ValueError for a wrong remap."""
    wrong = [rule for rule in remap if ':=' not in rule]
    if wrong:
        raise ValueError(f'remap {wrong[0]!r}: expected FROM:=TO')
    rules = [part for rule in remap for part in ('-r', rule)]
    context = rclpy.Context()
    rclpy.init(context=context, args=[])

    def make() -> Node:
        return Node(f'{NAME}_{os.getpid()}', namespace=namespace or None, context=context,
                    cli_args=['--ros-args', *rules] if rules else None, enable_rosout=False,
                    parameter_overrides=[Parameter('use_sim_time', value=use_sim_time)],
                    start_parameter_services=False)
    try:
        yield make
    finally:
        rclpy.try_shutdown(context=context)
