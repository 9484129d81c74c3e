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

"""Inputs that are missing, late, damaged or not what they seem, through real topics."""

from graph import wait_for
import numpy as np
from policy_graph import (
    assert_safe,
    commanding_policy,
    goes_on,
    hold_after,
    is_commanded,
    SENTENCE,
    wait_for_diagnosis,
    watch,
)
import pytest

from trimodal_ros.spec import NS_PER_S

pytestmark = pytest.mark.usefixtures('ros')
FRONT = "holding: camera 'front'"
UNREADABLE = "holding: unreadable image: camera 'front': "
MORE_PLANS = 5


def late(seconds: float, *inputs):
    return lambda driver: driver.late_ns.update(
        {name: round(seconds * NS_PER_S) for name in inputs})


def sizes(height: int, width: int, encoding: str = 'rgb8'):
    def change(driver):
        driver.size['front'], driver.encoding = (height, width), encoding
    return change


def stick(driver):
    driver.stuck['front'] = driver.time_ns()


# What goes wrong, and what is told.
FAULTS = {
    'front camera silent': (lambda driver: driver.silent.add('front'), f'{FRONT}: stamped'),
    'wrist camera silent': (lambda driver: driver.silent.add('wrist'),
                            "holding: camera 'wrist': stamped"),
    'joint states silent': (lambda driver: driver.silent.add('joints'),
                            'holding: joint_states: stamped'),
    'same pixels': (lambda driver: driver.frozen.add('front'), f'{FRONT} is frozen'),
    'same stamp': (stick, f'{FRONT}: stamped'),
    'images 2 s old': (late(2, 'front', 'wrist'), f'{FRONT}: stamped 2.'),
    'images ahead': (late(-2, 'front', 'wrist'), f'{FRONT}: stamped -'),
    'joint states 2 s old': (late(2, 'joints'), 'holding: joint_states: stamped'),
    'cameras apart': (late(0.2, 'wrist'), 'holding: cameras: 0.'),
    'unknown encoding': (sizes(96, 128, 'yuv422_from_mars'), f'{UNREADABLE}encoding'),
    'other encoding': (sizes(96, 128, 'rgba8'), UNREADABLE),
    'no pixels': (sizes(0, 0), f'{UNREADABLE}0x0 px'),
    'joint missing': (lambda driver: driver.names.remove('elbow_flex'),
                      "holding: joint_states: joint 'elbow_flex' stamped"),
    'joint not a number': (lambda driver: driver.reads.update(elbow_flex=np.nan),
                           'holding: unusable joint_states: '),
    'joint infinite': (lambda driver: driver.reads.update(gripper=np.inf),
                       'holding: unusable joint_states: '),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_fault_holds_the_robot(commanding, fault):
    """Catches an arm that goes on with its chunk on inputs that can't be trusted."""
    driver, policy = commanding
    change, reason = FAULTS[fault]
    hold_after(driver, lambda: change(driver), reason)
    told = "camera 'front'" if 'front' in reason else reason.split(': ')[1].split()[-1]
    wait_for_diagnosis(driver, told)


def test_joint_that_cannot_be_read_is_named(commanding):
    """Catches a joint that is no number, and nobody says which."""
    driver, policy = commanding
    driver.reads['gripper'] = np.nan
    wait_for(lambda: "joint_states: joint 'gripper' is nan" in driver.logged, 'its name')


def test_huge_images_hold_the_robot(commanding):
    """Catches a node that is busy, or out of memory, with a camera set to 8K."""
    driver, policy = commanding
    hold_after(driver, lambda: sizes(4320, 7680, 'mono8')(driver), 'holding: ')
    sizes(96, 128)(driver)
    goes_on(driver)


@pytest.mark.parametrize('input', ['front', 'joints'])
def test_robot_goes_on_when_the_input_is_back(commanding, input):
    """Catches a node that must be restarted after one lost cable."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.silent.add(input), 'holding: ')
    driver.silent.clear()
    goes_on(driver)
    assert 'commanding' in driver.logged


def test_a_short_hold_is_told(commanding):
    """Catches a robot that stops for a moment, and a monitor that never learns why."""
    driver, policy = commanding
    for _ in range(3):   # each would be over before the next second
        hold_after(driver, lambda: driver.reads.update(gripper=np.nan), 'holding: unusable')
        driver.reads.clear()
        goes_on(driver)
    assert sum('unusable joint_states' in str(status) for status in driver.diagnosed
               if status.name.endswith('state')) >= 3


def see_more(driver, policy) -> list:
    """Return the next observations planned from; the robot is commanded all the while."""
    seen, lines = watch(policy), len(driver.logged)
    wait_for(lambda: len(seen) >= MORE_PLANS, 'plans')
    assert not any('unreadable' in line or 'joint' in line for line in driver.logged[lines:])
    assert_safe(driver)
    return seen


def test_padded_rows_are_read_right(commanding, so101):
    """Catches an image that is slanted, as its rows are longer than its pixels."""
    driver, policy = commanding
    driver.padding = 20
    wait_for(lambda: {sample.message.step for images in policy.commander.pilot.observer._images
             .values() for sample in images} == {128 * 3 + 20, 64 * 3 + 20}, 'padded images')
    for observation in see_more(driver, policy):
        for camera in so101.cameras:
            sent = driver.pixels(camera, observation.stamps_ns[camera.name])
            assert np.array_equal(observation.images[camera.name], sent)


def test_reordered_joints_are_read_right(commanding, so101):
    """Catches joints read by their place and not by their name."""
    driver, policy = commanding
    for names in (so101.joint_names, ('other', *reversed(so101.joint_names[2:]),
                                      *so101.joint_names[:2])):
        driver.reads = {'other': 2.0}
        driver.names = list(names)
        for observation in see_more(driver, policy)[1:]:
            np.testing.assert_allclose(observation.position_J[1:5], driver.position_J[1:5],
                                       atol=1e-6)
            assert observation.position_J[0] < -1.2 and 0.3 < observation.position_J[5] < 0.5


def test_a_hold_is_told_once_while_its_numbers_change(commanding):
    """Catches a line in the log every 20 ms, as the cameras are never apart by the same time."""
    driver, policy = commanding
    hold_after(driver, lambda: late(0.2, 'wrist')(driver), 'holding: cameras: 0.')
    told = sum('cameras: ' in text for text in driver.logged)
    others = sum('holding: ' in text and 'cameras: ' not in text for text in driver.logged)
    assert told <= 1 + others + driver.logged.count('commanding')


# -- what the robot is told

TOO_LONG = 'red ' * 100  # within 500 characters, but more tokens than are read
INSTRUCTIONS = {
    'empty': ('', 'holding: no instruction'),
    'blank': (' \t\n ', 'holding: no instruction'),
    'invisible': ('\u200b', 'holding: no instruction'),
    '10 kB': ('x' * 10_000, 'instruction refused, holding: the instruction has 10000 char'),
    'not UTF-8': (b'put the \xff\xfe cube', 'instruction refused, holding: the instruction'),
    'control characters': ('put\x07it', 'instruction refused, holding: the instruction'),
    'too many tokens': (TOO_LONG, 'holding: unreadable instruction: the instruction has 102 '
                                  'tokens, at most 64'),
}


@pytest.mark.parametrize('kind', INSTRUCTIONS)
def test_no_usable_instruction_holds_the_robot(commanding, kind):
    """Catches a robot that goes on with what it was told before, or with half of a sentence."""
    driver, policy = commanding
    text, reason = INSTRUCTIONS[kind]
    hold_after(driver, lambda: driver.say(text), reason)
    wait_for_diagnosis(driver, reason.split('holding: ')[1])
    driver.say(SENTENCE)
    goes_on(driver)


def test_refused_instruction_is_told_each_time(commanding):
    """Catches an error swallowed because another one was logged just before."""
    driver, policy = commanding
    driver.reads['gripper'] = np.nan
    wait_for(lambda: any("'gripper' is nan" in text for text in driver.logged), 'an error')
    for count in range(1, 4):
        driver.say('x' * 10_000)
        wait_for(lambda count=count: sum(
            'instruction refused' in text for text in driver.logged) == count, 'an error')


def test_instruction_is_changed_between_two_plans(moving_checkpoint, so101):
    """Catches a hold in between, and a record with one sentence's number and another's words."""
    with commanding_policy(moving_checkpoint, so101) as (driver, policy):
        wait_for(lambda: driver.decisions, 'a decision')
        count = len(driver.logged)
        driver.say('  put the green cube\n on the right plate ')
        wait_for(lambda: any(values['instruction_id'] == '2' and values['instruction_since_ns']
                             != '0' for _, values in driver.decisions), 'a new sentence')
        driver.say('put the green cube on the right plate')  # the same
        decided = len(driver.decisions)
        wait_for(lambda: len(driver.decisions) > decided + 2, 'more decisions')
        if not any('holding' in line for line in driver.logged[count:]):  # a machine that stalls
            assert is_commanded(driver)
        sentences = {'1': SENTENCE, '2': 'put the green cube on the right plate'}
        since = {}
        for status, values in driver.decisions:
            number = values['instruction_id']
            assert values['instruction'] == sentences[number]
            if status.message == 'commanded':
                since.setdefault(number, values['instruction_since_ns'])
                assert values['instruction_since_ns'] == since[number] != '0'
        assert int(since['1']) < int(since['2'])
        assert_safe(driver)
