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

"""What a person's stick does to an arm, and what stops it: without ROS, on one clock."""

import numpy as np
import pytest

from benchmarks.duet import MS
from benchmarks.takeover import make_duet, shares
from trimodal_ros.command.message import to_message
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import joint_state_message
from trimodal_ros.spec import NS_PER_S, Trajectory

RIGHT = np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture
def duet():
    """A person alone: the policy is never started."""
    duet = make_duet(seed=4)
    duet.run_for(0.5)
    yield duet
    assert not any(each.refused for each in duet.arrived)
    assert max(shares(duet)) <= 1 + 1e-6


def speed_J(duet) -> np.ndarray:
    return duet.controller.reference(duet.now_ns).velocity_J


def test_arm_moves_as_told_and_rests_when_let_go(duet):
    """Catches a joint that isn't the one, a speed that isn't the stick's, and motion after."""
    duet.push(RIGHT)
    duet.run_for(1.0)
    expected_J = np.zeros(6)
    expected_J[0] = 0.5 * duet.teleoperator.steering.speeds.joint_rad_s
    np.testing.assert_allclose(speed_J(duet), expected_J, atol=1e-3)
    duet.push(np.zeros(8))  # at rest, the button still held
    duet.run_for(0.5)
    assert not speed_J(duet).any() and duet.teleoperator.is_on
    count = len(duet.arrived)
    duet.run_for(1.0)
    assert len(duet.arrived) == count  # a hold is sent once
    duet.let_go()
    duet.run_for(0.3)
    assert not duet.teleoperator.is_on


def test_stick_without_a_button_gives_back_after_a_while(duet):
    """Catches a robot that is given back in each short rest of the hand."""
    duet.teleoperator.hand.mapping.deadman = None
    duet.push(RIGHT, deadman=False)
    duet.run_for(0.3)
    assert duet.teleoperator.is_on
    duet.let_go()
    duet.run_for(0.4)
    assert duet.teleoperator.is_on and not speed_J(duet).any()
    duet.run_for(0.4)
    assert not duet.teleoperator.is_on


def test_joint_comes_to_rest_at_its_limit(duet):
    """Catches an arm thrown into its stop, a refusal there, and one that can't come back."""
    duet.push(2 * RIGHT)
    duet.run_for(8.0)
    upper = duet.robot.upper_J[0]
    rests_rad = duet.controller.reference(duet.now_ns).position_J[0]
    assert upper - 0.005 < rests_rad < upper
    assert duet.teleoperator.arm.limit_events['shoulder_pan', 'position'] > 0
    duet.push(-2 * RIGHT)
    duet.run_for(1.0)
    assert duet.controller.reference(duet.now_ns).position_J[0] < upper - 0.3


def nan_joints(duet):
    message = joint_state_message(duet.robot.joint_names, [np.nan] * 6, [], duet.now_ns, BAG_TYPES)
    duet.silent.add('joints')
    with pytest.raises(ValueError, match='is nan'):
        duet.teleoperator.on_joints(message)


def joy(duet, axes, buttons, age_ns=0):
    duet.silent.add('joy')
    duet.teleoperator.on_joy(duet.now_ns - age_ns, axes, buttons)


