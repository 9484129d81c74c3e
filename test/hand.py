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

"""A scripted person at a stick, on a real graph."""

import itertools

import graph  # noqa: F401 - first: it skips where there is no ROS

# isort: split
from conftest import so101_yaml
from graph import overrides, wait_for
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from trimodal_ros.nodes.ros import LATCHED_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.nodes.teleop import TeleopNode

NUMBERS = itertools.count()
AXES = 8
RIGHT = (0.6, 0, 0, 0, 0, 0, 0, 0)


def make_teleop(**values) -> TeleopNode:
    """Return a node with a name of its own."""
    return TeleopNode(
        cli_args=['--ros-args', '-r', f'__node:=teleop_{next(NUMBERS)}'],
        parameter_overrides=overrides(**{
            'robot': so101_yaml(), 'mapping': 'keyboard.yaml', **values}))


class Hand(Node):
    """
    Publishes joy every 50 ms: ``push`` and ``let_go``; ``takeovers`` are those heard.

    As a person does, they let go for a moment when the node asks for it: a machine that stood
    still for some tenths of a second holds the robot.
    """

    def __init__(self, teleop: TeleopNode | None = None):
        super().__init__(f'hand_{next(NUMBERS)}', start_parameter_services=False)
        self._teleop, self.axes, self.is_silent, self.takeovers = teleop, None, False, []
        self._joy = self.create_publisher(Joy, 'joy', SENSOR_QOS)
        self.create_subscription(Bool, 'takeover', lambda message: self.takeovers.append(
            message.data), LATCHED_QOS)
        self.create_timer(0.05, self._publish)

    def push(self, axes=RIGHT) -> None:
        self.axes = axes

    def let_go(self) -> None:
        self.axes = None

    def _publish(self) -> None:
        asked = self._teleop is not None and self._teleop.teleoperator.reason
        axes = None if asked else self.axes
        if not self.is_silent:
            self._joy.publish(Joy(
                header=ROS_TYPES.header(now_ns(self)), buttons=[int(axes is not None), 0],
                axes=np.zeros(AXES, np.float32) if axes is None else np.float32(axes)))


def wait_until_ready(teleop):
    wait_for(lambda: teleop._command.listeners() > 1, 'somebody to listen')
    wait_for(lambda: teleop.teleoperator.hand.stick is not None
             and not teleop.teleoperator.reason, 'the teleop node to be ready')
