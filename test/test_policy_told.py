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

"""What the policy node tells: records of decisions, alignment, diagnostics, the graph."""

from dataclasses import replace
import json

from driver import values
from graph import wait_for
from policy_graph import (
    activate,
    assert_safe,
    commanding_policy,
    goes_on,
    hold_after,
    running,
    SENTENCE,
    wait_for_diagnosis,
)
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Float64, String
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.command.decision import STAGES
from trimodal_ros.nodes.ros import HEAR_ALL_QOS
from trimodal_ros.paths import share_dir

pytestmark = pytest.mark.usefixtures('ros')
SCORES = ('image_sentence', 'scene_motion')


def test_decision_says_what_it_came_from(commanding):
    """Catches a record one can't trace a motion back with."""
    driver, policy = commanding
    wait_for(lambda: len(driver.decisions) > 3, 'decisions')
    status, told = driver.decisions[-1]
    assert status.message == 'commanded'
    assert told['instruction'] == SENTENCE and told['instruction_id'] == '1'
    assert told['checkpoint'] == policy.commander.decider.policy.content_hash
    assert float(told['age_ms']) > 0
    assert all(float(told[f'{stage}_ms']) >= 0 for stage in STAGES)
    assert all(-1 <= float(told[score]) <= 1 for score in SCORES)


def test_alignment_is_told_for_each_decision(commanding):
    """Catches a similarity that is of another plan, or only in the log."""
    driver, policy = commanding
    heard = {score: [] for score in SCORES}
    for score, numbers in heard.items():
        driver.create_subscription(
            Float64, f'{policy.get_name()}/debug/alignment/{score}',
            lambda message, numbers=numbers: numbers.append(repr(message.data)), HEAR_ALL_QOS)
    wait_for(lambda: all(len(numbers) > 3 for numbers in heard.values()), 'similarities')
    for score, numbers in heard.items():
        wait_for(lambda score=score, numbers=numbers: set(numbers[:4]) <= {
            told[score] for _, told in list(driver.decisions)}, 'their records')
    wait_for_diagnosis(driver, 'scene_motion', 'alignment')


def test_diagnosis_says_how_everything_is(commanding):
    """Catches a figure that is missing where something goes wrong on a robot."""
    driver, policy = commanding
    told = values(wait_for_diagnosis(driver, 'commanding'))
    assert told['instruction'] == SENTENCE and told['instruction_since_ns'] != '0'
    assert set(values(wait_for_diagnosis(driver, 'all alive', 'inputs'))) == {
        f'{name}_{what}' for name in ('front', 'wrist', 'joints') for what in ('age_ms', 'count')}
    assert {'age_p99_ms', 'vision_p50_ms'} <= set(values(
        wait_for_diagnosis(driver, 'age_p99_ms', 'timing')))
    policy.commander.decider.policy.decoder.head[-1].bias.data.fill_(0.9)
    wait_for_diagnosis(driver, ' position', 'limits')
    driver.silent.add('joints')
    wait_for_diagnosis(driver, 'joint_states: stamped', 'inputs')


def test_foxglove_layout_selects_the_state(commanding):
    """Catches a panel that stays empty: it finds a status by its hardware and name."""
    driver, policy = commanding
    layout = json.loads((share_dir() / 'config' / 'foxglove.json').read_text())
    panel = layout['configById']['DiagnosticStatusPanel!state']
    status = wait_for_diagnosis(driver, 'commanding')
    assert status.hardware_id == panel['selectedHardwareId']
    assert status.name == panel['selectedName'].replace('policy', policy.get_name())


@pytest.mark.parametrize('score', SCORES)
def test_guard_holds_until_plan_and_sentence_go_together(moving_checkpoint, so101, score):
    """Catches a guard that never holds, or never lets go."""
    with running(moving_checkpoint, so101, guard=score, guard_hold_below=0.4,
                 guard_release_above=0.6) as (driver, policy):
        pilot, alignment = policy.commander.pilot, {score: 0.9}
        plan = pilot.planner

        def align(observation):
            return replace(plan(observation), alignment=dict(dict.fromkeys(SCORES, 0.0),
                                                             **alignment))
        pilot.planner = align
        activate(policy)
        driver.say(SENTENCE)
        hold_after(driver, lambda: alignment.update({score: 0.3}),
                   f'plan not sent: guard: {score} is 0.300')
        count = len(driver.decisions)
        alignment[score] = 0.5  # between the thresholds: still held
        wait_for(lambda: any('is 0.500' in status.message for status, _ in
                             driver.decisions[count:]), 'the guard to look again')
        alignment[score] = 0.7
        goes_on(driver)


def test_guard_is_off_unless_it_is_asked_for(moving_checkpoint, so101):
    """Catches a robot held for a score nobody chose a threshold for."""
    with commanding_policy(moving_checkpoint, so101, guard_hold_below=0.99,
                           guard_release_above=1.0) as (driver, policy):
        wait_for(lambda: len(driver.decisions) > 5, 'decisions')
        assert not any('guard' in status.message for status, _ in driver.decisions)
        assert_safe(driver)


# -- who doesn't hear whom


def test_instruction_that_is_not_latched_is_named(commanding):
    """Catches a robot that does nothing, since ``ros2 topic pub`` isn't latched by default."""
    driver, policy = commanding
    driver.create_publisher(String, 'instruction', QoSProfile(depth=1))
    wait_for(lambda: any('instruction: 1 publishers' in line and 'DURABILITY' in line
                         for line in driver.logged), 'the log')
    status = wait_for_diagnosis(driver, 'incompatible DURABILITY', 'graph')
    assert 'instruction: ' in status.message and status.level == b'\x02'


def test_listener_that_gets_no_commands_is_named(commanding):
    """Catches a controller that doesn't move, and nobody says that nothing reaches it."""
    driver, policy = commanding
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    driver.create_subscription(JointTrajectory, 'joint_trajectory', print, latched)
    wait_for(lambda: any('joint_trajectory: 1 publishers or subscribers' in line
                         for line in driver.logged), 'the log')
    assert 'joint_trajectory: ' in wait_for_diagnosis(
        driver, 'incompatible DURABILITY', 'graph').message


def test_command_that_nobody_hears_is_told(moving_checkpoint, so101):
    """Catches a policy that commands away, its topic not remapped to the controller's."""
    with commanding_policy(moving_checkpoint, so101) as (driver, policy):
        [hears] = [part for part in driver.subscriptions
                   if part.topic_name == '/joint_trajectory']
        driver.destroy_subscription(hears)
        told = wait_for_diagnosis(driver, 'nobody subscribes to joint_trajectory', 'graph')
        assert told.level == b'\x01'
