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

"""Teleoperation on a real graph: the node alone, beside a policy, and in a process of its own."""

from contextlib import contextmanager
import os
import signal

from conftest import so101_yaml
from driver import Driver
from graph import call, spinning, wait_for
from hand import Hand, make_teleop, wait_until_ready
import numpy as np
from policy_graph import (
    activate,
    assert_safe,
    commanding_policy,
    is_commanded,
    ran_out,
    wait_for_rounds,
)
import pytest
from std_srvs.srv import Trigger

from trimodal_ros.command.takeover import SILENT
from trimodal_ros.nodes.private_graph import NodeProcesses
from trimodal_ros.sim.scene_file import shipped_scene

pytestmark = pytest.mark.usefixtures('ros')
URDF = shipped_scene().urdf


@contextmanager
def teleoperated(robot, **values):
    """Spin a driver, a teleop node that is ready, and a hand."""
    driver, teleop = Driver(robot), make_teleop(**values)
    hand = Hand(teleop)
    with spinning(driver, teleop, hand):
        wait_until_ready(teleop)
        yield driver, teleop, hand


@pytest.fixture
def beside_policy(moving_checkpoint, so101):
    """A driver, a policy that commands its arm, a teleop node and a hand."""
    with commanding_policy(moving_checkpoint, so101) as (driver, policy):
        teleop = make_teleop()
        hand = Hand(teleop)
        sent_while_taken = note_sending(policy)
        with spinning(teleop, hand):
            wait_until_ready(teleop)
            yield driver, policy, teleop, hand, sent_while_taken


def note_sending(policy) -> list[bool]:
    """Return the list that tells of each trajectory of a policy whether it was taken over."""
    publish, taken = policy._command.publish, []

    def note(messages):
        taken.append(policy.commander.interlock.is_taken)
        publish(messages)
    policy._command.publish = note
    return taken


def moved_rad(driver, since_J) -> float:
    return driver.position_J[0] - since_J[0]


def takes_over(driver, policy, hand):
    hand.push()
    wait_for(lambda: policy.commander.interlock.is_taken, 'the policy to give way')


def gives_back(driver, policy, hand):
    hand.let_go()
    wait_for(lambda: not policy.commander.interlock.is_taken, 'the robot to be given back')
    wait_for(lambda: not policy.commander.interlock.reason and is_commanded(driver),
             'the policy to go on')


def test_arm_moves_as_the_stick_says_and_is_given_back(so101):
    """Catches a stick that isn't heard, that isn't limited, or that nobody gets rid of."""
    with teleoperated(so101) as (driver, teleop, hand):
        begins_J = driver.position_J
        hand.push()
        wait_for(lambda: moved_rad(driver, begins_J) > 0.3, 'the shoulder to turn')
        np.testing.assert_allclose(driver.position_J[1:], begins_J[1:], atol=1e-6)
        hand.let_go()
        wait_for(lambda: hand.takeovers and not hand.takeovers[-1], 'the robot to be given back')
        rests_J = driver.position_J
        count = len(driver.trajectories)
        wait_for_rounds(driver)
        assert len(driver.trajectories) == count
        np.testing.assert_allclose(driver.position_J, rests_J)
        assert hand.takeovers[0]
        assert_safe(driver)


def test_takeover_of_a_policy_and_give_back(beside_policy):
    """Catches a policy that goes on against the person, one that doesn't go on after, and a
    jump between the two.
    """
    driver, policy, teleop, hand, taken = beside_policy
    for _ in range(3):
        begins_J = driver.position_J
        takes_over(driver, policy, hand)
        wait_for(lambda begins_J=begins_J: abs(moved_rad(driver, begins_J)) > 0.1, 'motion')
        assert policy.commander.interlock.reason == 'taken over'
        gives_back(driver, policy, hand)
    wait_for(lambda: policy.commander.interlock.reason != 'taken over', 'the policy to go on')
    assert not any(taken)
    assert_safe(driver)


def test_own_trajectories_are_known_on_a_real_graph(beside_policy):
    """Catches a policy that takes itself for somebody else, and bridges from what it sent."""
    driver, policy, teleop, hand, taken = beside_policy
    overheard = []
    pilot, arm = policy.commander.pilot, teleop.teleoperator.arm
    for who in (pilot, arm):
        note, name = who.overheard, 'policy' if who is pilot else 'person'
        who.overheard = lambda trajectory, note=note, name=name: (
            overheard.append(name), note(trajectory))
    count = len(taken)
    wait_for(lambda: len(taken) > count + 5, 'plans')
    wait_for(lambda: overheard.count('person') >= 5, 'the teleop node to hear them')
    assert 'policy' not in overheard
    takes_over(driver, policy, hand)
    wait_for(lambda: 'policy' in overheard, 'the policy to hear a person')


def test_stale_camera_does_not_brake_a_person(beside_policy):
    """Catches a policy's hold in the middle of a person's motion."""
    driver, policy, teleop, hand, taken = beside_policy
    takes_over(driver, policy, hand)
    driver.silent.add('front')
    count = len(taken)
    begins_J = driver.position_J
    wait_for(lambda: abs(moved_rad(driver, begins_J)) > 0.3, 'motion')
    wait_for(lambda: 'front' in policy.commander.why_not_ready(), 'a stale camera')
    assert len(taken) == count and not any(taken)
    assert_safe(driver)


