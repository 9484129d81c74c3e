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
``python -m trimodal_ros.spec`` on real graphs: the simulated robot, and a driver with faults.

What each finding says is in test_graph_findings.py; here it is whether what is on a graph gets
there.
"""

from array import array
from contextlib import contextmanager
import json

from conftest import so101_yaml
from graph import overrides, spinning
import pytest
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.nodes.ros import LATCHED_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode
from trimodal_ros.spec import RobotSpec, SpecError
from trimodal_ros.spec.__main__ import main

YAML = """\
robot: bench
rate_hz: 2
horizon: 8
joints:
  - {name: shoulder, lower_rad: -2, upper_rad: 2, velocity_rad_s: 3, acceleration_rad_s2: 9}
  - {name: elbow, lower_rad: -2, upper_rad: 2, velocity_rad_s: 2, acceleration_rad_s2: 9}
cameras:
  front: {topic: front/image_raw, width: 16, height: 12}
"""
URDF = """<robot name="bench">
<joint name="shoulder" type="revolute">
<limit lower="-2" upper="2" velocity="3" effort="1"/></joint>
<joint name="elbow" type="revolute">
<limit lower="-2" upper="2" velocity="2" effort="1"/></joint></robot>"""
PATIENT = ('--timeout', '30')   # ends as soon as all was seen
CONTROLLER = {'joints': ['shoulder', 'elbow'], 'command_interfaces': ['position'],
              'state_interfaces': ['position', 'velocity'],
              'interpolate_from_desired_state': True, 'cmd_timeout': 0.0,
              'allow_nonzero_velocity_at_trajectory_end': False,
              'allow_partial_joints_goal': False, 'constraints.goal_time': 0.0}


class Bench(Node):
    """Camera, driver and URDF of an arm, with what is wrong with them by name."""

    def __init__(self, *faults: str):
        super().__init__('bench')
        self._faults = faults
        kind = CompressedImage if 'compressed' in faults else Image
        self._camera = self.create_publisher(kind, 'front/image_raw', SENSOR_QOS)
        self._joints = self.create_publisher(JointState, 'joint_states', SENSOR_QOS)
        description = self.create_publisher(
            String, 'robot_description', QoSProfile(depth=1) if 'volatile URDF' in faults
            else LATCHED_QOS)
        description.publish(String(data=URDF))
        if 'instruction' in faults:
            self._instruction = self.create_publisher(String, 'instruction', 10)
        self.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        ahead_ns = 200_000_000 if 'future' in self._faults else 0
        header = ROS_TYPES.header(now_ns(self) + ahead_ns)
        if 'compressed' in self._faults:
            self._camera.publish(CompressedImage(header=header, format='jpeg'))
        else:
            encoding = 'yuv9' if 'encoding' in self._faults else 'rgb8'
            self._camera.publish(Image(header=header, height=12, width=16, encoding=encoding,
                                       step=48, data=array('B', bytes(576))))
        names = ['elbow', 'shoulder_joint' if 'name' in self._faults else 'shoulder']
        self._joints.publish(JointState(header=header, name=names, position=[0.1, 0.2]))


class Controller(Node):
    """
    What subscribes to trajectories, with parameters as a joint_trajectory_controller has.

    ``active`` tells whether it sends its state, None of one that has no topic for that.
    """

    def __init__(self, durability=DurabilityPolicy.VOLATILE, active=None, **changes):
        super().__init__('jtc')
        if active is not None:
            state = self.create_publisher(JointState, '~/controller_state', 10)
            self.create_timer(0.02, lambda: active and state.publish(JointState()))
        for name, value in {**CONTROLLER, **changes}.items():
            self.declare_parameter(name, value)
        qos = QoSProfile(depth=1, durability=durability)
        self.create_subscription(JointTrajectory, 'joint_trajectory', lambda message: None, qos)


def check(file, folder, *arguments) -> tuple[bool, list[dict]]:
    """Return whether a YAML passed, and what was found that isn't well."""
    try:
        main(['check', str(file), '--json', str(folder / 'found.json'), *PATIENT, *arguments])
        ended = 0
    except SystemExit as error:
        ended = error.code
    told = json.loads((folder / 'found.json').read_text())
    assert told['passed'] == (ended == 0), ended
    return told['passed'], [each for each in told['findings'] if each['severity'] != 'ok']


