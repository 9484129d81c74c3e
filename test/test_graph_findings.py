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
Each thing that can be wrong between a robot YAML and a graph, found, with its cure.

The graph is made of plain data here: a good one, with one thing spoilt. test_graph_check.py looks
at real ones.
"""

from dataclasses import replace

import pytest

from trimodal_ros.spec import CameraSpec, ControllerSpec, JointSpec, NS_PER_S, RobotSpec
from trimodal_ros.spec.graph.draft import draft
from trimodal_ros.spec.graph.finding import has_errors, summary, table
from trimodal_ros.spec.graph.judge import judge
from trimodal_ros.spec.graph.seen import Endpoint, Seen, Stream
from trimodal_ros.spec.robot_file import read_robot_file

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


def test_nothing_is_found_where_all_is_well():
    """Catches an alarm that nobody listens to any more."""
    assert found(graph()) == []


def jtc(**parameters) -> Seen:
    return graph(parameters={'/jtc': {**CONTROLLER, **parameters}})


def stamps(*seconds) -> Stream:
    """Return images with these stamps, received as they should be."""
    stamped = images()
    stamped.stamps_ns[:len(seconds)] = [round(each * NS_PER_S) for each in seconds]
    return stamped


SPOILT = {  # the graph; severity, part, about, what is found, and what the change must say
    'no camera': (
        graph(publishers={CAMERA: []}), 'error', 'camera front', 'publisher',
        'nobody publishes front/image_raw', 'there are /front/image_raw; name one'),
    'no image topic at all': (
        graph(publishers={CAMERA: []}, found={f'/{CAMERA}': STRING}), 'error', 'camera front',
        'publisher', 'nobody publishes', 'start the driver'),
    'compressed, but not in the YAML': (
        graph(publishers={CAMERA: [Endpoint('/camera', COMPRESSED)]}), 'error', 'camera front',
        'type', COMPRESSED, 'write compressed: true'),
    'two cameras on a topic': (
        graph(publishers={CAMERA: [Endpoint('/a', IMAGE), Endpoint('/b', IMAGE)]}), 'error',
        'camera front', 'publisher', '2 publishers: /a, /b', 'stop all but one'),
    'silent camera': (
        graph(streams={CAMERA: Stream()}), 'error', 'camera front', 'messages',
        'none on front/image_raw in 2.0 s', 'start the driver'),
    'slow camera': (
        graph(streams={CAMERA: images(5.0)}), 'error', 'camera front', 'rate', '5.0 Hz',
        'lower rate_hz'),
    'camera slower than told': (
        graph(streams={CAMERA: images(15.0)}), 'warning', 'camera front', 'rate', '15.0 Hz',
        'fastdds.xml'),
    'stamps in the future': (
        graph(streams={CAMERA: images(age_s=-0.2)}), 'error', 'camera front', 'stamps',
        '0.200 s in the future', 'chrony'),
    'stamps in the past': (
        graph(streams={CAMERA: images(age_s=0.4)}), 'error', 'camera front', 'stamps',
        '0.400 s old', 'raise max_age_s'),
    'stamps of another time': (
        graph(streams={CAMERA: images(age_s=900.0 * 1e6)}), 'error', 'camera front', 'stamps',
        '900000000 s in the past', 'use_sim_time'),
    'no stamps': (
        graph(streams={CAMERA: stamps(0)}), 'error', 'camera front', 'stamps', 'a stamp is 0',
        'header.stamp'),
    'stamps that go back': (
        graph(streams={CAMERA: stamps(T, T - 2, T)}), 'error', 'camera front', 'stamps',
        'went back by 2.000 s', 'one publisher'),
    'image that can not be read': (
        graph(streams={CAMERA: images(fault="encoding 'yuv9'")}), 'error', 'camera front', 'image',
        "encoding 'yuv9'", 'change encoding or crop_px'),
    'stretched image': (
        graph(streams={CAMERA: images(size_px=(640, 360))}), 'warning', 'camera front', 'shape',
        '640x360', 'change width or height'),
    'enlarged image': (
        graph(streams={CAMERA: images(size_px=(32, 24))}), 'warning', 'camera front', 'shape',
        '32x24 px rgb8', 'lower width'),
    'no joint states': (
        graph(publishers={JOINTS: []}), 'error', 'joints', 'publisher', 'nobody publishes',
        '/joint_states; name one'),
    'joint of another name': (
        graph(streams={JOINTS: stream(50.0, positions={'shoulder_joint': 0.0, 'rail': 0.1})}),
        'error', 'joints', 'names', 'shoulder missing; there are rail, shoulder_joint',
        'shoulder_joint for shoulder'),
    'joint that is not a number': (
        graph(streams={JOINTS: replace(joints(), fault="joint 'rail' is nan")}), 'error', 'joints',
        'message', "'rail' is nan", 'log'),
    'joint outside': (
        graph(streams={JOINTS: joints(rail=0.9)}), 'error', 'joints', 'positions', 'rail at 0.9 m',
        'by hand'),
    'joint in degrees': (
        graph(streams={JOINTS: joints(shoulder=57.3)}), 'error', 'joints', 'positions',
        'shoulder at 57.3 rad', 'publish radians'),
    'slow joint states': (
        graph(streams={JOINTS: joints(20.0)}), 'warning', 'joints', 'rate', '20.0 Hz', 'network'),
    'no URDF': (
        graph(description=''), 'note', 'robot_description', 'URDF', 'nothing on robot_description',
        'robot_state_publisher'),
    'URDF that nobody gets': (
        graph(publishers={'robot_description': [Endpoint('/rsp', STRING)]}), 'error',
        'robot_description', 'QoS', 'volatile', 'robot_state_publisher'),
    'something else on robot_description': (
        graph(description='hello'), 'error', 'robot_description', 'URDF', 'not XML', 'mend'),
    'limit wider than the URDF': (
        graph(description=URDF.replace('velocity="3"', 'velocity="1.5"')), 'error',
        'robot_description', 'limits', 'shoulder: velocity_rad_s 3', 'write velocity_rad_s: 1.5'),
    'lower limit wider than the URDF': (
        graph(description=URDF.replace('lower="0"', 'lower="0.1"')), 'error',
        'robot_description', 'limits', 'rail: lower_m 0', 'write lower_m: 0.1'),
    'joint that is not in the URDF': (
        graph(description=URDF.replace('"rail"', '"slide"')), 'error', 'robot_description',
        'joints', "the URDF has no joint 'rail'", 'names of the URDF'),
    'rail that turns': (
        graph(description=URDF.replace('prismatic', 'revolute')), 'error', 'robot_description',
        'joints', 'rail is in rad', 'lower_rad'),
    'no controller': (
        graph(subscribers={COMMANDS: []}, found={'/arm/joint_trajectory': TRAJECTORY}), 'error',
        'controller joint_trajectory_controller', 'subscriber', 'nobody subscribes', 'spawn'),
    'controller on another topic': (
        graph(subscribers={COMMANDS: [], '/arm/joint_trajectory': [Endpoint('/jtc', TRAJECTORY)]},
              found={'/arm/joint_trajectory': TRAJECTORY}), 'error',
        'controller joint_trajectory_controller', 'subscriber', 'nobody subscribes',
        '/arm/joint_trajectory say'),
    'another type of command': (
        graph(subscribers={COMMANDS: [Endpoint('/jtc', STRING)]}), 'error',
        'controller joint_trajectory_controller', 'type', STRING, 'name another topic'),
    'controller that wants old commands': (
        graph(subscribers={COMMANDS: [Endpoint('/jtc', TRAJECTORY, True, True)]}), 'error',
        'controller joint_trajectory_controller', 'QoS', '/jtc asks for transient local',
        'durability volatile'),
    'two controllers': (
        graph(subscribers={COMMANDS: [Endpoint('/jtc', TRAJECTORY), Endpoint('/b', TRAJECTORY)]},
              parameters={'/b': CONTROLLER}), 'error', 'controller joint_trajectory_controller',
        'subscriber', '/b, /jtc all play it', 'a topic of its own'),
    'somebody else commands': (
        graph(publishers={COMMANDS: [Endpoint('/moveit', TRAJECTORY)]}), 'note',
        'controller joint_trajectory_controller', 'publishers', '/moveit command there', ''),
    'controller that does not answer': (
        graph(parameters={'/jtc': None}), 'warning', 'controller joint_trajectory_controller',
        'parameters', '/jtc has none', 'give --timeout more'),
    'controller of other joints': (
        jtc(joints=['shoulder', 'wrist']), 'error', 'controller joint_trajectory_controller',
        'joints', 'it lacks rail and it has wrist besides', 'in the YAML'),
    'velocity controller': (
        jtc(command_interfaces=['velocity']), 'error', 'controller joint_trajectory_controller',
        'command_interfaces', 'velocity', 'command_interfaces: [position]'),
    'no position feedback': (
        jtc(state_interfaces=[]), 'error', 'controller joint_trajectory_controller',
        'state_interfaces', 'none', 'state_interfaces: [position]'),
    'from the measured state': (
        jtc(interpolate_from_desired_state=False), 'error',
        'controller joint_trajectory_controller', 'interpolate_from_desired_state', 'false',
        'set interpolate_from_desired_state: true in the parameters of /jtc'),
    'ends in motion': (
        jtc(allow_nonzero_velocity_at_trajectory_end=True), 'warning',
        'controller joint_trajectory_controller', 'allow_nonzero_velocity_at_trajectory_end',
        'true', 'allow_nonzero_velocity_at_trajectory_end: false'),
    'some joints will do': (
        jtc(allow_partial_joints_goal=True), 'warning', 'controller joint_trajectory_controller',
        'allow_partial_joints_goal', 'true', 'allow_partial_joints_goal: false'),
    'times out': (
        jtc(cmd_timeout=0.5), 'warning', 'controller joint_trajectory_controller', 'cmd_timeout',
        '0.5 s', 'cmd_timeout: 0.0'),
    'tight constraints': (
        jtc(**{'constraints.rail.trajectory': 0.05}), 'warning',
        'controller joint_trajectory_controller', 'constraints',
        'constraints.rail.trajectory: 0.05', 'set them to 0'),
    'instruction that is not latched': (
        graph(publishers={'instruction': [Endpoint('/console', STRING)]}), 'error', 'instruction',
        'QoS', '/console is reliable and volatile', 'transient_local'),
    'instruction of another type': (
        graph(publishers={'instruction': [Endpoint('/console', IMAGE)]}), 'error', 'instruction',
        'type', '/console sends', 'remap'),
}


@pytest.mark.parametrize('case', SPOILT)
def test_what_is_wrong_is_found_and_nothing_else(case):
    """Catches a fault that a user would search for an evening, and a cure for another."""
    seen, severity, part, about, text, change = SPOILT[case]
    [finding] = found(seen)
    assert (finding.severity, finding.part, finding.about) == (severity, part, about)
    assert text in finding.found and change in finding.change
    assert finding.reason or severity == 'note' or 'URDF' in finding.about
    assert has_errors([finding]) == (severity == 'error')


def test_parameters_may_be_below_the_name_of_a_controller():
    """Catches one arm's parameters taken for the other's where one node stands in for both."""
    two = replace(ROBOT, controllers=(ControllerSpec('one', 'one/jt', ('shoulder',)),
                                      ControllerSpec('two', 'two/jt', ('rail',))))
    below = {f'{name}.{key}': value for name, joint in (('one', 'shoulder'), ('two', 'rail'))
             for key, value in {**CONTROLLER, 'joints': [joint]}.items()}
    subscribers = {topic: [Endpoint('/jtc', TRAJECTORY)] for topic in ('one/jt', 'two/jt')}
    assert found(graph(subscribers=subscribers, parameters={'/jtc': below}), two) == []
    [finding] = found(graph(subscribers=subscribers, parameters={
        '/jtc': {**below, 'two.joints': ['shoulder']}}), two)
    assert finding.part == 'controller two' and finding.about == 'joints'


def test_crop_and_rotation_count_for_the_shape():
    """Catches a shape judged by what comes, not by what is seen of it."""
    turned = replace(ROBOT, cameras=(replace(
        ROBOT.cameras[0], crop_px=(0, 0, 360, 480), rotation_deg=90),))
    assert found(graph(), turned) == []


def test_the_table_tells_why_and_what_to_change():
    """Catches findings that only a program can read."""
    findings = judge(ROBOT, jtc(interpolate_from_desired_state=False), 0.25, 0.05)
    told = table(findings)
    assert 'ERROR  controller joint_trajectory_controller  interpolate_from' in told
    assert '       why: else each trajectory begins at the lagging arm' in told
    assert '       change: set interpolate_from_desired_state: true' in told
    assert summary(findings).startswith('1 errors, 0 warnings, 0 notes, ')


# -- a first YAML

def found_by_itself(**changes) -> Seen:
    """Return the graph as it is seen where no YAML names its topics."""
    return graph(streams={f'/{CAMERA}': images(), CAMERA: Stream()}, subscribers={
        f'/{COMMANDS}': [Endpoint('/jtc', TRAJECTORY)], COMMANDS: []}, **changes)


def test_the_first_yaml_of_a_graph_is_read_and_passes(tmp_path):
    """Catches a draft that the package itself refuses, or that says something else than is."""
    text, to_fill_in = draft(found_by_itself(), 'first.urdf')
    (tmp_path / 'first.urdf').write_text(URDF)
    (tmp_path / 'first.yaml').write_text(text)
    robot = read_robot_file(tmp_path / 'first.yaml').robot
    assert to_fill_in == 0 and robot.name == 'my_bench'
    assert robot.joints == (JointSpec('shoulder', -2.0, 2.0, 3.0, 5.0),
                            JointSpec('rail', 0.0, 0.8, 0.5, 0.5, unit='m'))
    assert robot.cameras == (CameraSpec('front', CAMERA, 128, 96, rate_hz=24),)
    assert robot.controllers == ()
    assert found(graph(), robot) == []


def test_what_no_graph_tells_is_refused_until_it_is_filled_in(tmp_path):
    """Catches limits made up, and a user with a URDF who types it off."""
    seen = found_by_itself(description='', parameters={'/jtc': None})
    text, to_fill_in = draft(seen, 'first.urdf')
    (tmp_path / 'first.yaml').write_text(text)
    assert to_fill_in == 3 and 'urdf' not in text.partition('robot:')[2]
    assert '(urdf: FILE)' in text
    assert '(urdf: FILE)' not in draft(found_by_itself(), 'first.urdf')[0]
    with pytest.raises(Exception, match="first.yaml:9: joint 'shoulder': lower_rad: got nothing"):
        read_robot_file(tmp_path / 'first.yaml')


HAND = """<joint name="a" type="prismatic">
<limit lower="0" upper="0.04" velocity="0.1" effort="1"/></joint>
<joint name="b" type="prismatic"><mimic joint="a" multiplier="-1"/>
<limit lower="-0.04" upper="0" velocity="0.1" effort="1"/></joint></robot>"""


def test_two_controllers_fingers_and_cameras_of_all_sorts(tmp_path):
    """Catches a gripper's follower commanded, a depth image shown, one camera twice."""
    topics = {'/one/joint_trajectory': ['shoulder', 'rail'], '/two/joint_trajectory': ['a']}
    shown = {'/top/image_raw': IMAGE, '/top/image_raw/compressed': COMPRESSED,
             '/low/compressed': COMPRESSED, '/low/depth/image_raw': IMAGE, '/odd': COMPRESSED}
    seen = graph(
        subscribers={**{topic: [Endpoint(topic.rpartition('/')[0], TRAJECTORY)]
                        for topic in topics}, COMMANDS: []},
        parameters={topic.rpartition('/')[0]: {**CONTROLLER, 'joints': names}
                    for topic, names in topics.items()},
        streams={**{topic: images() for topic in shown}, CAMERA: Stream()},
        found={**shown, f'/{CAMERA}': STRING}, description=URDF.replace('</robot>', HAND))
    text, _ = draft(seen, 'first.urdf')
    (tmp_path / 'first.urdf').write_text(seen.description)
    (tmp_path / 'first.yaml').write_text(text)
    robot = read_robot_file(tmp_path / 'first.yaml').robot
    assert [group.topic for group in robot.controllers] == ['one/joint_trajectory',
                                                            'two/joint_trajectory']
    assert robot.controllers[1].joints == ('a',) and robot.joint_names == ('shoulder', 'rail', 'a')
    assert {finger.joint: finger.factor for finger in robot.joints[2].fingers} == {
        'a': 0.5, 'b': -0.5}
    assert robot.joints[2].upper == 0.08
    assert {camera.topic: camera.is_compressed for camera in robot.cameras} == {
        'low/compressed': True, 'odd': True, 'top/image_raw': False}
