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

"""The policy node from configuring to shutting down, beside a driver on a real graph."""

import itertools
import threading

from driver import Driver, STOP_TOPIC, values
from graph import call, spinning, wait_for
import numpy as np
from policy_graph import (
    activate,
    assert_safe,
    commanding_policy,
    ERROR,
    FAILURE,
    goes_on,
    hold_after,
    is_commanded,
    is_hold,
    make_policy,
    running,
    SENTENCE,
    SlowModel,
    SUCCESS,
    wait_for_diagnosis,
    wait_for_rounds,
)
import pytest
from std_srvs.srv import Trigger

from trimodal_ros.command import worker as worker_module
from trimodal_ros.command.message import from_message
from trimodal_ros.nodes.ros import now_ns
from trimodal_ros.observe.stamp import stamp_ns

pytestmark = pytest.mark.usefixtures('ros')


def activates_but_for(driver, policy, wrong: str) -> None:
    """Check that the node says what is wrong and stays inactive."""
    lines = len(driver.logged)
    wait_for(lambda: wrong in f'not activated: {policy.commander.why_not_ready()}', wrong)
    wait_for(lambda: policy.trigger_activate() == FAILURE and any(
        wrong in line for line in driver.logged[lines:]), f'{wrong!r} in the log')
    assert not policy.commander.helm.is_active


@pytest.mark.parametrize('missing, wrong', [
    ('front', "not activated: camera 'front': no image yet on 'front/image_raw'"),
    ('wrist', "not activated: camera 'wrist': no image yet on 'wrist/image_raw'"),
    ('joints', 'not activated: joint_states: none yet')])
def test_activate_refuses_until_every_input_has_come(moving_checkpoint, so101, missing, wrong):
    """Catches a robot that is commanded from inputs that aren't there."""
    with running(moving_checkpoint, so101, silent=missing) as (driver, policy):
        activates_but_for(driver, policy, wrong)
        driver.silent.clear()
        activate(policy)


def test_activate_refuses_inputs_that_have_gone_bad(moving_checkpoint, so101):
    """Catches inputs that were alive once, taken for alive."""
    with running(moving_checkpoint, so101) as (driver, policy):
        activate(policy)
        assert policy.trigger_deactivate() == SUCCESS
        for silent, wrong in (('front', "camera 'front': stamped"),
                              ('joints', 'joint_states: stamped')):
            driver.silent = {silent}
            activates_but_for(driver, policy, wrong)
        driver.silent.clear()
        driver.frozen.add('wrist')
        activates_but_for(driver, policy, "camera 'wrist' is frozen")
        driver.frozen.clear()
        activate(policy)


def test_activate_refuses_while_the_robot_is_stopped(moving_checkpoint, so101):
    """Catches a stop that is forgotten when it comes before the robot is activated."""
    with running(moving_checkpoint, so101) as (driver, policy):
        activate(policy)
        assert policy.trigger_deactivate() == SUCCESS
        assert call(driver, Trigger, f'{policy.get_name()}/stop').success
        activates_but_for(driver, policy, 'stopped by ~/stop; call ~/resume first')
        assert call(driver, Trigger, f'{policy.get_name()}/resume').success
        activate(policy)


def test_activate_waits_for_the_stop_topic(moving_checkpoint, so101):
    """Catches an emergency stop that isn't connected, and one that asks for a stop before."""
    with running(moving_checkpoint, so101, stop_topic=STOP_TOPIC) as (driver, policy):
        activates_but_for(driver, policy, f'stop topic {STOP_TOPIC!r}: silent')
        driver.asks_stop = False
        activate(policy)


def test_rehearsal_commands_nothing(moving_checkpoint, so101):
    """Catches a dry run that moves the robot, or that shows nothing."""
    with running(moving_checkpoint, so101, dry_run=True) as (driver, policy):
        activate(policy)
        wait_for(lambda: driver.count_publishers(f'{policy.get_name()}/debug/joint_trajectory'),
                 'the rehearsal to be found')
        driver.say(SENTENCE)
        wait_for(lambda: len(driver.rehearsed) > 3, 'plans')
        assert driver.count_publishers('joint_trajectory') == 0 and not driver.trajectories
        for message in driver.rehearsed:
            first_J = from_message(message, so101).position_TJ[0]
            np.testing.assert_allclose(first_J, driver.position_J, atol=0.2)
        assert values(wait_for_diagnosis(driver, 'commanding'))['dry_run'] == 'true'


def test_motion_is_ramped_in(moving_checkpoint, so101):
    """Catches an arm that sets off at full speed when it is activated."""
    with commanding_policy(moving_checkpoint, so101, ramp_s=10.0) as (driver, policy):
        first = from_message(driver.trajectories[0], so101)
        assert first.time_s_T[-1] > 5  # the way of 1.6 s
        assert np.abs(first.velocity_TJ).max() < 0.07
        wait_for(lambda: len(driver.trajectories) > 5, 'plans that follow')
        assert_safe(driver)


def test_full_speed_is_reached(moving_checkpoint, so101):
    """Catches an arm that is slowed down for ever."""
    with commanding_policy(moving_checkpoint, so101, ramp_s=0.2) as (driver, policy):
        wait_for(lambda: abs(driver.trajectories[-1].points[1].velocities[0] - 0.1) < 5e-3,
                 'a plan at full speed')
        assert_safe(driver)