FAULTS = {
    'joy silent': (lambda duet: duet.silent.add('joy'), 'joy'),
    'axis not finite': (lambda duet: joy(duet, [np.nan] * 8, [1, 0]), 'joy'),
    'axis out of range': (lambda duet: joy(duet, [3.0] * 8, [1, 0]), 'joy'),
    'another device': (lambda duet: joy(duet, [0.5] * 2, [1, 0]), 'joy'),
    'joy of before': (lambda duet: joy(duet, RIGHT, [1, 0], NS_PER_S), 'joy'),
    'joints silent': (lambda duet: duet.silent.add('joints'), 'joint_states'),
    'joints not finite': (nan_joints, 'unusable joint_states'),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_what_is_wrong_holds_until_the_stick_was_let_go(duet, fault):
    """Catches motion by a stick or joints that can't be believed, or that begins by itself."""
    inject, reason = FAULTS[fault]
    duet.push(RIGHT)
    duet.run_for(0.5)
    inject(duet)
    duet.run_for(1.0)
    assert not speed_J(duet).any() and duet.teleoperator.reason == reason
    assert duet.teleoperator.is_on  # nobody has given back
    assert sum(text.startswith(f'holding: {reason}') for text in duet.person.told) == 1
    duet.silent.clear()
    count = len(duet.arrived)
    duet.run_for(0.5)
    assert duet.teleoperator.reason == 'let go of the stick first'
    assert len(duet.arrived) == count
    duet.push(np.zeros(8), deadman=False)
    duet.run_for(0.1)
    duet.push(RIGHT)
    duet.run_for(0.5)
    assert speed_J(duet)[0] > 0.3 and duet.teleoperator.reason == ''


def test_joints_that_grow_too_old_meanwhile_hold(duet, monkeypatch):
    """Catches a node that dies as the joints' age passes its limit between two looks at it."""
    monkeypatch.setattr(duet.teleoperator.arm.observer, 'newest_position_J', lambda now_ns: None)
    monkeypatch.setattr(duet.teleoperator, '_check', lambda: None)
    duet.push(RIGHT)
    duet.run_for(0.1)
    assert any(text.startswith('holding: joint_states') for text in duet.person.told)
    assert not speed_J(duet).any()


def test_arm_that_is_blocked_is_held_where_it_is(duet):
    """Catches a command that runs away from an arm that something stops."""
    duet.push(RIGHT)
    duet.run_for(0.5)
    duet.blocked_J = duet.controller.reference(duet.now_ns).position_J
    duet.run_for(4.0)
    assert any('not where it is commanded' in text for text in duet.person.told)
    assert duet.teleoperator.reason == 'let go of the stick first' and not speed_J(duet).any()
    np.testing.assert_allclose(
        duet.controller.reference(duet.now_ns).position_J, duet.blocked_J, atol=1e-6)


@pytest.mark.parametrize('by_s, reason', [
    (-5.0, 'clock jumped back'), (0.3, 'clock jumped ahead')])
def test_clock_that_jumps_holds(duet, by_s, reason):
    """Catches a motion that is planned from, or to, another time."""
    duet.push(RIGHT)
    duet.run_for(0.5)
    arm = duet.teleoperator.arm
    clock = arm.clock
    arm.clock = lambda: clock() + round(by_s * NS_PER_S)
    sent = []
    duet.person.send = sent.append
    duet.teleoperator.tick()
    assert duet.teleoperator.reason == reason and duet.teleoperator.is_on
    [hold] = sent
    assert not hold.velocity_TJ[-1].any() and hold.time_s_T[-1] < 2.5


def test_motion_that_nobody_told_of_is_not_taken_over(duet):
    """Catches a bridge that begins at rest where the arm is in full motion."""
    duet.teleoperator.arm.commanded.clear()
    robot, now_ns = duet.robot, duet.now_ns
    far = Trajectory(robot, now_ns, [2.0], duet.middle_J[None] + 0.6, np.zeros((1, 6)))
    duet.controller.accept(to_message(far, BAG_TYPES), now_ns, None)  # before the node was there
    duet.run_for(0.8)
    duet.push(RIGHT)
    duet.run_for(0.3)
    assert not duet.teleoperator.is_on and duet.teleoperator.reason == 'the arm moves'
    duet.run_for(2.0)
    duet.let_go()
    duet.run_for(0.1)
    duet.push(RIGHT)
    duet.run_for(0.1)
    assert duet.teleoperator.is_on


def test_stick_that_is_pushed_from_the_start_does_nothing():
    """Catches an arm that starts to move with the program."""
    duet = make_duet(seed=8)
    duet.push(RIGHT)
    duet.run_for(1.0)
    assert not duet.arrived and duet.teleoperator.reason == 'let go of the stick first'


def test_person_who_ends_in_motion_brakes_and_does_not_give_back(duet):
    """Catches a node whose end leaves the arm in motion, or to a policy."""
    duet.push(RIGHT)
    duet.run_for(0.5)
    duet.teleoperator.close()
    duet.silent.add('person')
    duet.run_for(0.5)
    assert not speed_J(duet).any() and duet.takeovers[-1][1]


def test_workspace_is_kept(duet):
    """Catches a person who takes the arm where a policy may not."""
    from trimodal_ros.command.limits import LimitError

    def check(trajectory):
        if trajectory.position_TJ[:, 0].max() > duet.middle_J[0] + 0.4:
            raise LimitError('workspace', 'tool', 'frame outside')
    duet.teleoperator.arm.check = check
    duet.push(RIGHT)
    duet.run_for(3.0)
    assert duet.controller.reference(duet.now_ns).position_J[0] < duet.middle_J[0] + 0.45
    assert 'motion not sent: frame outside' in duet.person.told
    assert duet.teleoperator.arm.limit_events['tool', 'workspace'] > 0


def test_stop_topic_stops_by_word_and_by_silence(duet):
    """Catches a stop that a stick overrides, and one that ends by itself."""
    from trimodal_ros.command.interlock import StopTopic
    teleoperator = duet.teleoperator
    teleoperator.stops.topic = StopTopic('stop', 0.2, duet.now_ns)
    teleoperator.on_stop_topic(False)
    duet.run_for(0.1)
    teleoperator.on_stop_topic(True)
    assert teleoperator.reason == 'stopped by stop'
    with pytest.raises(ValueError, match='still stopped'):
        teleoperator.resume()
    teleoperator.on_stop_topic(False)
    teleoperator.resume()
    duet.run_for(0.1)
    assert teleoperator.reason == ''
    duet.run_for(0.3)
    assert teleoperator.reason == 'stopped by stop: silent'


def test_latency_of_a_push_is_that_of_the_message(duet):
    """Catches a stick that waits for the node's next tick."""
    duet.delay_ns = lambda: MS
    pushed_ns = duet.now_ns
    duet.push(RIGHT)
    duet.run_for(0.2)
    assert duet.arrived[0].at_ns == pushed_ns + 2 * MS
