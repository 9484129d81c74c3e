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

"""Nodes of a test on one executor in a thread, and waiting for what they say."""

from contextlib import contextmanager
import threading
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')
from rcl_interfaces.msg import Log  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from trimodal_ros.nodes.ros import LATCHED_QOS, now_ns, ROS_TYPES, SENSOR_QOS  # noqa: E402
from trimodal_ros.sim.messages import image_message, joint_state_message  # noqa: E402

PATIENCE_S = 60.0  # a loaded machine takes its time; nothing waits longer than it must
HEAR_ALL_QOS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
REST_J = [-0.12, -0.05, 0.04, 1.5, -1.64, 0.4]  # from where no plan is a jump


@contextmanager
def spinning(*nodes):
    """Spin nodes in a thread; destroy them after."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.02)
    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for node in nodes:
            if hasattr(node, 'close'):
                node.close()
            node.destroy_node()


def wait_for(condition, what: str):
    """Poll until a condition holds and return its value; fail naming ``what``."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    pytest.fail(f'waited {PATIENCE_S} s in vain for {what}')


def overrides(**values) -> list[Parameter]:
    return [Parameter(name, value=str(value) if not isinstance(value, (int, float, bool))
                      else value) for name, value in values.items()]


class Driver(Node):
    """
    A mock of cameras and arm drivers: the arm rests, every image is another noise.

    Stamps are ``back_ns`` behind this node's clock, those of a camera ``late_ns`` more; with
    ``keeps_time`` it is published as /clock. ``rounds`` counts how often all was published.
    """

    def __init__(self, robot, keeps_time: bool = False):
        super().__init__('driver')
        self.robot, self.trajectories, self.logged = robot, [], []
        self.silent, self.encoding = set(), 'rgb8'
        self.back_ns, self.late_ns, self.rounds = 0, {}, 0
        self._time = self.create_publisher(Clock, '/clock', 1) if keeps_time else None
        self.create_subscription(
            Log, '/rosout', lambda message: self.logged.append(message.msg), HEAR_ALL_QOS)
        self.names = list(reversed(robot.joint_names))
        self.position_J = np.array(REST_J)
        self._rng = np.random.default_rng(0)
        self._images = {c.name: self.create_publisher(Image, c.topic, SENSOR_QOS)
                        for c in robot.cameras}
        self._joints = self.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        self._instruction = self.create_publisher(String, 'instruction', LATCHED_QOS)
        self.create_subscription(JointTrajectory, 'joint_trajectory', self.trajectories.append,
                                 HEAR_ALL_QOS)
        self.create_timer(0.02, self._publish)

    def _publish(self):
        now = now_ns(self) - self.back_ns
        if self._time is not None:
            self._time.publish(Clock(clock=ROS_TYPES.header(now).stamp))
        if 'joints' not in self.silent:
            positions = [self.position_J[self.robot.joint_names.index(n)] for n in self.names]
            self._joints.publish(joint_state_message(self.names, positions, [], now, ROS_TYPES))
        for camera in self.robot.cameras:
            if camera.name not in self.silent:
                image = self._rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
                message = image_message(image, now - self.late_ns.get(camera.name, 0),
                                        camera.name, ROS_TYPES)
                message.encoding = self.encoding
                self._images[camera.name].publish(message)
        self.rounds += 1

    def say(self, text: str):
        self._instruction.publish(String(data=text))
