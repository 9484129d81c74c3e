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

The graph is made of plain data, a good one, with one thing spoilt. test_graph_check.py looks at
real ones.
"""

from dataclasses import replace

from bench_graph import (
    CAMERA,
    COMMANDS,
    COMPRESSED,
    CONTROLLER,
    found,
    graph,
    IMAGE,
    images,
    JOINTS,
    joints,
    ROBOT,
    stream,
    STRING,
    T,
    TRAJECTORY,
    URDF,
)
import pytest

from trimodal_ros.spec import ControllerSpec, NS_PER_S
from trimodal_ros.spec.graph.finding import has_errors, summary, table
from trimodal_ros.spec.graph.judge import judge
from trimodal_ros.spec.graph.seen import Endpoint, Seen, Stream


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
    'recorder in place of a controller': (
        graph(parameters={'/jtc': {'use_sim_time': False}}), 'error',
        'controller joint_trajectory_controller', 'subscriber', 'nothing plays it: /jtc has none',
        'spawn the joint_trajectory_controller'),
    'recorder beside one that does not answer': (
        graph(subscribers={COMMANDS: [Endpoint('/bag', TRAJECTORY), Endpoint('/jtc', TRAJECTORY)]},
              parameters={'/bag': {'use_sim_time': False}, '/jtc': None}), 'warning',
        'controller joint_trajectory_controller', 'parameters', '/bag, /jtc has none',
        'give --timeout more'),
    'controllers of other names below one node': (
        graph(parameters={'/jtc': {'left.joints': ['shoulder', 'rail']}}), 'warning',
        'controller joint_trajectory_controller', 'parameters', '/jtc has none', 'look at its'),
    'inactive controller': (
        graph(active={'/jtc': False}), 'error', 'controller joint_trajectory_controller', 'active',
        'nothing came on /jtc/controller_state in 2.0 s', 'switch_controllers --activate jtc'),
    'controller whose state can not be read': (
        graph(found={'/jtc/controller_state': 'control_msgs/msg/State'}), 'note',
        'controller joint_trajectory_controller', 'active', 'is not checked: control_msgs',
        'list_controllers'),
    'controller in scaled time': (
        jtc(speed_scaling_interface_name='speed_scaling/speed_scaling_factor'), 'warning',
        'controller joint_trajectory_controller', 'speed_scaling_interface_name',
        'speed_scaling/speed_scaling_factor', '--activate joint_trajectory_controller'),
    'efforts without gains': (
        jtc(command_interfaces=['effort'], **{'gains.shoulder.p': 600.0, 'gains.rail.p': 0.0}),
        'error', 'controller joint_trajectory_controller', 'gains', 'no p for rail',
        'set gains.rail.p in the parameters of /jtc'),
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


@pytest.mark.parametrize('seen', [
    graph(active={'/jtc': True}, found={'/jtc/controller_state': 'control_msgs/msg/State'}),
    jtc(speed_scaling_interface_name=''), jtc(command_interfaces=['position', 'effort']),
    jtc(command_interfaces=['effort'], **{'gains.shoulder.p': 6.0, 'gains.rail.p': 6.0}),
    graph(subscribers={COMMANDS: [Endpoint('/bag', TRAJECTORY), Endpoint('/jtc', TRAJECTORY)]},
          parameters={'/bag': {'use_sim_time': False}}),
], ids=['active', 'unscaled', 'positions too', 'efforts with gains', 'recorder beside it'])
def test_controllers_that_will_do_are_not_complained_of(seen):
    """Catches a check that cries wolf: of a recorder that listens in, or of gains not used."""
    assert found(seen) == []


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
