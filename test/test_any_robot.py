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

"""Robots that are not the first one: compressed cameras, metres, and URDFs that the YAML names."""

from dataclasses import replace
import re

from graph import spinning, wait_for
import numpy as np
from policy_graph import make_policy, SUCCESS
import pytest
import rclpy
from sensor_msgs.msg import CompressedImage
from test_robot_file import URDF, write

from trimodal_ros.command.jog import Pace
from trimodal_ros.command.limits import check_first_step, check_limits, LimitError
from trimodal_ros.command.playback import JointReference
from trimodal_ros.command.steering import Speeds, Steering
from trimodal_ros.command.stick import Stick
from trimodal_ros.nodes.robot_parameters import (
    declare_plain,
    read_check,
    read_robot,
    ROBOT_TEXTS,
)
from trimodal_ros.nodes.ros import ROS_TYPES, SENSOR_QOS
from trimodal_ros.plan.folder import check_fits, CheckpointError
from trimodal_ros.record.compress import jpeg_message
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.moments import Replay
from trimodal_ros.record.sample import COMPRESSED_IMAGE
from trimodal_ros.record.selection import read_selection
from trimodal_ros.spec import CameraSpec, JointSpec, RobotSpec, Trajectory
from trimodal_ros.spec.robot_file import write_robot_file

RAIL = JointSpec('rail', 0.0, 0.8, 0.5, 1.0, unit='m')
VACUUM = JointSpec('vacuum', 0.0, 100.0, 900.0, 9000.0, True, 'percent')
WIDTH = JointSpec('width', 0.0, 0.08, 0.1, 1.0, True, 'm')
ROBOT = RobotSpec('bench', (JointSpec('shoulder', -2.0, 2.0, 3.0, 60.0), RAIL, VACUUM, WIDTH),
                  (CameraSpec('front', 'front/compressed', 64, 48),), 10.0, 8)


# -- metres and percent

def plan(last_J) -> Trajectory:
    return Trajectory(ROBOT, 0, [1.0, 2.0], [last_J, last_J], np.zeros((2, 4)))


def test_limits_are_told_in_the_unit_of_the_joint():
    """Catches radians of a rail."""
    at_rest = JointReference.at_rest(0, [0.0, 0.5, 0.0, 0.0])
    with pytest.raises(LimitError, match=r"'rail', .*: 0.900 m is outside \[0.0, 0.8\] m"):
        check_limits(plan([0.0, 0.9, 0.0, 0.0]), at_rest)
    with pytest.raises(LimitError, match=r"'width', .* m/s is above 0.1 m/s"):
        check_limits(plan([0.0, 0.5, 0.0, 0.08]), replace(at_rest, time_ns=800_000_000))


def test_a_first_step_is_a_distance_where_there_is_one():
    """Catches a gripper in percent that may not move by more than one."""
    check_first_step(plan([0.0, 0.0, 100.0, 0.0]), np.zeros(4), 0, 0.5)
    with pytest.raises(LimitError, match="'rail': the plan goes on at 0.700 m"):
        check_first_step(plan([0.0, 0.7, 0.0, 0.0]), np.zeros(4), 0, 0.5)


def test_a_stick_moves_each_joint_at_a_speed_of_its_own():
    """Catches an arm that crawls while its gripper, in metres, is told radians a second."""
    steering = Steering(ROBOT, Speeds(joint_rad_s=1.0, gripper_rad_s=1.5, tool_m_s=0.2), Pace())
    stick = Stick(np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(6), np.array([0.0, 0.0, 1.0, 1.0]),
                  deadman=True)
    lead = [JointReference.at_rest(0, np.zeros(4))]
    assert steering.velocity_J(stick, lead, 0) == pytest.approx([1.0, 0.2, 810.0, 0.09])


def test_a_policy_for_radians_does_not_drive_metres():
    """Catches a checkpoint whose joints are called alike and are others."""
    turned = replace(ROBOT, joints=(ROBOT.joints[0], replace(RAIL, unit='rad'), VACUUM, WIDTH))
    with pytest.raises(CheckpointError, match='units of joints'):
        check_fits('checkpoint', turned, ROBOT)


