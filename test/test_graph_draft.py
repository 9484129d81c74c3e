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

"""A first robot YAML, from what is on a graph."""

from bench_graph import (
    CAMERA,
    COMMANDS,
    COMPRESSED,
    CONTROLLER,
    found,
    graph,
    IMAGE,
    images,
    STRING,
    TRAJECTORY,
    URDF,
)
import pytest

from trimodal_ros.spec import CameraSpec, JointSpec
from trimodal_ros.spec.graph.draft import draft
from trimodal_ros.spec.graph.seen import Endpoint, Seen, Stream
from trimodal_ros.spec.robot_file import read_robot_file


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


def players(*names: str, joints=('shoulder', 'rail'), **changes) -> Seen:
    """Return a graph on which these play joints, those called scaled in scaled time."""
    return graph(
        streams={f'/{CAMERA}': images(), CAMERA: Stream()},
        subscribers={COMMANDS: [], **{f'/{name}/joint_trajectory': [
            Endpoint(f'/{name}', TRAJECTORY)] for name in names}},
        parameters={f'/{name}': {**CONTROLLER, 'joints': list(joints), **({
            'speed_scaling_interface_name': 'speed_scaling/factor'} if 'scaled' in name else {}),
            **changes.get(name, {})} for name in names})


def read_draft(seen: Seen, folder):
    """Return the text of a draft and the robot that it is read as."""
    text, _ = draft(seen, 'first.urdf')
    (folder / 'first.urdf').write_text(seen.description)
    (folder / 'first.yaml').write_text(text)
    return text, read_robot_file(folder / 'first.yaml').robot


def test_of_controllers_with_the_same_joints_one_is_kept(tmp_path):
    """Catches each joint written twice, where a driver loads a plain and a scaled controller."""
    text, robot = read_draft(players('a_scaled', 'plain', 'z_other'), tmp_path)
    assert robot.joint_names == ('shoulder', 'rail')
    assert [group.name for group in robot.controllers] == ['plain']
    told = [line for line in text.splitlines() if line.startswith('# CHECK: ')]
    assert told == [
        '# CHECK: a_scaled plays the same joints; a_scaled/joint_trajectory is left out, as it '
        'plays in scaled time: have plain active, not it',
        '# CHECK: z_other plays the same joints; z_other/joint_trajectory is left out: have plain '
        'active, not it']


def test_a_joint_that_is_lost_with_a_controller_is_told(tmp_path):
    """Catches a joint that is in no YAML, with nothing said of it."""
    text, robot = read_draft(players('arm', 'both', arm={'joints': ['shoulder']}), tmp_path)
    assert robot.joint_names == ('shoulder',)
    assert 'both plays the same joints; both/joint_trajectory is left out; rail with it' in text


@pytest.mark.parametrize('description, name, told, keys', [
    (URDF.replace('velocity="0.5"', 'velocity="0"'), 'rail',
     "FILL IN: joint 'rail': velocity 0.0 in the URDF, must be above 0 (line 5 of the URDF); "
     'write the real one there', 'lower_m: , upper_m: , velocity_m_s: , acceleration_m_s2: '),
    (URDF.replace(' velocity="3"', ''), 'shoulder',
     "FILL IN: joint 'shoulder': velocity 'missing' in the URDF is not a number (line 3 of the "
     'URDF); write one there', 'lower_rad: '),
    (URDF.replace('"rail"', '"slide"'), 'rail', "FILL IN: the URDF has no joint 'rail'; it has "
     "['shoulder', 'slide']; name one of these", 'lower_rad: '),
], ids=['zero', 'missing', 'no such joint'])
def test_a_joint_that_the_urdf_spoils_is_to_be_filled_in(description, name, told, keys):
    """Catches one bad joint of a URDF that leaves a user without any YAML."""
    text, to_fill_in = draft(found_by_itself(description=description), 'first.urdf')
    [line] = [line for line in text.splitlines() if f'name: {name},' in line]
    assert to_fill_in == 1 and f'name: {name}, {keys}' in line and told in line
    assert text.count('  - {name: ') == 2


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