@contextmanager
def bench(*faults: str, **controller):
    with spinning(Bench(*faults), Controller(**controller)):
        yield


@pytest.fixture
def yaml(tmp_path):
    (tmp_path / 'bench.yaml').write_text(YAML)
    return tmp_path / 'bench.yaml'


def test_a_good_bench_passes(ros, yaml, tmp_path, capsys):
    """Catches a fault found where there is none, as of a driver with another order of joints."""
    with bench():
        assert check(yaml, tmp_path) == (True, [])
    told = capsys.readouterr().out
    assert 'ok     camera front' in told and '0 errors, 0 warnings, 0 notes' in told
    assert 'in another order, which is fine' in told


@pytest.mark.parametrize('faults, expected', [
    (('compressed', 'name', 'volatile URDF', 'instruction'), {
        ('camera front', 'type'), ('joints', 'names'), ('robot_description', 'QoS'),
        ('instruction', 'QoS')}),
    (('future', 'encoding'), {('camera front', 'stamps'), ('joints', 'stamps'),
                              ('camera front', 'image')})])
def test_what_is_wrong_with_the_drivers_is_seen(ros, yaml, tmp_path, faults, expected):
    """Catches a fault that is judged well, and never seen on a graph."""
    with bench(*faults):
        passed, found = check(yaml, tmp_path)
    assert not passed and {(each['part'], each['about']) for each in found} == expected


def test_how_the_controller_is_set_is_seen(ros, yaml, tmp_path):
    """Catches parameters that are not asked for, or of another node."""
    settings = {'interpolate_from_desired_state': False, 'joints': ['shoulder'],
                'allow_nonzero_velocity_at_trajectory_end': True, 'cmd_timeout': 0.3,
                'constraints.goal_time': 0.5, 'durability': DurabilityPolicy.TRANSIENT_LOCAL}
    with bench(**settings):
        passed, found = check(yaml, tmp_path)
    assert not passed and {each['about']: each['severity'] for each in found} == {
        'QoS': 'error', 'joints': 'error', 'interpolate_from_desired_state': 'error',
        'allow_nonzero_velocity_at_trajectory_end': 'warning', 'cmd_timeout': 'warning',
        'constraints': 'warning'}


def test_whether_the_controller_is_active_is_seen(ros, yaml, tmp_path):
    """Catches an inactive controller, which subscribes and answers as any, and plays nothing."""
    with bench(active=True):
        assert check(yaml, tmp_path) == (True, [])
    with bench(active=False):
        passed, [finding] = check(yaml, tmp_path, '--timeout', '4')
    assert not passed and finding['about'] == 'active', finding
    assert 'switch_controllers --activate jtc' in finding['change']


def test_limits_are_compared_with_the_description(ros, tmp_path):
    """Catches an arm commanded faster than its maker allows."""
    (tmp_path / 'wide.yaml').write_text(YAML.replace('velocity_rad_s: 2,', 'velocity_rad_s: 3,'))
    with bench():
        passed, [finding] = check(tmp_path / 'wide.yaml', tmp_path)
    assert not passed and finding['change'] == 'write velocity_rad_s: 2'


def test_names_go_by_namespace_and_remapping(ros, yaml, tmp_path):
    """Catches a robot in a namespace that is looked for outside."""
    camera = Node('camera', namespace='cell')
    camera.create_publisher(Image, 'color', SENSOR_QOS)
    with spinning(camera, Bench(), Controller()):
        _, found = check(yaml, tmp_path, '--namespace', 'cell', '--remap',
                         'front/image_raw:=color', '--timeout', '2')
    silent, *others = found
    assert (silent['part'], silent['about']) == ('camera front', 'messages')
    assert {each['part'] for each in others if each['severity'] == 'error'} == {
        'joints', 'controller joint_trajectory_controller'}


