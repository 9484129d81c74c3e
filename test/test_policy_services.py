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

"""Stops, resuming, and another checkpoint while the robot is commanded."""

import shutil
import threading

from conftest import save_moving_checkpoint
from driver import STOP_TOPIC, values
from graph import call, PATIENCE_S, wait_for
from policy_graph import (
    activate,
    assert_safe,
    commanding_policy,
    FAILURE,
    goes_on,
    hold_after,
    is_commanded,
    is_hold,
    make_policy,
    running,
    SENTENCE,
    wait_for_diagnosis,
    wait_for_rounds,
)
import pytest
from rclpy.parameter import Parameter
from spoiled_checkpoint import SPOILED
from std_srvs.srv import Trigger

pytestmark = pytest.mark.usefixtures('ros')


def ask(driver, policy, service: str):
    return call(driver, Trigger, f'{policy.get_name()}/{service}')


def stays_held(driver) -> None:
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert all(map(is_hold, driver.trajectories[count:]))


def resumes(driver, policy) -> None:
    """Resume as soon as every input is good, and wait until the robot is commanded."""
    wait_for(lambda: ask(driver, policy, 'resume').success, 'the robot to be let go on')
    goes_on(driver)


# -- stops


def test_stop_lasts_until_resume(commanding):
    """Catches a stop that good observations, an instruction or an activation end."""
    driver, policy = commanding
    hold_after(driver, lambda: ask(driver, policy, 'stop'), 'holding: stopped by ~/stop')
    assert values(wait_for_diagnosis(driver, 'stopped by ~/stop'))['stopped_by'] == '~/stop'
    driver.say('put the green cube on the right plate')
    stays_held(driver)
    policy.trigger_deactivate()
    assert policy.trigger_activate() == FAILURE
    assert ask(driver, policy, 'resume').success
    activate(policy)
    goes_on(driver)


def test_stop_topic_overrides_everything(moving_checkpoint, so101):
    """Catches an emergency stop that ends by itself, or that a service ends while it is on."""
    with running(moving_checkpoint, so101, stop_topic=STOP_TOPIC) as (driver, policy):
        driver.asks_stop = False
        activate(policy)
        driver.say(SENTENCE)

        def press():
            driver.asks_stop = True
        hold_after(driver, press, f'holding: stopped by {STOP_TOPIC}')
        answer = ask(driver, policy, 'resume')
        assert not answer.success and f'still stopped by {STOP_TOPIC}' in answer.message
        driver.asks_stop = False
        stays_held(driver)
        resumes(driver, policy)


def test_stop_topic_that_falls_silent_stops(moving_checkpoint, so101):
    """Catches an emergency stop that is cut off and thereby switched off."""
    with running(moving_checkpoint, so101, stop_topic=STOP_TOPIC, max_stop_topic_age_s=0.3,
                 ) as (driver, policy):
        driver.asks_stop = False
        activate(policy)
        driver.say(SENTENCE)

        def cut():
            driver.asks_stop = None
        hold_after(driver, cut, f'holding: stopped by {STOP_TOPIC}: silent')
        answer = ask(driver, policy, 'resume')
        assert not answer.success and f'stop topic {STOP_TOPIC!r}: silent' in answer.message
        driver.asks_stop = False
        resumes(driver, policy)


# -- resuming


def test_robot_goes_on_by_service_only(moving_checkpoint, so101):
    """Catches a robot that starts moving beside the person who is looking after its camera."""
    with commanding_policy(moving_checkpoint, so101, resume='service') as (driver, policy):
        hold_after(driver, lambda: driver.silent.add('front'), "holding: camera 'front': stamped")
        answer = ask(driver, policy, 'resume')
        assert not answer.success and "not yet: camera 'front'" in answer.message
        driver.silent.clear()
        wait_for(lambda: not policy.commander.why_not_ready(), 'the camera')
        stays_held(driver)
        resumes(driver, policy)
        hold_after(driver, lambda: driver.say(''), 'holding: no instruction')
        driver.say(SENTENCE)  # nothing was wrong
        goes_on(driver)


# -- another checkpoint


