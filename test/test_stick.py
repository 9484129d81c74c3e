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

"""What a Joy and a terminal's keys mean."""

from copy import deepcopy

from conftest import so101_yaml
import numpy as np
import pytest
import yaml

from trimodal_ros.command.keys import HANDS_ON_S, KeyStick, PRESSED_S
from trimodal_ros.command.stick import Mapping, StickError
from trimodal_ros.paths import share_dir
from trimodal_ros.spec import RobotSpec, SpecError

ROBOT = RobotSpec.from_yaml(so101_yaml())
FILES = {name: share_dir() / 'config' / f'{name}.yaml' for name in ('teleop', 'keyboard')}


@pytest.fixture
def gamepad() -> Mapping:
    return Mapping.from_yaml(FILES['teleop'], ROBOT)


def test_gamepad_moves_what_the_file_says(gamepad):
    """Catches an axis that moves another joint, or the other way, and a grip in the arm."""
    stick = gamepad.read([1.0, 0, 0, 0, 0.5, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0])
    names = ROBOT.joint_names
    assert stick.joint_J[names.index('shoulder_pan')] == -1.0
    assert -0.5 < stick.joint_J[names.index('elbow_flex')] < -0.4  # less what counts as rest
    assert stick.joint_J[names.index('gripper')] == 0.0
    assert stick.gripper_J[names.index('gripper')] == 1.0 and stick.gripper_J.sum() == 1.0
    assert stick.twist_6[1] == 1.0 and 0.4 < stick.twist_6[2] < 0.5
    assert stick.deadman is True and not stick.next_mode


def test_worn_stick_at_rest_asks_for_nothing(gamepad):
    """Catches an arm that creeps since no stick comes back to 0 exactly."""
    stick = gamepad.read([0.07, -0.05, 0, 0.08, -0.03, 0, 0, 0], [0] * 8)
    assert not stick.joint_J.any() and not stick.twist_6.any() and stick.deadman is False


@pytest.mark.parametrize('axes, buttons, complaint', [
    ([0.0] * 3, [0] * 8, '3 axes, the mapping names 8'),
    ([0.0] * 8, [0] * 2, '2 buttons, the mapping names 8'),
    ([0.0] * 7 + [np.nan], [0] * 8, 'axis 7 is nan'),
    ([1.5] + [0.0] * 7, [0] * 8, 'axis 0 is 1.5')])
def test_joy_that_cannot_be_is_refused(gamepad, axes, buttons, complaint):
    """Catches a motion by another device, or by what no stick can say."""
    with pytest.raises(StickError, match=complaint):
        gamepad.read(axes, buttons)


CHANGES = {
    "joint: .*'shoulder'. unknown": lambda data: data['joint'].update(shoulder={'axis': 0}),
    "joint: .*'gripper'. unknown": lambda data: data['joint'].update(gripper={'axis': 0}),
    'cartesian: .*up.* unknown': lambda data: data['cartesian'].update(up={'axis': 0}),
    'x: axis -1': lambda data: data['cartesian'].update(x={'axis': -1}),
    "x: expected either 'axis' or": lambda data: data['cartesian'].update(x={'scale': 1.0}),
    'x: expected axis or buttons': lambda data: data['cartesian'].update(x={'axle': 0}),
    'gripper: expected axis or buttons': lambda data: data.update(gripper=3),
    'gripper: buttons .*two whole': lambda data: data.update(gripper={'buttons': [1]}),
    'scale 0': lambda data: data['joint'].update(elbow_flex={'axis': 0, 'scale': 0}),
    'rest 1': lambda data: data.update(rest=1.0),
    'deadman .*number of a button': lambda data: data.update(deadman='A'),
    'expected the keys': lambda data: data.pop('rest'),
}


@pytest.mark.parametrize('complaint', CHANGES)
def test_mapping_that_cannot_be_is_refused_by_name(tmp_path, complaint):
    """Catches a misspelt joint that nothing moves, found out only on the robot."""
    data = deepcopy(yaml.safe_load(FILES['teleop'].read_text()))
    CHANGES[complaint](data)
    file = tmp_path / 'mapping.yaml'
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(SpecError, match=complaint) as error:
        Mapping.from_yaml(file, ROBOT)
    assert str(error.value).startswith(f'{file}: ')


def test_mapping_may_leave_out_what_a_device_lacks(tmp_path):
    """Catches a device without a dead-man button, or with one stick, that can't be used."""
    file = tmp_path / 'mapping.yaml'
    file.write_text(yaml.safe_dump({'rest': 0.1, 'deadman': None, 'next_mode': None,
                                    'gripper': None, 'joint': {'elbow_flex': {'axis': 0}},
                                    'cartesian': None}))
    stick = Mapping.from_yaml(file, ROBOT).read([1.0], [])
    assert stick.joint_J.sum() == 1.0 and stick.deadman is None


# -- keys


@pytest.fixture
def keyboard():
    """What keys, pressed at times, mean to the teleop node at another."""
    mapping = Mapping.from_yaml(FILES['keyboard'], ROBOT)

    def read(keys: list[tuple[str, float]], now_s: float):
        pressed = KeyStick()
        for key, at_s in keys:
            pressed.press(key, at_s)
        return mapping.read(*pressed.joy(now_s))
    return read


def test_key_moves_until_it_does_not_come_again(keyboard):
    """Catches a key that is never let go, since a terminal doesn't tell."""
    repeats = [('1', 0.03 * number) for number in range(10)]
    assert keyboard(repeats, 0.3).joint_J[0] == 0.5
    assert keyboard(repeats, 0.28 + PRESSED_S).joint_J[0] == 0.0
    assert keyboard(repeats, 0.28 + PRESSED_S).deadman  # the hand is still there
    assert not keyboard(repeats, 0.28 + HANDS_ON_S).deadman


def test_opposite_key_takes_over_at_once(keyboard):
    """Catches two keys that cancel out while the first counts as held."""
    assert keyboard([('1', 0.0), ('q', 0.05)], 0.06).joint_J[0] == -0.5


def test_other_keys(keyboard):
    """Catches a gripper, a mode, a speed and a rest that are on other keys than is told."""
    assert keyboard([('o', 0.0)], 0.01).gripper_J.sum() == 0.5
    assert keyboard([('c', 0.0)], 0.01).gripper_J.sum() == -0.5
    assert keyboard([('m', 0.0)], 0.01).next_mode
    assert keyboard([('+', 0.0), ('+', 0.1), ('2', 0.2)], 0.21).joint_J[1] > 0.7
    assert keyboard([('-', 0.0)] * 50 + [('2', 0.2)], 0.21).joint_J[1] == pytest.approx(0.1)
    resting = keyboard([(' ', 0.0)], 0.01)
    assert resting.deadman and not resting.joint_J.any() and not resting.twist_6.any()
