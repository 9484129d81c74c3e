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
A mock of cameras, arm drivers and controller, with everything that can go wrong with them.

What the policy sends is played by the controller's rules, and the arm is where that says.
"""

from dataclasses import dataclass
import time

import graph  # noqa: F401 - first: it skips where there is no ROS

# isort: split
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.nodes.ros import HEAR_ALL_QOS, LATCHED_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.sim.controller import Refused, TrajectoryController

REST_J = [-1.7, -0.05, 0.04, 1.5, -1.64, 0.4]
STOP_TOPIC = 'emergency_stop'
PAUSE_S = 0.1


@dataclass
class Era:
    """Time between two jumps of the clock: how far it is behind, where the arm began."""

    back_ns: int
    position_J: np.ndarray


@dataclass
class Heard:
    """A trajectory; ``at_ns`` is when it was published, by the clock of its era."""

    era: int
    at_ns: int
    message: JointTrajectory


class Driver(Node):
    """
    Publishes every 20 ms; every image is another noise, which its stamp determines.

    ``late_ns`` shifts the stamps of one camera or of 'joints', ``stuck`` keeps them; ``jump``
    shifts all and, with ``keeps_time``, /clock. ``rounds_s`` are the times all was published at.
    """

    def __init__(self, robot, keeps_time: bool = False, namespace: str = ''):
        super().__init__('driver', namespace=namespace)
        self.robot, self.names = robot, list(reversed(robot.joint_names))
        self.silent, self.frozen, self.stuck = set(), set(), {}
        self.encoding, self.padding, self.size = 'rgb8', 0, {}
        self.late_ns, self.reads, self.asks_stop = {}, {}, None
        self.follows, self.rounds_s, self.refusals = True, [], None
        self.trajectories, self.heard, self.logged, self.decisions = [], [], [], []
        self.rehearsed, self.diagnosis, self.diagnosed, self.told = [], {}, [], []
        self.eras = [Era(0, np.array(REST_J))]
        self._controller = TrajectoryController(robot.joint_names)
        self._controller.start(REST_J, now_ns(self))
        self._open_topics(robot, keeps_time)
        self.create_timer(0.02, self._publish)

    def _open_topics(self, robot, keeps_time: bool) -> None:
        self._time = self.create_publisher(Clock, '/clock', 1) if keeps_time else None
        self._images = {c.name: self.create_publisher(Image, c.topic, SENSOR_QOS)
                        for c in robot.cameras}
        self._joints = self.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        self._instruction = self.create_publisher(String, 'instruction', LATCHED_QOS)
        self._stop = self.create_publisher(Bool, STOP_TOPIC, SENSOR_QOS)
        for message_class, topic, callback in (
                (Log, '/rosout', lambda message: self.logged.append(message.msg)),
                (JointTrajectory, 'joint_trajectory', self._on_trajectory),
                (DiagnosticArray, '/diagnostics', self._on_diagnostics)):
            self.create_subscription(message_class, topic, callback, HEAR_ALL_QOS)

    def listen_to(self, policy: str) -> None:
        """Hear what a policy node says on topics of its own."""
        self.create_subscription(DiagnosticArray, f'{policy}/decision', self._on_decision,
                                 HEAR_ALL_QOS)
        self.create_subscription(JointTrajectory, f'{policy}/debug/joint_trajectory',
                                 self.rehearsed.append, HEAR_ALL_QOS)

    # -- what it says

    def time_ns(self) -> int:
        return now_ns(self) - self.eras[-1].back_ns

    def jump(self, by_ns: int) -> None:
        """Let the clock, and all stamps, go on from another time; the controller's clock too."""
        when_ns = self.time_ns() + max(by_ns, 0)  # jumped ahead, it is where it was to be by then
        self.eras.append(Era(self.eras[-1].back_ns - by_ns,
                             self._controller.reference(when_ns).position_J))
        self._controller.start(self.eras[-1].position_J, self.time_ns())

    def refuse(self) -> None:
        """Let the controller have a joint more than the policy: it refuses all that comes."""
        controller = TrajectoryController((*self.robot.joint_names, 'rail'))
        controller.start([*self.position_J, 0.0], self.time_ns())
        self._controller, self.refusals = controller, []

    def was_paused(self, first_round: int) -> bool:
        """Tell whether the machine stood still since a round, for longer than some inputs may."""
        return max(np.diff(self.rounds_s[first_round:]), default=0.0) > PAUSE_S

    @property
    def rounds(self) -> int:
        return len(self.rounds_s)

    @property
    def position_J(self) -> np.ndarray:
        """Where the arm is."""
        if not self.follows:
            return np.array(REST_J)
        return self._controller.reference(self.time_ns()).position_J[:len(REST_J)]

    def pixels(self, camera, stamp: int) -> np.ndarray:
        """Return the noise that a camera shows at a time."""
        height, width = self.size.get(camera.name, (camera.height, camera.width))
        noise = np.random.default_rng(0 if camera.name in self.frozen else stamp).integers(
            0, 256, (camera.height, camera.width, 3), np.uint8)
        return np.resize(noise, (height, width, 3))

    def say(self, text: str | bytes) -> None:
        """Tell the robot what to do; bytes go out as they are, UTF-8 or not."""
        if isinstance(text, str):
            self._instruction.publish(String(data=text))
            return
        stand_in = '?' * len(text)
        self._instruction.publish(serialize_message(String(data=stand_in)).replace(
            stand_in.encode(), text))

    def _publish(self) -> None:
        now = self.time_ns()
        if self._time is not None:
            self._time.publish(Clock(clock=ROS_TYPES.header(now).stamp))
        if 'joints' not in self.silent:
            self._publish_joints(now - self.late_ns.get('joints', 0))
        for camera in self.robot.cameras:
            if camera.name not in self.silent:
                stamp = now - self.late_ns.get(camera.name, 0)
                self._images[camera.name].publish(
                    self._image(camera, self.stuck.get(camera.name, stamp)))
        if self.asks_stop is not None:
            self._stop.publish(Bool(data=self.asks_stop))
        self.rounds_s.append(time.monotonic())

    def _publish_joints(self, stamp: int) -> None:
        positions = {**dict(zip(self.robot.joint_names, self.position_J)), **self.reads}
        self._joints.publish(joint_state_message(
            self.names, [positions[name] for name in self.names], [], stamp, ROS_TYPES))

    def _image(self, camera, stamp: int) -> Image:
        pixels = self.pixels(camera, stamp)
        message = image_message(pixels, stamp, camera.name, ROS_TYPES)
        message.encoding = self.encoding
        if self.padding:
            rows = pixels.reshape(len(pixels), -1)
            padded = np.pad(rows, ((0, 0), (0, self.padding)), constant_values=255)
            message.step, message.data = padded.shape[1], ROS_TYPES.octets(padded.tobytes())
        return message

    # -- what it hears

    def _on_trajectory(self, message: JointTrajectory, info) -> None:
        stamp, sent_ns = stamp_ns(message.header.stamp), info['source_timestamp']
        era = min(range(len(self.eras)), key=lambda number: abs(
            sent_ns - self.eras[number].back_ns - stamp))
        # One that came later than its first point is played as if it had come by then: the
        # machine these tests share is late, not the policy.
        first_ns = stamp + stamp_ns(message.points[0].time_from_start)
        at_ns = min(sent_ns - self.eras[era].back_ns, first_ns)
        self.heard.append(Heard(era, at_ns, message))
        if era == len(self.eras) - 1:
            self._play(message, at_ns)
        self.trajectories.append(message)

    def _play(self, message: JointTrajectory, at_ns: int) -> None:
        try:
            self._controller.accept(message, at_ns, None)
        except Refused as refusal:
            if self.refusals is None:  # else it is meant to
                raise
            self.refusals.append(str(refusal))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnosis[status.name.split(': ')[-1]] = status
            self.diagnosed.append(status)

    def _on_decision(self, message: DiagnosticArray) -> None:
        self.told.append(message)
        self.decisions.append((message.status[0], values(message.status[0])))


def values(status) -> dict[str, str]:
    """Return the values of a diagnostic status by key."""
    return {value.key: value.value for value in status.values}
