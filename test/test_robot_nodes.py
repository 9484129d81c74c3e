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

"""The simulated robot and the recorder on a real graph: real rclpy, real DDS, real files."""

from conftest import so101_yaml
from driver import Driver
from graph import overrides, rclpy, spinning, wait_for
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.nodes.ros import COMMAND_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.episode import read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize, TYPESTORE
from trimodal_ros.record.reader import read_messages

SENTENCE = 'put the red cube on the left plate'
pytestmark = pytest.mark.usefixtures('ros')


@pytest.fixture
def robot_node(ros, so101):
    """The simulated robot and a client node that hears it."""
    node = SimulatedRobotNode(parameter_overrides=overrides(
        shuffle_joints=True, viewer=False, camera_hz=10.0))
    client = rclpy.create_node('client')
    with spinning(node, client):
        yield node, client


def test_simulated_robot_is_heard(robot_node, so101):
    """Catches a topic, a QoS or a stamp a policy can't use; joints come in any order."""
    node, client = robot_node
    heard = {'front/image_raw': [], 'wrist/image_raw': [], 'joint_states': []}
    for topic, messages in heard.items():
        client.create_subscription(JointState if topic == 'joint_states' else Image, topic,
                                   messages.append, SENSOR_QOS)
    wait_for(lambda: all(len(messages) > 3 for messages in heard.values()), 'all topics')
    assert {tuple(m.name) for m in heard['joint_states']} != {so101.joint_names}
    stamps = [stamp_ns(m.header.stamp) for m in heard['front/image_raw']]
    assert sorted(set(stamps)) == stamps and abs(now_ns(client) - stamps[-1]) < 2 * 10**9


def test_simulated_robot_obeys_and_resets(robot_node, so101):
    """Catches a robot that ignores commands, and a reset that leaves it where it was."""
    node, client = robot_node
    publisher = client.create_publisher(JointTrajectory, 'joint_trajectory', COMMAND_QOS)
    wait_for(lambda: publisher.get_subscription_count(), 'the robot to listen')
    simulated = wait_for(lambda: hasattr(node, '_viewer') and node._simulated, 'the simulator')
    start_J = simulated.command_D
    target_J = start_J + [0.3, 0, 0, 0, 0, 0]
    point = ROS_TYPES.JointTrajectoryPoint(
        positions=ROS_TYPES.floats(target_J), time_from_start=ROS_TYPES.Duration(sec=1))
    publisher.publish(JointTrajectory(joint_names=list(so101.joint_names), points=[point]))
    wait_for(lambda: abs(simulated.world.position_D[0] - target_J[0]) < 0.02, 'the arm to turn')
    reset = client.create_client(Trigger, 'simulated_robot/reset')
    wait_for(reset.service_is_ready, 'the reset service')
    future = reset.call_async(Trigger.Request())
    wait_for(future.done, 'the reset')
    assert future.result().success
    assert np.abs(simulated.world.position_D - start_J).max() < 0.05


def test_task_that_cannot_be_laid_is_refused(robot_node):
    """Catches a judge of a cube that isn't there."""
    node, client = robot_node
    wait_for(lambda: hasattr(node, '_viewer'), 'the simulator')
    node.set_parameters([Parameter('task_object', value='pink cube')])
    reset = client.create_client(Trigger, 'simulated_robot/reset')
    wait_for(reset.service_is_ready, 'the reset service')
    future = reset.call_async(Trigger.Request())
    wait_for(future.done, 'an answer')
    assert not future.result().success and 'red cube' in future.result().message


# -- the recorder


def test_recorder_keeps_every_byte(so101, tmp_path):
    """Catches messages lost, changed or filed under another topic."""
    driver = Driver(so101)
    recorder = RecorderNode(parameter_overrides=overrides(out=tmp_path, robot=so101_yaml()))
    client = rclpy.create_node('client')
    with spinning(driver, recorder, client):
        services = {name: client.create_client(Trigger, f'recorder/{name}')
                    for name in ('start', 'success')}

        def call(name):
            wait_for(services[name].service_is_ready, name)
            future = services[name].call_async(Trigger.Request())
            wait_for(future.done, name)
            return future.result()
        assert 'instruction: ' in call('start').message
        driver.say(SENTENCE)
        wait_for(lambda: call('start').success, 'recording')
        streams = recorder.session.health.streams
        wait_for(lambda: min(streams[topic].count for topic in (
            'front/image_raw', 'wrist/image_raw', 'joint_states')) > 5, 'messages')
        path = call('success').message
    info = read_info(path)
    assert (info.instruction, info.outcome, info.source) == (SENTENCE, 'success', 'unknown')
    messages = list(read_messages(path))
    assert {topic for topic, _, _ in messages} - {'/diagnostics'} == {
        'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction'}
    assert all(list(m.name) == driver.names for t, _, m in messages if t == 'joint_states')


def test_both_libraries_read_each_other():
    """Catches CDR that differs between lockstep and live recordings."""
    def image(types):
        return types.Image(
            header=types.header(1_500_000_000, 'front'), height=1, width=1, encoding='rgb8',
            is_bigendian=0, step=3, data=types.octets(b'abc'))
    live = deserialize_message(serialize(image(BAG_TYPES)), Image)
    assert live == image(ROS_TYPES)
    bag = TYPESTORE.deserialize_cdr(serialize_message(image(ROS_TYPES)), 'sensor_msgs/msg/Image')
    assert bytes(bag.data) == b'abc' and bag.header == image(BAG_TYPES).header
