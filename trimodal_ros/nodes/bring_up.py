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

"""Bring a lifecycle node up, for launch files: it is activated as soon as it has its inputs."""

from __future__ import annotations

import sys
from typing import Literal

from lifecycle_msgs.msg import Transition
from rclpy.utilities import remove_ros_args
import tyro

from .conductor import Conductor
from .private_graph import GraphError
from ..command_line import one_line_errors

PAUSE_S = 0.1   # each time it refuses it says why in its log


def bring_up(node: str = 'policy', only: Literal['configure', 'activate', ''] = '') -> None:
    """
    Configure and activate a lifecycle node, and end; fails where it refuses.

    It is asked to activate again and again until its inputs are there, for a minute at most.

    :param node: Name of the node.
    :param only: One of the two transitions instead of both.
    """
    conductor = Conductor()
    try:
        if only != 'activate':
            conductor.transition(Transition.TRANSITION_CONFIGURE, node)
        if only != 'configure':
            conductor.activate(node, PAUSE_S)
    finally:
        conductor.close()


def main(args: list[str] | None = None) -> None:
    args = remove_ros_args(sys.argv)[1:] if args is None else args
    with one_line_errors(GraphError):
        tyro.cli(bring_up, args=args, prog='trimodal_ros.nodes.bring_up')


if __name__ == '__main__':
    main()
