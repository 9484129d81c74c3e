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

"""The simulated robot as a node."""

import pytest

from trimodal_ros.sim.layout import make_layout, Task


@pytest.fixture
def client():
    """A node beside the simulated robot."""
    rclpy = pytest.importorskip('rclpy')
    rclpy.init()
    yield rclpy.create_node('client')
    rclpy.try_shutdown()


def hear(client, message_type, topic, qos) -> list:
    heard = []
    client.create_subscription(message_type, topic, heard.append, qos)
    return heard


def trajectory_with_and_without_velocities(so101):
    """Return a message to a pan of 0.3 rad that Jazzy's controller accepts."""
    from trimodal_ros.nodes.ros import ROS_TYPES
    points = [ROS_TYPES.JointTrajectoryPoint(
        positions=ROS_TYPES.floats([0.3, -0.05, 0.04, 1.5, -1.64, 0.4]),
        velocities=ROS_TYPES.floats(velocities),
        time_from_start=ROS_TYPES.Duration(sec=second))
        for second, velocities in ((1, [0.0] * 6), (2, []))]
    return ROS_TYPES.JointTrajectory(joint_names=list(so101.joint_names), points=points)


def test_node_outlives_messages_and_a_stale_display(client, so101, tmp_path, monkeypatch):
    """Catches a simulator ended by one message or by DISPLAY, a short run without a factor, and
    one that doesn't tell when it is up.
    """
    from graph import spinning, wait_for

    from trimodal_ros.nodes.private_graph import NodeProcesses
    from trimodal_ros.nodes.ros import COMMAND_QOS, ROS_TYPES, SENSOR_QOS
    monkeypatch.setenv('DISPLAY', ':77')
    joints = hear(client, ROS_TYPES.JointState, 'joint_states', SENSOR_QOS)
    publisher = client.create_publisher(ROS_TYPES.JointTrajectory, 'joint_trajectory', COMMAND_QOS)
    with spinning(client), NodeProcesses(tmp_path) as processes:
        processes.start('simulated_robot', {})
        wait_for(publisher.get_subscription_count, 'the robot to listen')
        wait_for(lambda: joints, 'the simulator')
        publisher.publish(trajectory_with_and_without_velocities(so101))
        wait_for(lambda: abs(joints[-1].position[0] - 0.3) < 0.02, 'the arm to turn')
        processes.check()
    log = (tmp_path / 'simulated_robot.log').read_text()
    assert 'no window: ' in log and 'trajectory refused' not in log
    assert 'joint_states, front/image_raw, wrist/image_raw; obeys joint_trajectory\n' in log
    assert 'real-time factor ' in log.splitlines()[-1]


def test_message_that_cannot_be_played_is_refused(client, so101, monkeypatch):
    """Catches an exception over a message that goes on up and ends the simulator's thread."""
    from graph import spinning, wait_for

    from trimodal_ros.nodes.ros import ROS_TYPES, SENSOR_QOS
    from trimodal_ros.nodes.simulated_robot import SimulatedRobot, SimulatedRobotNode
    given = []

    def fail(self, topic, message):
        given.append(message)
        raise IndexError('nobody thought of this')
    monkeypatch.setattr(SimulatedRobot, 'command', fail)
    joints = hear(client, ROS_TYPES.JointState, 'joint_states', SENSOR_QOS)
    monkeypatch.delenv('DISPLAY', raising=False)
    node = SimulatedRobotNode()
    with spinning(node, client):
        wait_for(lambda: joints, 'the simulator')
        node._work.put(('command', ('joint_trajectory', ROS_TYPES.JointTrajectory())))
        wait_for(lambda: given, 'the message to be taken')
        count = len(joints)
        wait_for(lambda: len(joints) > count, 'the simulator to go on')


def test_the_scene_s_own_task_is_judged_too(client, monkeypatch):
    """Catches a robot that does the task of the scene instead of what it is told, unseen."""
    from graph import spinning, wait_for
    from rclpy.parameter import Parameter
    from std_msgs.msg import Bool

    from trimodal_ros.nodes.ros import LATCHED_QOS
    from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode
    own = Task('red cube', 'left plate')
    other = make_layout(1, own).with_other_object().task
    monkeypatch.setattr('trimodal_ros.sim.tabletop.Table.is_done',
                        lambda self, task: task == own)
    node = SimulatedRobotNode(parameter_overrides=[
        Parameter(name, value=value) for name, value in (
            ('seed', 1), ('scene_object', own.object), ('task_object', other.object),
            ('task_place', other.place), ('viewer', False))])
    with spinning(node, client):
        told, scene = (hear(client, Bool, f'simulated_robot/{topic}', LATCHED_QOS)
                       for topic in ('task_done', 'scene_task_done'))
        wait_for(lambda: told and scene, 'both judgements')
        assert not told[-1].data and scene[-1].data


def test_the_table_is_told_in_words(monkeypatch):
    """Catches a cube told to be elsewhere that lies on a plate, or one that isn't there."""
    from trimodal_ros.sim.tabletop import Table
    on_it = Task('red cube', 'left plate')
    monkeypatch.setattr(Table, 'is_done', lambda self, task: task == on_it)
    table = Table.__new__(Table)
    assert table.account(['red cube', 'blue cube']) == (
        'left plate: red cube; right plate: nothing; elsewhere: blue cube')