def test_an_empty_graph_is_an_answer(ros, yaml, tmp_path):
    """Catches a command that hangs, or a traceback, where nothing is running yet."""
    passed, found = check(yaml, tmp_path, '--timeout', '1.5')
    assert not passed and {each['part'] for each in found} == {
        'camera front', 'joints', 'robot_description', 'controller joint_trajectory_controller'}
    assert all(each['change'] for each in found)


def test_a_wrong_file_is_refused_before_anything_is_looked_at(tmp_path):
    """Catches seconds of looking for a robot that isn't one."""
    (tmp_path / 'bench.yaml').write_text(YAML.replace('horizon', 'horizont'))
    with pytest.raises(SystemExit, match="error: .*bench.yaml:3: robot: unknown key 'horizont'"):
        main(['check', str(tmp_path / 'bench.yaml')])
    with pytest.raises(SystemExit, match='expected FROM:=TO'):
        (tmp_path / 'good.yaml').write_text(YAML)
        main(['check', str(tmp_path / 'good.yaml'), '--remap', 'a=b'])


# -- a first YAML

def test_a_first_yaml_is_written_and_passes(ros, tmp_path, capsys):
    """Catches a draft that its own check refuses, and files that are overwritten."""
    first = tmp_path / 'first.yaml'
    with bench():
        main(['new', str(first), *PATIENT])
        assert check(first, tmp_path) == (True, [])
    assert (tmp_path / 'first.urdf').read_text() == URDF
    robot = RobotSpec.from_yaml(first)
    assert robot.joint_names == ('shoulder', 'elbow')
    assert robot.cameras[0].topic == 'front/image_raw'
    assert '0 places to fill in' in capsys.readouterr().out
    before = first.read_text()
    with pytest.raises(SystemExit, match='first.yaml exists already'):
        main(['new', str(first)])
    with pytest.raises(SystemExit, match='first.urdf exists already'):
        main(['new', str(tmp_path / 'first.yml')])
    assert first.read_text() == before
    assert {path.name for path in tmp_path.iterdir()} == {'first.yaml', 'first.urdf', 'found.json'}


def test_nothing_is_written_of_an_empty_graph(ros, tmp_path):
    """Catches an empty YAML that stands in the way of the next try."""
    with pytest.raises(SystemExit, match='error: no joints: .*start the driver'):
        main(['new', str(tmp_path / 'first.yaml'), '--timeout', '1'])
    assert not list(tmp_path.iterdir())


# -- the simulated robot

@pytest.fixture(scope='module')
def simulated_graph():
    """The simulated robot, on a context that lasts for the module."""
    import rclpy
    rclpy.init()
    with spinning(SimulatedRobotNode(parameter_overrides=overrides(viewer=False))):
        yield
    rclpy.try_shutdown()


def test_the_simulated_robot_passes(simulated_graph, tmp_path):
    """Catches a robot that isn't what its YAML says, or a controller that isn't as real ones."""
    passed, found = check(so101_yaml(), tmp_path)
    assert passed and [each['part'] for each in found] == ['robot_description'], found


def test_a_first_yaml_of_the_simulated_robot(simulated_graph, tmp_path):
    """Catches cameras and joints that are not found by themselves."""
    main(['new', str(tmp_path / 'first.yaml'), *PATIENT])
    with pytest.raises(SpecError) as error:
        RobotSpec.from_yaml(tmp_path / 'first.yaml')
    assert all('got nothing' in line and 'fill it in' in line
               for line in str(error.value).splitlines())
    text = (tmp_path / 'first.yaml').read_text()
    assert 'topic: front/image_raw' in text and 'topic: wrist/image_raw' in text
    assert [name for name in RobotSpec.from_yaml(so101_yaml()).joint_names
            if f'name: {name}' not in text] == []