def test_a_camera_is_the_same_wherever_its_images_come_from():
    """Catches a policy refused for a topic, and one that would see another part of the image."""
    moved = replace(ROBOT.cameras[0], topic='/cell/front', compressed=True, rate_hz=30.0)
    check_fits('checkpoint', replace(ROBOT, cameras=(moved,)), ROBOT)
    for change in ({'crop_px': (0, 0, 9, 9)}, {'rotation_deg': 180}, {'width': 32}):
        with pytest.raises(CheckpointError, match='cameras'):
            check_fits('checkpoint', replace(ROBOT, cameras=(replace(moved, **change),)), ROBOT)


# -- compressed cameras

def picture():
    return jpeg_message(np.full((48, 64, 3), 200, np.uint8), BAG_TYPES.header(0), 90)


def test_a_compressed_camera_is_recorded_and_replayed_as_it_comes(tmp_path):
    """Catches a second /compressed behind the first, and images compressed twice."""
    (tmp_path / 'topics.yaml').write_text('cameras: {required: true}\ntopics: {}\n')
    for images in ('raw', 'compressed', 'jpeg'):
        [wanted] = read_selection(tmp_path / 'topics.yaml', ROBOT, images)
        assert wanted.recorded_as == 'front/compressed' and not wanted.jpeg
        assert wanted.type_name == COMPRESSED_IMAGE and wanted.required
    replay = Replay('bag', ROBOT)
    replay.use_compressed(['front/compressed'])
    replay.feed('front/compressed', 0, picture())
    assert replay.observer.counts['front'] == 1 and not replay.refused


def test_the_policy_sees_a_compressed_camera(ros, tmp_path, so101, moving_checkpoint):
    """Catches a subscription of the wrong type, to which nothing ever comes."""
    cameras = [replace(camera, compressed=True) for camera in so101.cameras]
    write_robot_file(replace(so101, cameras=tuple(cameras)), tmp_path / 'robot.yaml')
    client = rclpy.create_node('camera')
    publisher = client.create_publisher(CompressedImage, cameras[0].topic, SENSOR_QOS)
    policy = make_policy(moving_checkpoint, robot=tmp_path / 'robot.yaml')
    jpeg = picture()
    message = CompressedImage(format='jpeg', header=ROS_TYPES.header(5),
                              data=ROS_TYPES.octets(bytes(jpeg.data)))
    client.create_timer(0.02, lambda: publisher.publish(message))
    with spinning(client, policy):
        assert policy.trigger_configure() == SUCCESS
        observer = policy.commander.pilot.observer
        wait_for(lambda: observer.counts[cameras[0].name], 'an image')
        assert observer.image_stamp_ns is None   # of the other camera nothing came


# -- a URDF that the YAML names

def _linked(urdf: str) -> str:
    """Return a URDF whose joints each have a link of their name, all on one base."""
    def with_links(joint):
        inside = f'<parent link="base"/><child link="{joint[2]}"/>'
        end = '</joint>' if joint[3] else ''
        return f'<link name="{joint[2]}"/>{joint[1]}>{inside}{end}'
    text = urdf.replace('<robot name="bench">', '<robot name="bench"><link name="base"/>')
    return re.sub(r'(<joint name="(\w+)" type="\w+")(/?)>', with_links, text)


def test_nodes_take_the_urdf_of_the_yaml(ros, tmp_path):
    """Catches a workspace that needs a URDF named twice."""
    path = write(tmp_path, urdf=_linked(URDF))
    node = rclpy.create_node('any')
    declare_plain(node, {**ROBOT_TEXTS, 'workspace_lower_m': ([-1.0] * 3, ''),
                         'workspace_upper_m': ([1.0] * 3, '')})
    node.set_parameters([rclpy.parameter.Parameter('robot', value=str(path)),
                         rclpy.parameter.Parameter('workspace_frame', value='rail')])
    here = read_robot(node, '')
    assert here.robot.joint_names == ('shoulder', 'rail', 'gripper')
    assert read_check(node, here).__self__.lower_m_3.tolist() == [-1.0] * 3
    node.destroy_node()