def test_commands_are_what_the_controller_accepts(commanding, so101):
    """Catches a trajectory Jazzy's controller would refuse, and the wrong stamp."""
    driver, policy = commanding
    assert_safe(driver)
    trajectory = from_message(driver.trajectories[0], so101)
    assert 0 < now_ns(driver) - trajectory.stamp_ns < 2 * 10**9
    assert (trajectory.velocity_TJ[-1] == 0).all()


def test_plans_follow_before_the_chunk_runs_out(commanding, so101):
    """Catches a policy that plans once, or that starts each plan where the arm is not."""
    driver, policy = commanding
    wait_for(lambda: len(driver.trajectories) >= 4, 'four plans')
    first, second = (from_message(message, so101) for message in driver.trajectories[:2])
    end_ns = first.stamp_ns + first.time_s_T[-1] * 1e9
    assert first.stamp_ns < second.stamp_ns < end_ns
    assert_safe(driver)


def test_images_are_planned_from_once(commanding):
    """Catches a second plan from the images just planned from, which have aged since."""
    driver, policy = commanding
    wait_for(lambda: len(driver.trajectories) >= 8, 'eight plans')
    gaps_ns = [stamp_ns(after.header.stamp) - stamp_ns(before.header.stamp)
               for before, after in itertools.pairwise(driver.trajectories)
               if not is_hold(before) and not is_hold(after)]
    assert gaps_ns and min(gaps_ns) > 0


def test_nothing_is_planned_before_an_instruction(moving_checkpoint, so101):
    """Catches a model asked to do nothing, which then does something."""
    with running(moving_checkpoint, so101) as (driver, policy):
        activate(policy)
        wait_for(policy.listeners, 'the driver to be heard')
        for _ in range(3):
            policy.commander.decider.worker.wake()
            wait_for_rounds(driver)
        assert not driver.trajectories and policy.commander.decider._read is None
        assert not driver.decisions


def test_latched_instruction_reaches_a_late_policy(moving_checkpoint, so101):
    """Catches an instruction lost because the robot was told before the policy was up."""
    driver = Driver(so101)
    driver.say(SENTENCE)
    policy = make_policy(moving_checkpoint)
    with spinning(driver, policy):
        assert policy.trigger_configure() == SUCCESS
        activate(policy)
        wait_for(lambda: driver.trajectories, 'a trajectory')


def test_deactivate_holds_and_is_quiet(commanding):
    """Catches commands from a node that was told to stop."""
    driver, policy = commanding
    hold_after(driver, policy.trigger_deactivate, 'holding: deactivated')
    assert not policy.commander.decider.worker.is_running
    activate(policy)
    goes_on(driver)


def test_clean_up_lets_go_of_everything(moving_checkpoint, so101):
    """Catches a node that listens or publishes on after it was cleaned up, or can't come back."""
    with commanding_policy(moving_checkpoint, so101) as (driver, policy):
        hold_after(driver, policy.trigger_deactivate, 'holding: deactivated')
        assert policy.trigger_cleanup() == SUCCESS
        wait_for(lambda: driver.count_publishers('joint_trajectory') == 0, 'the topic to go')
        assert policy.commander is None and driver.count_subscribers('front/image_raw') == 0
        answer = call(driver, Trigger, f'{policy.get_name()}/load_checkpoint')
        assert not answer.success and 'not configured' in answer.message
        assert policy.trigger_configure() == SUCCESS
        activate(policy)
        goes_on(driver)


def test_shut_down_holds_and_is_quiet(commanding):
    """Catches a node that is shut down by its life cycle in mid-motion."""
    driver, policy = commanding
    hold_after(driver, policy.trigger_shutdown, 'holding: shut down')
    wait_for_diagnosis(driver, 'shut down')
    wait_for(lambda: driver.count_publishers('joint_trajectory') == 0, 'the topic to go')


@pytest.mark.parametrize('stop, reason', [
    ('trigger_deactivate', 'holding: deactivated'), ('close', 'holding: shut down')])
def test_stop_does_not_wait_for_the_model(commanding, stop, reason):
    """Catches an arm that moves on for as long as the model is thinking."""
    driver, policy = commanding
    model = SlowModel(policy)
    stopping = threading.Thread(target=getattr(policy, stop))
    hold_after(driver, stopping.start, reason)
    model.let_go()
    stopping.join()
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert driver.trajectories[count:] == [] and not is_commanded(driver)


def test_model_that_never_returns_does_not_keep_the_node(commanding, monkeypatch):
    """Catches a node that can't be stopped, and one that is active with two workers."""
    monkeypatch.setattr(worker_module, 'PATIENCE_S', 0.05)
    driver, policy = commanding
    model = SlowModel(policy)
    hold_after(driver, policy.trigger_deactivate, 'holding: deactivated')
    assert policy.trigger_activate() == FAILURE
    model.let_go()
    activate(policy)
    goes_on(driver)


def test_transition_that_fails_half_way_holds_and_can_be_begun_anew(commanding, monkeypatch):
    """Catches a node that is half a policy, and an arm in motion that it forgot."""
    driver, policy = commanding
    monkeypatch.setattr(policy.commander, 'stop', _fail_once(policy.commander.stop))
    assert policy.trigger_deactivate() == ERROR
    assert policy.commander is None
    wait_for(lambda: is_hold(driver.trajectories[-1]), 'a hold')
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert len(driver.trajectories) == count
    assert policy.trigger_configure() == SUCCESS
    activate(policy)
    driver.say(SENTENCE)
    goes_on(driver)


def _fail_once(function):
    """Return a function that raises, and after that does what it should."""
    left = [RuntimeError('half-way')]

    def work(*arguments):
        if left:
            raise left.pop()
        return function(*arguments)
    return work
