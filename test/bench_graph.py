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

"""A graph made of plain data, on which all is well, and what is found on it with changes."""

from dataclasses import replace

from trimodal_ros.spec import CameraSpec, JointSpec, NS_PER_S, RobotSpec
from trimodal_ros.spec.graph.judge import judge
from trimodal_ros.spec.graph.seen import Endpoint, Seen, Stream

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
JOINT_STATE, TRAJECTORY = 'sensor_msgs/msg/JointState', 'trajectory_msgs/msg/JointTrajectory'
STRING = 'std_msgs/msg/String'
CAMERA, JOINTS, COMMANDS = 'front/image_raw', 'joint_states', 'joint_trajectory'
T = 1_700_000_000   # s, when it begins
ROBOT = RobotSpec(
    'bench', (JointSpec('shoulder', -2.0, 2.0, 3.0, 10.0),
              JointSpec('rail', 0.0, 0.8, 0.5, 1.0, unit='m')),
    (CameraSpec('front', CAMERA, 64, 48, rate_hz=30.0),), 10.0, 8, joint_states_hz=50.0)
URDF = """<robot name="my bench">
<joint name="shoulder" type="revolute">
<limit lower="-2" upper="2" velocity="3" effort="1"/></joint>
<joint name="rail" type="prismatic">
<limit lower="0" upper="0.8" velocity="0.5" effort="1"/></joint>
</robot>"""
CONTROLLER = {
    'joints': ['shoulder', 'rail'], 'command_interfaces': ['position'],
    'state_interfaces': ['position', 'velocity'], 'interpolate_from_desired_state': True,
    'allow_nonzero_velocity_at_trajectory_end': False, 'allow_partial_joints_goal': False,
    'cmd_timeout': 0.0, 'constraints.goal_time': 0.0, 'constraints.rail.trajectory': 0.0}


def stream(rate_hz: float, age_s: float = 0.01, **values) -> Stream:
    """Return what came at a rate, stamped so long before it came."""
    received = [NS_PER_S * T + round(number * NS_PER_S / rate_hz) for number in range(20)]
    return Stream(received, [time_ns - round(age_s * NS_PER_S) for time_ns in received], **values)


def images(rate_hz: float = 30.0, age_s: float = 0.01, size_px=(640, 480), **values) -> Stream:
    return stream(rate_hz, age_s, size_px=size_px, encoding='rgb8', **values)


def joints(rate_hz: float = 50.0, age_s: float = 0.01, **positions) -> Stream:
    told = {'shoulder': 0.5, 'rail': 0.1, **positions}
    return stream(rate_hz, age_s, positions=told, order=tuple(told))


def graph(**changes) -> Seen:
    """Return a graph on which all is well, but for the changes."""
    good = Seen(
        2.0, {CAMERA: [Endpoint('/camera', IMAGE, False)], JOINTS: [Endpoint('/arm', JOINT_STATE)],
              'robot_description': [Endpoint('/rsp', STRING, True, True)]},
        {COMMANDS: [Endpoint('/jtc', TRAJECTORY)]}, {CAMERA: images(), JOINTS: joints()},
        {'/jtc': CONTROLLER}, {f'/{CAMERA}': IMAGE, f'/{JOINTS}': JOINT_STATE,
                               f'/{COMMANDS}': TRAJECTORY}, URDF)
    parts = {name: {**getattr(good, name), **part} if isinstance(part, dict) else part
             for name, part in changes.items()}
    return replace(good, **parts)


def found(seen: Seen, robot: RobotSpec = ROBOT):
    return [each for each in judge(robot, seen, 0.25, 0.05) if each.severity != 'ok']
