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

"""A recorder beside a source of images, joint states and instructions."""

from contextlib import contextmanager
from dataclasses import dataclass
import itertools

from graph import call, overrides, rclpy, spinning, wait_for
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
import yaml

from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.nodes.ros import LATCHED_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import RobotSpec
from trimodal_ros.spec.robot_file import write_robot_file

SENTENCE = 'put the red cube on the left plate'
NUMBERS = itertools.count()
ROBOT = RobotSpec.make_example()
CAMERA = ROBOT.cameras[0].topic
STREAMS = (CAMERA, 'joint_states')
TOPICS = {   # patient: a machine that stands still must not make an episode bad
    'cameras': {'required': True, 'max_gap_s': 30.0},
    'topics': {'joint_states': {'required': True, 'max_gap_s': 30.0},
               'instruction': {'required': True}, 'joint_trajectory': None, 'takeover': None,
               'policy/decision': None, 'extra': None, 'more/*': None}}
PATIENT = {'alive_s': 30.0, 'max_late_s': 30.0, 'max_skew_s': 30.0, 'other_clock_s': 60.0,
           'frozen_camera_s': 0.0, 'max_repeated_share': 1.0, 'min_free_mb': 1}


class Source(Node):
    """Publishes an image and a joint state every 20 ms; ``stamp`` may change their stamps."""

    def __init__(self, **options):
        super().__init__(f'source_{next(NUMBERS)}', **options)
        self.silent, self.sent, self.stamp = set(), dict.fromkeys(STREAMS, 0), lambda now: now
        self.pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        self._image = self.create_publisher(Image, CAMERA, SENSOR_QOS)
        self._joints = self.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        self._instruction = self.create_publisher(String, 'instruction', LATCHED_QOS)
        self.create_timer(0.02, self._publish)

    def say(self, text: str) -> None:
        self._instruction.publish(String(data=text))

    def _publish(self) -> None:
        stamp = self.stamp(now_ns(self))
        if CAMERA not in self.silent:
            self._image.publish(image_message(self.pixels, stamp, 'front', ROS_TYPES))
            self.sent[CAMERA] += 1
        if 'joint_states' not in self.silent:
            self._joints.publish(joint_state_message(
                ROBOT.joint_names, [0.0, 0.1, 0.2], [], stamp, ROS_TYPES))
            self.sent['joint_states'] += 1


@dataclass
class RecorderGraph:
    """The nodes, and what is asked of the recorder."""

    source: Source
    recorder: RecorderNode
    client: Node

    @property
    def session(self):
        return self.recorder.session

    def ask(self, name: str) -> Trigger.Response:
        return call(self.client, Trigger, f'{self.recorder.get_name()}/{name}')

    def do(self, name: str) -> str:
        """Return what a service answers, which must succeed."""
        response = self.ask(name)
        assert response.success, response.message
        return response.message

    def refused(self, name: str) -> str:
        """Return why a service refuses."""
        response = self.ask(name)
        assert not response.success, response.message
        return response.message

    def ready(self) -> None:
        """Give an instruction and wait until everything is alive."""
        self.source.say(SENTENCE)
        wait_for(lambda: self.session.live.instruction == SENTENCE
                 and all(self.count(topic) for topic in STREAMS), 'all topics to be heard')

    def count(self, topic: str) -> int:
        """Return how many messages of a topic have come since the episode began."""
        stream = self.session.health.streams.get(topic)
        return 0 if stream is None else stream.count

    def wait_for_more(self, *topics: str, count: int = 5) -> None:
        """Wait for messages of topics in the episode under way."""
        for topic in topics or STREAMS:
            wait_for(lambda topic=topic: self.count(topic) > count, f'{topic} to be recorded')


def write_files(folder) -> dict:
    """Write the YAMLs of the robot and the topics; return the parameters that name them."""
    write_robot_file(ROBOT, folder / 'robot.yaml')
    (folder / 'topics.yaml').write_text(yaml.safe_dump(TOPICS))
    return {'robot': folder / 'robot.yaml', 'topics': folder / 'topics.yaml'}


def make_recorder(folder, namespace: str = '', **parameters) -> RecorderNode:
    return RecorderNode(
        namespace=namespace,
        cli_args=['--ros-args', '-r', f'__node:=recorder_{next(NUMBERS)}'],
        parameter_overrides=overrides(**{'out': folder / 'out', **write_files(folder), **PATIENT,
                                         **parameters}))


@contextmanager
def recorder_graph(folder, ready: bool = True, silent: str = '', **parameters):
    """Spin a source, a topic of it silent or none, and a recorder into ``folder/out``."""
    nodes = RecorderGraph(Source(), make_recorder(folder, **parameters),
                          rclpy.create_node(f'client_{next(NUMBERS)}'))
    nodes.source.silent.add(silent)
    with spinning(nodes.source, nodes.recorder, nodes.client):
        if ready:
            nodes.ready()
        yield nodes
