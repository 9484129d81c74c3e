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
A robot YAML and its URDF: what it may say. test_robot_mistakes.py has what it may not.

The so101.yaml that recordings and a checkpoint were made with is the oracle for what must not
change.
"""

import json

import pytest
import yaml

from trimodal_ros.paths import share_dir
from trimodal_ros.spec import (
    Binary,
    CameraSpec,
    ControllerSpec,
    Finger,
    JointSpec,
    RobotSpec,
    SpecError,
)
from trimodal_ros.spec.keys import CAMERA_KEYS, CONTROLLER_KEYS, JOINT_KEYS, ROBOT_KEYS
from trimodal_ros.spec.robot_file import read_robot_file, write_robot_file

ROBOT = """\
robot: bench
urdf: bench.urdf
rate_hz: 10.0
horizon: 8
joints:
  - {name: shoulder, acceleration_rad_s2: 10.0}
  - {name: rail, lower_m: 0.1, acceleration_m_s2: 1.0}
  - name: gripper
    gripper: parallel
    fingers: {finger_1: 0.5, finger_2: -0.5}
    acceleration_m_s2: 1.0
cameras:
  front: {topic: front/image_raw, width: 64, height: 48}
  wrist: {topic: wrist/compressed, width: 32, height: 32}
"""
URDF = """\
<robot name="bench">
  <joint name="shoulder" type="revolute">
    <limit lower="-2" upper="2" velocity="3" effort="1"/></joint>
  <joint name="rail" type="prismatic">
    <limit lower="0" upper="0.8" velocity="0.5" acceleration="0.7" effort="1"/></joint>
  <joint name="finger_1" type="prismatic">
    <limit lower="0" upper="0.04" velocity="0.1" effort="1"/></joint>
  <joint name="finger_2" type="prismatic">
    <mimic joint="finger_1" multiplier="-1"/>
    <limit lower="-0.03" upper="0" velocity="0.1" effort="1"/></joint>
  <joint name="mount" type="fixed"/>
  <joint name="wheel" type="continuous"><limit velocity="2" effort="1"/></joint>
  <joint name="bare" type="revolute"/>
</robot>
"""


def write(folder, *changes, urdf: str = URDF):
    """Write the robot, with some of its text replaced, and its URDF; return the YAML's path."""
    text = ROBOT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / 'bench.urdf').write_text(urdf)
    (folder / 'bench.yaml').write_text(text)
    return folder / 'bench.yaml'


def refusal(path) -> list[str]:
    """Return what is wrong with a file, a line each, without the folder."""
    with pytest.raises(SpecError) as error:
        RobotSpec.from_yaml(path)
    return str(error.value).replace(f'{path.parent}/', '').splitlines()


def test_so101_is_what_it_was(so101, shipped):
    """Catches a checkpoint or recordings that no longer fit the robot they were made with."""
    kept = json.loads((shipped / 'config.json').read_text())['robot']
    assert json.dumps(so101.to_dict()) == json.dumps(kept)
    assert RobotSpec.from_dict(kept) == so101
    assert so101.content_hash == '69f50f4d4b85b724'  # as in recordings of before


def test_every_shipped_yaml_is_read():
    """Catches a key that was renamed in the code and not there."""
    for path in sorted((share_dir() / 'config' / 'robots').glob('*.yaml')):
        if 'robot' in yaml.safe_load(path.read_text()):
            assert RobotSpec.from_yaml(path).joints


def test_limits_come_from_the_urdf_where_the_yaml_has_none(tmp_path):
    """Catches a limit made up, of the wrong joint, or looser than either."""
    shoulder, rail, gripper = read_robot_file(write(tmp_path)).robot.joints
    assert shoulder == JointSpec('shoulder', -2.0, 2.0, 3.0, 10.0)
    assert rail == JointSpec('rail', 0.1, 0.8, 0.5, 0.7, unit='m')  # the tighter acceleration
    assert (gripper.lower, gripper.upper, gripper.velocity) == (0.0, 0.06, 0.2)
    assert gripper.driven == (Finger('finger_1', 0.5), Finger('finger_2', -0.5))


