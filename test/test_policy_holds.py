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

"""Holds for what goes wrong inside: the model, its plans, the arm, the clock."""

import threading

from graph import PATIENCE_S, wait_for
import numpy as np
from policy_graph import (
    assert_safe,
    commanding_policy,
    end_of,
    goes_on,
    hold_after,
    is_commanded,
    is_hold,
    SlowModel,
    wait_for_diagnosis,
    wait_for_rounds,
)
import pytest
import torch

from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.spec import NS_PER_S

pytestmark = pytest.mark.usefixtures('ros')


def set_output(policy, value: float) -> None:
    """Let the network's last layer say one number for all joints and steps."""
    with torch.no_grad():
        policy.commander.decider.policy.decoder.head[-1].bias.fill_(value)


@pytest.mark.parametrize('value, reason', [
    (np.nan, "plan not sent: position_TJ: joint 'shoulder_pan' is nan"),
    (np.inf, "plan not sent: position_TJ: joint 'shoulder_pan' is inf"),
    (0.9, 'plan not sent: joint '),
    (100.0, 'plan not sent: joint ')])
def test_output_that_must_not_be_sent_holds_the_robot(commanding, value, reason):
    """Catches NaN, or a motion outside the limits, on its way to the motors."""
    driver, policy = commanding
    hold_after(driver, lambda: set_output(policy, value), reason)
    wait_for_diagnosis(driver, f'holding: {reason}')
    status, _ = driver.decisions[-1]
    assert status.message.startswith(reason.removeprefix('plan not sent: '))
    set_output(policy, 0.0)
    goes_on(driver)


def test_model_that_raises_holds_the_robot(commanding):
    """Catches an exception that kills the worker and leaves the arm moving."""
    driver, policy = commanding
    pilot = policy.commander.pilot
    plan = pilot.planner

    def broken(observation):
        raise RuntimeError('out of memory')

    def change():
        pilot.planner = broken
    hold_after(driver, change, 'holding: the policy failed')
    assert any('RuntimeError: out of memory' in line for line in driver.logged)
    wait_for_diagnosis(driver, 'holding: the policy failed: RuntimeError')
    pilot.planner = plan
    goes_on(driver)


def test_model_of_another_shape_holds_the_robot(commanding):
    """Catches a model whose chunk has other joints than the robot."""
    driver, policy = commanding

    def change():
        policy.commander.decider.policy.decoder.shape_TJ = (32, 3)
    hold_after(driver, change, 'holding: the policy failed')


def test_chunk_that_runs_out_holds_the_robot(commanding):
    """Catches a model slower than its chunk, whose plan is then sent, far too late."""
    driver, policy = commanding
    pilot = policy.commander.pilot
    plan, go_on, thought_of = pilot.planner, threading.Event(), []

    def think(observation):
        thought_of.append(observation.stamp_ns)
        # Held for something else, as a machine that stands still is, it thinks in vain.
        wait_for(lambda: go_on.is_set() or not is_commanded(driver), 'the test to go on')
        return plan(observation)
    pilot.planner = think
    # Ten times slower than the chunk would be the same: nothing is planned meanwhile.
    wait_for(lambda: any(line.startswith('holding: chunk exhausted') for line in driver.logged),
             'the reason')
    last, count = driver.trajectories[-1], len(driver.trajectories)
    assert not any(last.points[-1].velocities)
    np.testing.assert_allclose(driver.position_J, last.points[-1].positions, atol=1e-6)
    pilot.planner = plan
    go_on.set()
    wait_for(lambda: len(driver.trajectories) > count, 'the robot to go on')
    stamps = {stamp_ns(message.header.stamp) for message in driver.trajectories[count:]}
    assert not stamps & set(thought_of)
    assert_safe(driver)


def test_plan_that_took_too_long_is_refused(commanding):
    """Catches a plan for where things were, sent because its chunk isn't over yet."""
    driver, policy = commanding
    pilot = policy.commander.pilot
    plan = pilot.planner

    def dawdle(observation):
        wait_for(lambda: pilot.lateness(observation, pilot.clock()), 'the image to be old')
        return plan(observation)
    pilot.planner = dawdle
    wait_for(lambda: any(status.message.startswith("late: '")
                         for status, _ in list(driver.decisions)), 'a plan that is late')
    pilot.planner = plan
    goes_on(driver)


def test_hold_waits_for_a_plan_on_its_way_out(commanding):
    """Catches a plan that was checked before a hold and is sent after it."""
    driver, policy = commanding
    publish, sent, holds = policy._command.publish, [], []

    def switch_threads(messages):
        [message] = messages.values()
        if not is_hold(message) and not holds:
            holds.append(threading.Thread(target=policy.commander.helm.stop_by, args=['a test']))
            holds[0].start()
            holds[0].join(0.5)  # it gets all the time it wants, and must not use it
        publish(messages)
        sent.append(message)
    policy._command.publish = switch_threads
    wait_for(lambda: not all(map(is_hold, sent)) and not holds[0].is_alive(), 'a plan and a stop')
    policy._command.publish = publish
    planned = [is_hold(message) for message in sent].index(False)  # a late machine may hold before
    assert is_hold(sent[planned + 1])


@pytest.mark.parametrize('silent', ['joints', 'front'])
def test_plan_begun_before_a_hold_is_not_sent(commanding, silent):
    """Catches a plan that outlives the hold by which the robot was to stop."""
    driver, policy = commanding
    model = SlowModel(policy)
    hold_after(driver, lambda: driver.silent.add(silent), 'holding: ')
    count = len(driver.trajectories)
    model.let_go()
    wait_for_rounds(driver)
    assert all(map(is_hold, driver.trajectories[count:]))


