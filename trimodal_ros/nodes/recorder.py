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
Records what happens on the graph as episodes: raw serialized messages, one bag an instruction.

Subscribes to an image topic a camera, as the robot YAML names them, ``joint_states``,
``joint_trajectory``, ``instruction`` and ``policy/decision``.

Services (std_srvs/Trigger): ``~/start``, and to end the episode ``~/success``, ``~/failure`` or,
where nobody can tell, ``~/stop``. Each answers with the episode's path.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from .ros import COMMAND_QOS, LATCHED_QOS, now_ns, parameter, run_node, SENSOR_QOS
from ..record.episode import EpisodeError, EpisodeInfo
from ..record.qos import LATCHED, RELIABLE
from ..record.writer import EpisodeWriter
from ..spec import RobotSpec

ENDINGS = {'stop': 'unknown', 'success': 'success', 'failure': 'failure'}


class RecorderNode(Node):
    """Writes an episode while recording is on; an unfinished one is closed on shutdown."""

    def __init__(self, **options):
        super().__init__('recorder', **options)
        self._declare_parameters()
        self.out = Path(parameter(self, 'out'))
        self.robot = RobotSpec.from_yaml(parameter(self, 'robot'))
        self.out.mkdir(parents=True, exist_ok=True)
        self._writer, self._instruction = None, ''
        self._checkpoint, self._received = '', {}
        self._types = {}
        self._subscribe_all()
        self.create_subscription(String, 'instruction', self._on_instruction, LATCHED_QOS)
        self.create_subscription(DiagnosticArray, 'policy/decision', self._on_decision, 10)
        self.create_service(Trigger, '~/start', self._answer(self._start))
        for name, outcome in ENDINGS.items():
            self.create_service(Trigger, f'~/{name}', self._answer(partial(self._end, outcome)))

    def _declare_parameters(self) -> None:
        for name, description in (
                ('out', 'Directory that gets one rosbag2 directory an episode'),
                ('robot', 'Robot YAML: which cameras to record')):
            self.declare_parameter(name, '', ParameterDescriptor(
                description=description, read_only=True))

    def _subscribe_all(self) -> None:
        for camera in self.robot.cameras:
            self._subscribe(camera.topic, Image, 'sensor_msgs/msg/Image', SENSOR_QOS)
        self._subscribe('joint_states', JointState, 'sensor_msgs/msg/JointState', SENSOR_QOS)
        self._subscribe('joint_trajectory', JointTrajectory,
                        'trajectory_msgs/msg/JointTrajectory', COMMAND_QOS)
        self._subscribe('policy/decision', DiagnosticArray,
                        'diagnostic_msgs/msg/DiagnosticArray', 10)
        self._types['instruction'] = 'std_msgs/msg/String'

    def _subscribe(self, topic: str, message_class, type_name: str, qos) -> None:
        self._types[topic] = type_name

        def store(data: bytes) -> None:
            if self._writer is not None:
                self._writer.write(topic, now_ns(self), data)
                self._received[topic] = self._received.get(topic, 0) + 1
        self.create_subscription(message_class, topic, store, qos, raw=True)

    def _on_instruction(self, message: String) -> None:
        self._instruction = message.data

    def _on_decision(self, message: DiagnosticArray) -> None:
        values = {item.key: item.value for item in message.status[0].values}
        self._checkpoint = values.get('checkpoint', '')

    @staticmethod
    def _answer(action):
        def answer(request, response):
            try:
                response.message, response.success = action(), True
            except EpisodeError as error:
                response.message, response.success = str(error), False
            return response
        return answer

    def _start(self) -> str:
        if self._writer is not None:
            raise EpisodeError('already recording; end the episode first')
        if not self._instruction:
            raise EpisodeError('no instruction has been published: an episode needs one')
        number = 1 + max((int(path.name[8:12]) for path in self.out.glob('episode_[0-9]*')),
                         default=-1)
        self._writer = EpisodeWriter(self.out / f'episode_{number:04d}')
        for topic, type_name in self._types.items():
            self._writer.add_topic(topic, type_name,
                                   [LATCHED if topic == 'instruction' else RELIABLE])
        self._writer.write('instruction', now_ns(self),
                           serialize_message(String(data=self._instruction)))
        self._received = {}
        self._recorded_instruction = self._instruction
        return str(self._writer.path)

    def _end(self, outcome: str) -> str:
        if self._writer is None:
            raise EpisodeError('not recording')
        writer, self._writer = self._writer, None
        path = writer.close(EpisodeInfo(
            instruction=self._recorded_instruction, robot=self.robot.content_hash,
            source='policy', outcome=outcome, checkpoint=self._checkpoint))
        self.get_logger().info(f'{path}: {self._received}')
        return str(path)

    def close(self) -> None:
        """Finish the episode under way."""
        if self._writer is not None:
            self._end('unknown')


def main(args: list[str] | None = None) -> None:
    run_node(RecorderNode, args)


if __name__ == '__main__':
    main()