def test_the_yaml_says_which_urdf(tmp_path, monkeypatch):
    """Catches a URDF looked for where the process happens to be, or a package not found."""
    monkeypatch.chdir('/')
    path = write(tmp_path)
    assert read_robot_file(path).urdf == (tmp_path / 'bench.urdf').read_text()
    package = tmp_path / 'install' / 'share' / 'bench_description'
    package.mkdir(parents=True)
    path = write(tmp_path, ('bench.urdf', 'package://bench_description/bench.urdf'))
    assert 'source the workspace' in refusal(path)[0]
    (tmp_path / 'bench.urdf').rename(package / 'bench.urdf')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path / "install"}')
    assert read_robot_file(path).urdf == (package / 'bench.urdf').read_text()


FULL = RobotSpec(
    'full', rate_hz=20.0, horizon=4, joint_states_hz=100.0,
    joints=(JointSpec('a', -1.0, 1.0, 2.0, 3.0), JointSpec('rail', 0.0, 0.5, 1.0, 2.0, unit='m'),
            JointSpec('left', 0.0, 0.08, 0.1, 1.0, True, 'm',
                      (Finger('left_1', 0.5), Finger('left_2', -0.5)), Binary(0.01, 0.07)),
            JointSpec('right', 0.0, 0.08, 0.1, 1.0, True, 'm', (Finger('right_1', 1.0),)),
            JointSpec('vacuum', -5.0, 105.0, 900.0, 9000.0, True, 'percent',
                      binary=Binary(0.0, 100.0, 0.2, 0.4))),
    cameras=(CameraSpec('top', 'top', 32, 24, (4, 8, 64, 48), 270, True, 15.0),
             CameraSpec('low', 'low/compressed', 32, 24)),
    controllers=(ControllerSpec('one', 'one/joint_trajectory', ('rail', 'a', 'left')),
                 ControllerSpec('two', '/two/joint_trajectory', ('right', 'vacuum'))))


def test_what_is_written_is_read_again(tmp_path):
    """Catches a field lost on the way through a YAML or a checkpoint's config.json."""
    write_robot_file(FULL, tmp_path / 'full.yaml')
    assert RobotSpec.from_yaml(tmp_path / 'full.yaml') == FULL
    again = RobotSpec.from_dict(json.loads(json.dumps(FULL.to_dict())))
    assert again == FULL and again.content_hash == FULL.content_hash


def test_a_robot_is_another_where_recordings_would_differ(tmp_path):
    """Catches bags of two robots taken for one, and one robot for two since it got faster."""
    first = read_robot_file(write(tmp_path)).robot

    def changed(*change):
        return read_robot_file(write(tmp_path, change)).robot.content_hash != first.content_hash
    assert changed('height: 48}', 'height: 48, crop_px: [0, 0, 9, 9]}')
    assert changed('height: 48}', 'height: 48, rotation_deg: 90}')
    assert changed('finger_2: -0.5', 'finger_2: -0.4')
    assert changed('gripper: parallel', 'gripper: binary')
    assert not changed('horizon: 8\n', 'horizon: 8\njoint_states_hz: 50\n')
    assert not changed('height: 48}', 'height: 48, rate_hz: 30}')
    assert not changed('lower_m: 0.1', 'lower_m: 0.2')


def test_binary_positions_are_the_limits_unless_told(tmp_path):
    """Catches open and closed exchanged, and thresholds of another joint."""
    path = write(tmp_path, ('parallel', 'binary\n    open_above: 0.6'))
    assert read_robot_file(path).robot.joints[2].binary == Binary(0.0, 0.06, open_above=0.6)
    path = write(tmp_path, ('parallel', 'binary\n    open_m: 0.0\n    closed_m: 0.05'))
    assert read_robot_file(path).robot.joints[2].binary == Binary(0.05, 0.0)


def test_a_continuous_joint_may_have_limits_of_its_own(tmp_path):
    """Catches a refusal that leaves arms with endless wrists unusable."""
    path = write(tmp_path, ('name: shoulder,', 'name: wheel, lower_rad: -3.0, upper_rad: 3.0,'))
    assert read_robot_file(path).robot.joints[0] == JointSpec('wheel', -3.0, 3.0, 2.0, 10.0)


def test_every_key_is_documented():
    """Catches a key that nobody can find, and a page on one that is gone."""
    page = (share_dir() / 'doc' / 'reference' / 'robot.md').read_text()
    for key in {**ROBOT_KEYS, **JOINT_KEYS, **CAMERA_KEYS, **CONTROLLER_KEYS}:
        assert f'`{key}`' in page, key