def test_plan_for_what_the_robot_was_told_before_is_not_sent(commanding):
    """Catches a robot that begins with the last task after it was told the next one."""
    driver, policy = commanding
    model, sentence = SlowModel(policy), 'put the green cube on the right plate'
    driver.say(sentence)
    wait_for(lambda: policy.commander.decider.told.number == 2, 'the sentence to be heard')
    count = len(driver.trajectories)
    model.let_go()
    wait_for(lambda: len(driver.trajectories) > count, 'a plan')
    wait_for(lambda: driver.decisions[-1][1]['instruction_id'] == '2', 'its record')
    # Not the long motion of the model that was thinking:
    assert driver.decisions[-1][1]['instruction'] == sentence
    assert all(end_of(message) < driver.time_ns() + PATIENCE_S / 2 * NS_PER_S
               for message in driver.trajectories[count:])


# -- the arm


STRAYED = "holding: stopped by an arm that is not where it is commanded: joint 'shoulder_pan'"


def test_controller_that_refuses_all_ends_in_a_stop(moving_checkpoint, so101):
    """Catches motion planned on and on for a controller that says no, unheard."""
    with commanding_policy(moving_checkpoint, so101, max_tracking_error_rad=0.05) as (
            driver, policy):
        first_round = driver.rounds
        hold_after(driver, driver.refuse, STRAYED)
        assert driver.refusals and all("['rail'] missing" in text for text in driver.refusals)
        if not driver.was_paused(first_round):   # else it was held before, for standing still
            np.testing.assert_allclose(driver.trajectories[-1].points[-1].positions,
                                       driver.position_J, atol=1e-6)


def test_arm_that_does_not_follow_is_held(moving_checkpoint, so101):
    """Catches motion planned on and on for an arm that is blocked."""
    with commanding_policy(moving_checkpoint, so101, max_tracking_error_rad=0.05) as (
            driver, policy):
        def change():
            driver.reads = dict(zip(so101.joint_names, driver.position_J))
        hold = hold_after(driver, change, STRAYED)
        np.testing.assert_allclose(hold.points[-1].positions, list(driver.reads.values()))


def test_arm_that_left_its_command_is_held_where_it_is_until_resume(commanding):
    """Catches an arm that was stopped or moved by hand, and goes on as soon as it is let go."""
    driver, policy = commanding
    moved = driver.position_J[0] + 1.2
    driver.reads['shoulder_pan'] = moved

    def is_near(message):
        return abs(message.points[-1].positions[0] - moved) < 0.4
    wait_for(lambda: is_near(driver.trajectories[-1]), 'a hold where it is')
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert len(driver.trajectories) == count
    assert any(line.startswith(STRAYED) for line in driver.logged)
    policy.commander.resume()
    wait_for(lambda: len(driver.trajectories) > count + 2, 'the robot to go on')
    assert all(map(is_near, driver.trajectories[count:]))


# -- the clock


@pytest.fixture
def in_driver_time(ros, moving_checkpoint, so101):
    """A driver whose clock all go by, and a policy that commands its arm."""
    with commanding_policy(moving_checkpoint, so101, keeps_time=True) as nodes:
        yield nodes


@pytest.mark.parametrize('silent', [set(), {'front', 'wrist'}, {'joints'}])
@pytest.mark.parametrize('seconds, reason', [
    (-10, 'holding: clock jumped back'), (-1_000, 'holding: clock jumped back'),
    (10, 'holding: clock jumped ahead')])
def test_goes_on_after_the_clock_jumped(in_driver_time, seconds, reason, silent):
    """Catches a policy that waits, silent, for a time that won't come, or plays the past."""
    driver, policy = in_driver_time
    driver.silent |= silent
    lines = len(driver.logged)
    driver.jump(seconds * NS_PER_S)
    wait_for(lambda: any(line.startswith(reason) for line in driver.logged[lines:]), reason)
    driver.silent.clear()
    wait_for(lambda: any(heard.era == 1 and not is_hold(heard.message)
                         for heard in list(driver.heard)), 'a new plan')
    assert_safe(driver)


def test_goes_on_while_a_bag_is_played_in_a_loop(in_driver_time):
    """Catches a policy that survives the first round only, or sends the last one's plan."""
    driver, policy = in_driver_time
    for loop in range(1, 4):
        wait_for(lambda: is_commanded(driver), 'a plan under way')
        lines = len(driver.logged)
        driver.jump(-10 * NS_PER_S)
        wait_for(lambda lines=lines: 'holding: clock jumped back' in driver.logged[lines:],
                 'the hold to be told')
        wait_for(lambda loop=loop: any(heard.era == loop and not is_hold(heard.message)
                                       for heard in list(driver.heard)), 'a new plan')
    eras = [heard.era for heard in driver.heard]
    assert eras == sorted(eras)
    assert_safe(driver)


def test_images_from_before_hold_the_robot(commanding):
    """Catches pictures stamped by a clock that went back, taken for new ones."""
    driver, policy = commanding

    def change():
        driver.late_ns = dict.fromkeys(('front', 'wrist', 'joints'), 10 * NS_PER_S)
    hold_after(driver, change, 'holding: clock jumped back')
    driver.late_ns.clear()
    goes_on(driver)
