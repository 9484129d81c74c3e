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
Teleoperation: a person's stick, or a leader arm that they move, commands the robot.

Subscribes to ``joy`` (sensor_msgs/Joy), ``joint_states``, ``leader/joint_states``,
``robot_description`` and, if named, a stop topic; to ``joint_trajectory``, to go on from what
others command, and to ``stopped``: a policy that somebody has stopped stops a person, too.
Publishes ``joint_trajectory``, ``takeover`` (latched; true while the person commands, again and
again) and ``/diagnostics``. For ``joint_trajectory`` stand the topics of the YAML's controllers.

Services (std_srvs/Trigger): ``~/stop`` takes over and keeps the arm where it is, ``~/resume``
ends that and gives back what nobody holds.

A shell: when to take over and what to send is in ``command/teleoperator.py``;
doc/how-to/teleoperation.md tells how to use it.
"""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from .robot_parameters import optional, read_robot, TOPIC
from .ros import (
    HEAR_COMMANDS_QOS,
    LATCHED_QOS,
    now_ns,
    qualified,
    ROS_TYPES,
    run_node,
    SENSOR_QOS,
)
from .stop_services import offer_stop
from .teleop_parameters import (
    change_parameters,
    declare_parameters,
    read_arm,
    read_hand,
    read_mapping,
    read_steering,
)
from .trajectory_topics import TrajectoryPublishers
from .voice import Voice
from ..command.interlock import StopTopic
from ..command.message import to_messages
from ..command.takeover import TAKEOVER_TOPIC
from ..command.teleoperator import Teleoperator
from ..command_line import one_line_errors
from ..observe.joints import JointStateError
from ..observe.observer import NotReady
from ..observe.stamp import stamp_ns
from ..spec import Trajectory

TICK_S = 0.01
DIAGNOSE_S = 1.0
LAST_WORD_S = 0.5  # for the hold to arrive before the node is gone


class TeleopNode(Node):
    """Commands as soon as it knows the robot, which with ``urdf: topic`` a topic describes."""

    _declare_parameters = declare_parameters

    def __init__(self, **options):
        super().__init__('teleop', **options)
        self._declare_parameters()
        self._voice, self.teleoperator = Voice(self.get_logger()), None
        self._takeover = self.create_publisher(Bool, TAKEOVER_TOPIC, LATCHED_QOS)
        self._diagnosis = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        if optional(self, 'urdf') == TOPIC:
            self.create_subscription(String, 'robot_description', self._on_description,
                                     LATCHED_QOS)
        else:
            self._begin('')

    def _on_description(self, message: String) -> None:
        if self.teleoperator is None:
            with one_line_errors():
                self._begin(message.data)

    def _begin(self, description: str) -> None:
        here = read_robot(self, description)
        arm = read_arm(self, here, lambda: now_ns(self))
        mapping = read_mapping(self, arm.robot)
        self._command = TrajectoryPublishers(self, arm.robot)
        steering = read_steering(self, here, mapping)
        self.teleoperator = Teleoperator(arm, steering, mapping, self, read_hand(self))
        self.add_on_set_parameters_callback(
            lambda parameters: change_parameters(parameters, steering))
        self._listen()
        offer_stop(self, self.teleoperator.stop, self._resume)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a timer of another waits out a jump
        self.create_timer(TICK_S, self.teleoperator.tick, clock=steady)
        self.create_timer(DIAGNOSE_S, self._on_second, clock=steady)

    def _listen(self) -> None:
        teleoperator = self.teleoperator
        self.create_subscription(Joy, 'joy', self._on_joy, SENSOR_QOS)
        self.create_subscription(JointState, 'joint_states',
                                 self._stores(teleoperator.on_joints), SENSOR_QOS)
        if teleoperator.steering.leader is not None:
            self.create_subscription(JointState, 'leader/joint_states',
                                     self._stores(teleoperator.on_leader), SENSOR_QOS)
        for group in teleoperator.arm.robot.groups:
            self.create_subscription(JointTrajectory, group.topic, teleoperator.on_trajectory,
                                     HEAR_COMMANDS_QOS)
        self.create_subscription(Bool, 'stopped', lambda message: teleoperator.on_stopped(
            message.data), LATCHED_QOS)
        stop_topic = optional(self, 'stop_topic')
        if stop_topic:
            teleoperator.stops.topic = StopTopic(
                stop_topic, optional(self, 'max_stop_topic_age_s'))
            self.create_subscription(Bool, stop_topic, lambda message: teleoperator.on_stop_topic(
                message.data), SENSOR_QOS)

    # -- callbacks

    def _on_joy(self, message: Joy) -> None:
        self.teleoperator.on_joy(stamp_ns(message.header.stamp), message.axes, message.buttons)

    def _stores(self, store):
        def callback(message: JointState) -> None:
            try:
                store(message)
            except JointStateError as error:
                self._voice.tell('throttled error', str(error))
        return callback

    def _resume(self) -> str:
        self.teleoperator.resume()
        return 'goes on'

    def _on_second(self) -> None:
        if not self.count_publishers('stopped'):
            self.teleoperator.stops.miss_policy()
        self._diagnose()

    # -- the teleoperator's outlet

    def send(self, trajectory: Trajectory) -> None:
        """Publish a trajectory."""
        messages = to_messages(trajectory, ROS_TYPES)
        for message in messages.values():
            self.teleoperator.others.note_own(message)
        self._command.publish(messages)

    def take_over(self, is_on: bool) -> None:
        """Tell whether the person commands."""
        self._takeover.publish(Bool(data=is_on))

    def tell(self, level: str, text: str) -> None:
        """Log; a 'throttled error' that begins alike at most once a second."""
        self._voice.tell(level, text)
        self._diagnose()

    def _diagnose(self) -> None:
        teleoperator = self.teleoperator
        if teleoperator is None:
            return
        arm, reason = teleoperator.arm, teleoperator.reason
        state = 'commanding' if teleoperator.is_on else 'ready'
        if reason:
            doing = 'holding' if teleoperator.is_on else 'not ready'
            state = f'{doing}: {NotReady(reason, teleoperator.details)}'
        values = {'mode': teleoperator.steering.mode,
                  'taken_over': str(teleoperator.is_on).lower(),
                  'stopped_by': teleoperator.stops.by, **arm.limit_values}
        level = DiagnosticStatus.ERROR if reason and teleoperator.is_on else DiagnosticStatus.OK
        self._diagnosis.publish(DiagnosticArray(
            header=ROS_TYPES.header(arm.clock()), status=[DiagnosticStatus(
                level=level, name=f'{qualified(self)}: state', message=state,
                hardware_id=arm.robot.name,
                values=[KeyValue(key=key, value=value) for key, value in values.items()])]))

    def close(self) -> None:
        """Brake, and let that arrive; who yielded to the person waits for ~/resume."""
        if self.teleoperator is not None and self.teleoperator.is_on:
            self.teleoperator.close()
            self._command.wait_for_all_acked(LAST_WORD_S)


def main(args: list[str] | None = None) -> None:
    run_node(TeleopNode, args)


if __name__ == '__main__':
    main()