def test_stop_of_the_policy_stops_the_person(beside_policy):
    """Catches an emergency stop that the stick overrides."""
    driver, policy, teleop, hand, taken = beside_policy
    takes_over(driver, policy, hand)
    assert call(driver, Trigger, f'{policy.get_name()}/stop').success
    wait_for(lambda: teleop.teleoperator.reason == 'stopped by the policy', 'the person to stop')
    wait_for(lambda: not teleop.teleoperator.arm.is_moving, 'rest')
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert len(driver.trajectories) == count
    hand.let_go()
    wait_for(lambda: call(driver, Trigger, f'{policy.get_name()}/resume').success, 'to resume')
    gives_back(driver, policy, hand)
    assert_safe(driver)


def test_stop_of_the_person_takes_over_until_it_is_resumed(beside_policy):
    """Catches a person's stop that only stops the person."""
    driver, policy, teleop, hand, taken = beside_policy
    assert call(driver, Trigger, f'{teleop.get_name()}/stop').success
    wait_for(lambda: policy.commander.interlock.is_taken, 'the policy to give way')
    wait_for(lambda: not teleop.teleoperator.arm.is_moving, 'rest')
    assert call(driver, Trigger, f'{teleop.get_name()}/resume').success
    gives_back(driver, policy, hand)
    assert not any(taken)


def test_policy_activated_while_a_person_commands_waits(beside_policy):
    """Catches a policy that, started late, has not heard of the takeover."""
    driver, policy, teleop, hand, taken = beside_policy
    assert policy.trigger_deactivate()
    assert policy.trigger_cleanup()
    hand.push()
    wait_for(lambda: teleop.teleoperator.is_on, 'the takeover')
    assert policy.trigger_configure()
    sent_while_taken = note_sending(policy)
    wait_for(lambda: policy.commander.interlock.is_taken, 'the policy to hear of it')
    activate(policy)
    wait_for_rounds(driver)
    assert not sent_while_taken
    gives_back(driver, policy, hand)
    assert not any(sent_while_taken)


# -- in a process of its own


@contextmanager
def teleop_process(driver, tmp_path, name: str, hand: Hand):
    """Start the node's process; yield it once it commands."""
    with NodeProcesses(tmp_path) as processes:
        processes.start('teleop', {'robot': so101_yaml(), 'mapping': 'keyboard.yaml'}, node=name)
        wait_for(lambda: 'ready' in state_of(driver, name), 'the teleop node')
        hand.push()
        wait_for(lambda: commands(driver, name, hand), 'the person to command')
        yield processes.pid(name)


def state_of(driver, name: str) -> str:
    told = [status for part, status in driver.diagnosis.items() if part == 'state'
            and status.name == f'{name}: state']
    return told[0].message if told else ''


def commands(driver, name: str, hand: Hand) -> bool:
    """Tell whether the person commands; let go where that is asked for."""
    if 'let go' in state_of(driver, name):
        hand.let_go()
    else:
        hand.push()
    return state_of(driver, name) == 'commanding'


def test_process_that_is_killed_leaves_the_arm_at_rest_and_the_policy_stopped(
        moving_checkpoint, so101, tmp_path):
    """Catches an arm in motion that nobody commands, and a policy that goes on by itself."""
    with commanding_policy(moving_checkpoint, so101) as (driver, policy):
        hand, taken = Hand(), note_sending(policy)
        with spinning(hand), teleop_process(driver, tmp_path, 'teleop_killed', hand) as pid:
            wait_for(lambda: policy.commander.interlock.is_taken, 'the policy to give way')
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: policy.commander.interlock.stopped_by == SILENT, 'the policy to stop')
            wait_for(lambda: ran_out(driver), 'the end of what a person commanded last')
            rests_J = driver.position_J
            wait_for_rounds(driver)
            np.testing.assert_allclose(driver.position_J, rests_J, atol=1e-6)
            assert not any(taken)
            wait_for(lambda: call(driver, Trigger, f'{policy.get_name()}/resume').success,
                     'to resume')
            wait_for(lambda: is_commanded(driver) and not policy.commander.interlock.reason,
                     'the policy to go on')
            assert_safe(driver)


def test_process_told_to_end_brakes(so101, tmp_path):
    """Catches a node that ends in mid-motion without a word."""
    driver, hand = Driver(so101), Hand()
    with spinning(driver, hand), teleop_process(driver, tmp_path, 'teleop_ended', hand) as pid:
        wait_for(lambda: driver.trajectories, 'motion')
        os.kill(pid, signal.SIGINT)
        wait_for(lambda: not os.path.exists(f'/proc/{pid}/fd/0'), 'the end')
        last = driver.trajectories[-1]
        wait_for(lambda: np.allclose(driver.position_J, last.points[-1].positions), 'rest')
        assert hand.takeovers[-1]  # nobody has given back
        assert_safe(driver)
