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

"""Each shipped robot's simulator on a real graph."""

import re

from graph import overrides, rclpy, spinning, wait_for
import pytest
from sensor_msgs.msg import Image, JointState
from test_robots import scene_of, SCENES

from trimodal_ros.nodes.private_graph import GraphError, NodeProcesses
from trimodal_ros.nodes.ros import COMMAND_QOS, ROS_TYPES, SENSOR_QOS
from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode


@pytest.fixture(params=SCENES)
def scene(request):
    return scene_of(request.param)


def test_simulated_robot_is_heard_and_obeys(ros, scene):
    """Catches topics, joints or cameras other than the robot YAML has them, on real DDS."""
    node = SimulatedRobotNode(parameter_overrides=overrides(
        scene=scene.path, viewer=False, camera_hz=5.0))
    client = rclpy.create_node('client')
    joints, images = [], {camera.topic: [] for camera in scene.robot.cameras}
    client.create_subscription(JointState, 'joint_states', joints.append, SENSOR_QOS)
    for topic, heard in images.items():
        client.create_subscription(Image, topic, heard.append, SENSOR_QOS)
    group = scene.robot.groups[-1]
    publisher = client.create_publisher(ROS_TYPES.JointTrajectory, group.topic, COMMAND_QOS)
    with spinning(node, client):
        wait_for(publisher.get_subscription_count, 'the controller to listen')
        wait_for(lambda: joints and all(images.values()), 'joint states and images')
        assert tuple(joints[-1].name) == scene.driver_joints
        for camera in scene.robot.cameras:
            simulated = scene.camera(camera.name)
            message = images[camera.topic][-1]
            assert (message.width, message.height) == (simulated.width, simulated.height)
        name, target = goal_on_graph(publisher, scene, group, joints[-1])
        wait_for(lambda: abs(joints[-1].position[list(joints[-1].name).index(name)] - target)
                 < 0.005, f'{name} to move')


def goal_on_graph(publisher, scene, group, state) -> tuple[str, float]:
    """Ask for a motion of a controller's last joint; return its name and where it is to go."""
    parts = scene.robot.only(group.joints).joints
    names = [joint.driven[0].joint for joint in parts]
    position = [state.position[list(state.name).index(name)] for name in names]
    last = parts[-1]
    near, far = (factor_end for factor_end in sorted(
        (last.driven[0].factor * end for end in (last.lower, last.upper)),
        key=lambda end: abs(end - position[-1])))
    position[-1] += 0.3 * (far - near)
    publisher.publish(ROS_TYPES.JointTrajectory(joint_names=names, points=[
        ROS_TYPES.JointTrajectoryPoint(positions=ROS_TYPES.floats(position),
                                       time_from_start=ROS_TYPES.Duration(sec=1))]))
    return names[-1], position[-1]


def test_scene_that_is_not_there_ends_the_node_with_its_reason(tmp_path):
    """Catches a traceback, or a simulator of another robot than was asked for."""
    with NodeProcesses(tmp_path) as processes:
        processes.start('simulated_robot', {'scene': tmp_path / 'none.yaml'})

        def ended():
            try:
                processes.check()
            except GraphError as error:
                return str(error)
        said = wait_for(ended, 'the node to end')
    assert 'none.yaml: No such file' in said and not re.search('Traceback', said)