@pytest.fixture(scope='session')
def reverse_checkpoint(tmp_path_factory, so101):
    """A checkpoint that turns the shoulder the other way, or lets it rest."""
    return save_moving_checkpoint(tmp_path_factory.mktemp('models') / 'reverse', so101, -0.02)


def load(driver, policy, folder):
    assert policy.set_parameters([Parameter('checkpoint', value=str(folder))])[0].successful
    return ask(driver, policy, 'load_checkpoint')


def speed(message) -> float:
    """Return how fast the shoulder turns in the middle of a plan."""
    return message.points[len(message.points) // 2].velocities[0]


def test_checkpoint_takes_over_between_two_plans(commanding, reverse_checkpoint):
    """Catches a robot that is held, or jumps, or goes on as before, when its policy changes."""
    driver, policy = commanding
    before = policy.commander.decider.policy.content_hash
    lines = len(driver.logged)
    answer = load(driver, policy, reverse_checkpoint)
    assert answer.success and f'{reverse_checkpoint} takes over' in answer.message
    wait_for(lambda: is_commanded(driver) and speed(driver.trajectories[-1]) < -0.01,
             'a plan of the other')
    after = policy.commander.decider.policy.content_hash
    assert f'checkpoint {after} has taken over' in driver.logged and after != before
    wait_for(lambda: driver.decisions[-1][1]['checkpoint'] == after, 'a record that says so')
    if not any('holding' in line for line in driver.logged[lines:]):  # for a machine that stalls
        assert not any(map(is_hold, driver.trajectories))
    assert_safe(driver)


def test_robot_is_commanded_while_a_checkpoint_is_loaded(commanding, reverse_checkpoint):
    """Catches a robot held for as long as loading takes."""
    driver, policy = commanding
    load_policy, started, go_on = policy._checkpoints._load, threading.Event(), threading.Event()

    def load_slowly(*arguments):
        started.set()
        assert go_on.wait(PATIENCE_S)
        return load_policy(*arguments)
    policy._checkpoints._load = load_slowly
    answers = []
    asking = threading.Thread(target=lambda: answers.append(
        load(driver, policy, reverse_checkpoint)))
    asking.start()
    wait_for(started.is_set, 'loading')
    count = len(driver.trajectories)
    wait_for(lambda: len(driver.trajectories) > count + 5, 'plans meanwhile')
    assert not answers and is_commanded(driver)
    go_on.set()
    asking.join()
    assert answers[0].success
    assert_safe(driver)


def test_checkpoint_that_does_not_fit_is_refused_and_the_old_one_kept(
        commanding, moving_checkpoint, so101, tmp_path):
    """Catches a running robot that loses its policy, or takes over code with the weights."""
    driver, policy = commanding
    before = policy.commander.decider.policy.content_hash
    refusals = {'/no/such/folder': 'does not exist'}
    for number, (spoil, message) in enumerate(SPOILED.values()):
        folder = shutil.copytree(moving_checkpoint, tmp_path / str(number))
        spoil(folder)
        refusals[str(folder)] = message
    config = shutil.copytree(moving_checkpoint, tmp_path / 'other_robot') / 'config.json'
    config.write_text(config.read_text().replace('elbow_flex', 'knee'))
    refusals[str(config.parent)] = "was trained for joints ('shoulder_pan', 'shoulder_lift', 'knee"
    for folder, message in refusals.items():
        answer = load(driver, policy, folder)
        assert not answer.success and f'{before} is kept: ' in answer.message
        assert message in answer.message
        assert policy.get_parameter('checkpoint').value == str(moving_checkpoint)
        count = len(driver.decisions)
        wait_for(lambda count=count: len(driver.decisions) > count, 'the old one to command')
        assert driver.decisions[-1][1]['checkpoint'] == before
    goes_on(driver)


@pytest.mark.parametrize('what', SPOILED)
def test_checkpoint_that_does_not_fit_is_refused_at_configure(
        moving_checkpoint, tmp_path, what, capfd):
    """Catches a robot that comes up with files nobody looked at."""
    spoil, message = SPOILED[what]
    folder = shutil.copytree(moving_checkpoint, tmp_path / 'copied')
    spoil(folder)
    policy = make_policy(folder)
    assert policy.trigger_configure() == FAILURE and policy.commander is None
    assert message in capfd.readouterr().err
    policy.destroy_node()
