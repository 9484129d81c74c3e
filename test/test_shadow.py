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

"""A second checkpoint beside the one that commands: what it says, and that nothing obeys it."""

from dataclasses import replace
from pathlib import Path
import shutil
import threading

from conftest import save_moving_checkpoint, so101_yaml
from driver import values
from graph import call, overrides, PATIENCE_S, spinning, wait_for
from policy_graph import (
    assert_safe,
    commanding_policy,
    FAILURE,
    goes_on,
    is_hold,
    make_policy,
    wait_for_diagnosis,
)
import pytest

# isort: split
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import rclpy
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.command.message import from_message
from trimodal_ros.evaluate.replay.heard import read_heard, with_recorded
from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.nodes.ros import HEAR_ALL_QOS
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.paths import share_dir
from trimodal_ros.plan.checkpoint import content_hash
from trimodal_ros.record.episode import EpisodeError

pytestmark = pytest.mark.usefixtures('ros')
TOPICS = ('decision', 'joint_trajectory', 'plan', 'alignment/image_sentence',
          'alignment/scene_motion')
BACK_RAD_S = -0.05


@pytest.fixture(scope='module')
def other_checkpoint(tmp_path_factory, so101):
    """A checkpoint that turns the shoulder the other way."""
    return save_moving_checkpoint(tmp_path_factory.mktemp('models') / 'back', so101, BACK_RAD_S)


class Heard:
    """What is said on the topics of a policy's shadow."""

    def __init__(self, driver, policy):
        self.decisions, self.commands, self.plans = [], [], []
        for message_class, topic, store in (
                (DiagnosticArray, 'decision', self._note),
                (JointTrajectory, 'joint_trajectory', self.commands.append),
                (JointTrajectory, 'plan', self.plans.append)):
            driver.create_subscription(
                message_class, f'{policy.get_name()}/shadow/{topic}', store, HEAR_ALL_QOS)

    def _note(self, message) -> None:
        self.decisions.append((stamp_ns(message.header.stamp), message.status[0].message,
                               values(message.status[0])))


@pytest.fixture
def shadowed(moving_checkpoint, other_checkpoint, so101):
    """A driver, a policy that commands its arm, and what its shadow says."""
    with commanding_policy(moving_checkpoint, so101,
                           shadow_checkpoint=other_checkpoint) as (driver, policy):
        yield driver, policy, Heard(driver, policy)


def shadow_of(policy):
    return policy.commander.decider.shadow


def active_goes_on(driver, policy, count: int = 8) -> None:
    """Wait until the active policy has decided more often, and see that nobody else commands."""
    before = len(driver.decisions)
    wait_for(lambda: len(driver.decisions) > before + count, 'the active one to decide')
    mine = policy.commander.decider.policy.content_hash
    assert {told['checkpoint'] for _, told in driver.decisions} == {mine}
    assert_safe(driver)


def test_shadow_decides_on_the_same_and_only_under_its_name(shadowed, other_checkpoint, so101):
    """Catches a shadow that commands, or that sees, or goes on from, something else."""
    driver, policy, heard = shadowed
    wait_for(lambda: len(heard.decisions) > 5 and heard.plans and heard.commands, 'the shadow')
    active_goes_on(driver, policy)
    name = policy.get_name()
    assert {told['checkpoint'] for *_, told in heard.decisions} == {content_hash(other_checkpoint)}
    both = {stamp for stamp, *_ in heard.decisions}
    seen = wait_for(lambda: both <= {stamp_ns(each.header.stamp) for each in driver.told}
                    and driver.told, 'the same observations')
    assert seen
    for message in heard.plans:   # as the model made it, from the measured arm or its command
        position_TJ = from_message(message, so101).position_TJ
        np.testing.assert_allclose(np.diff(position_TJ[:, 0]), BACK_RAD_S / so101.rate_hz,
                                   atol=1e-6)
    assert driver.count_publishers('joint_trajectory') == 1
    topics = {topic for topic, _ in driver.get_publisher_names_and_types_by_node(name, '/')
              if '/shadow/' in topic}
    assert topics == {f'/{name}/shadow/{topic}' for topic in TOPICS}
    assert not any(message.points[len(message.points) // 2].velocities[0] < 0
                   for message in driver.trajectories if not is_hold(message))
    told = values(wait_for_diagnosis(driver, 'decisions beside', 'shadow'))
    assert told['checkpoint'] == content_hash(other_checkpoint) and told['failed'] == '0'


def test_shadow_that_raises_is_told_and_changes_nothing(shadowed):
    """Catches a failure of the shadow that holds the robot, or that nobody hears of."""
    driver, policy, heard = shadowed

    def broken(observation):
        raise RuntimeError('out of memory')
    shadow_of(policy)._pilot.planner = broken
    wait_for_diagnosis(driver, 'out of memory', 'shadow')
    active_goes_on(driver, policy)
    assert any(line.startswith('the shadow failed') for line in driver.logged)
    assert shadow_of(policy).failed > 0
    goes_on(driver)


def test_shadow_that_plans_nonsense_is_refused_alone(shadowed):
    """Catches NaN of the shadow that counts as the active one's, or that is commanded."""
    driver, policy, heard = shadowed
    shadow_of(policy).policy.decoder.head[-1].bias.data.fill_(np.nan)
    wait_for(lambda: any('is nan' in said for _, said, _ in list(heard.decisions)), 'a refusal')
    refused = policy.diagnostics.refused
    active_goes_on(driver, policy)
    assert not any('is nan' in status.message for status, _ in driver.decisions)
    assert not any('plan not sent: position_TJ' in line for line in driver.logged)
    assert shadow_of(policy).refused > 0 and policy.diagnostics.refused >= refused
    goes_on(driver)


def test_slow_shadow_is_left_out_and_the_active_one_goes_on(shadowed):
    """Catches an active policy that waits for its shadow, and a backlog of observations."""
    driver, policy, heard = shadowed
    shadow, go_on = shadow_of(policy), threading.Event()
    plan = shadow._pilot.planner

    def dawdle(observation):
        assert go_on.wait(PATIENCE_S)
        return plan(observation)
    shadow._pilot.planner = dawdle
    wait_for(lambda: shadow.skipped > 3, 'observations that are left out')
    count = len(heard.decisions)
    active_goes_on(driver, policy)
    assert len(heard.decisions) == count and shadow.is_busy
    go_on.set()
    wait_for(lambda: any(said.startswith('late') for _, said, _ in list(heard.decisions)),
             'a plan that is late')
    wait_for(lambda: heard.decisions[-1][1] == 'commanded', 'the shadow to keep up again')
    goes_on(driver)


def test_shadow_comes_and_goes_while_the_robot_is_commanded(
        commanding, other_checkpoint, moving_checkpoint, tmp_path):
    """Catches a checkpoint that can't be tried without stopping the robot, or got rid of."""
    driver, policy = commanding
    heard = Heard(driver, policy)

    def load(folder):
        changed = policy.set_parameters([Parameter('shadow_checkpoint', value=str(folder))])
        assert changed[0].successful
        return call(driver, Trigger, f'{policy.get_name()}/load_shadow')
    assert load(other_checkpoint).message == f'{other_checkpoint} takes over'
    wait_for(lambda: heard.decisions, 'the shadow')
    spoiled = shutil.copytree(moving_checkpoint, tmp_path / 'spoiled')
    (spoiled / 'config.json').write_text('{}')
    answer = load(spoiled)
    assert not answer.success and f'{content_hash(other_checkpoint)} is kept' in answer.message
    assert policy.get_parameter('shadow_checkpoint').value == str(other_checkpoint)
    assert load('').message == 'nothing takes over'
    assert shadow_of(policy) is None
    active_goes_on(driver, policy)
    assert not any('holding' in line for line in driver.logged) or driver.was_paused(0)
    names = [topic for topic, _ in driver.get_publisher_names_and_types_by_node(
        policy.get_name(), '/')]
    assert not any('/shadow/' in topic for topic in names)


def test_recorded_shadow_is_judged_beside_the_active_one(
        moving_checkpoint, other_checkpoint, so101, tmp_path):
    """Catches a trial on the robot that nobody can make anything of afterwards."""
    with commanding_policy(moving_checkpoint, so101,
                           shadow_checkpoint=other_checkpoint) as (driver, policy):
        name = policy.get_name()
        heard, topics = Heard(driver, policy), tmp_path / 'topics.yaml'
        selection = (share_dir() / 'config' / 'recorder.yaml').read_text()
        topics.write_text(selection.replace('policy/', f'{name}/'))
        recorder = RecorderNode(parameter_overrides=overrides(
            out=tmp_path / 'bags', robot=so101_yaml(), topics=topics))
        client = rclpy.create_node('client')
        with spinning(recorder, client):
            wait_for(lambda: call(client, Trigger, 'recorder/start').success, 'recording')
            count = len(heard.decisions)
            wait_for(lambda: len(heard.decisions) > count + 8, 'the shadow')
            path = Path(call(client, Trigger, 'recorder/stop').message)
    shadow, active = (read_heard(path, so101, content_hash(checkpoint), name)
                      for checkpoint in (other_checkpoint, moving_checkpoint))
    assert len(shadow) > 3 and len(active) > 3
    turned = [np.nanmean(np.diff(each.planned_TJ[:, 0])) * so101.rate_hz
              for decided in (shadow, active) for each in decided if not each.refusal]
    assert min(turned) < 0 < max(turned)
    np.testing.assert_allclose([np.diff(each.planned_TJ[:, 0]).max() for each in shadow],
                               BACK_RAD_S / so101.rate_hz, atol=1e-6)
    with pytest.raises(EpisodeError, match='no decision of the checkpoint nobody; recorded are'):
        read_heard(path, so101, 'nobody', name)
    labelled = list(with_recorded(path, so101, shadow))
    assert [each.stamp_ns for each in labelled] == [each.stamp_ns for each in shadow]
    assert np.isfinite(labelled[0].recorded_TJ[0]).all()


def test_shadow_that_cannot_be_used_leaves_the_node_unconfigured(moving_checkpoint):
    """Catches a trial run without what was to be tried."""
    policy = make_policy(moving_checkpoint, shadow_checkpoint='/no/such/folder')
    assert policy.trigger_configure() == FAILURE and policy.commander is None
    policy.destroy_node()


def test_shadow_is_judged_as_if_it_had_begun_with_the_active_one(make_bench):
    """Catches a shadow that is late, or bridged from another's command, since it had to wait."""
    from commander_bench import SlowlyTurning

    from trimodal_ros.command.shadow import Shadow

    class Outlet:
        def __init__(self):
            self.reports, self.told = [], []

        def report(self, decision, told, age_ms):
            self.reports.append((decision, age_ms))

        def tell(self, level, text):
            self.told.append(text)
    bench, outlet = make_bench(), Outlet()
    shadow = Shadow(bench.commander.helm, SlowlyTurning('second'), outlet)
    bench.decision()
    decision, _, _ = bench.decision()
    before = bench.pilot.commanded.copy()
    before._lanes[0]._played.pop()   # what was commanded until it was sent
    bench.step(100, image=False)   # five seconds later
    old = replace(decision, stages_ms={**decision.stages_ms, 'transport': 0.0})
    shadow.offer(old, before, bench.commander.decider.told)
    wait_for(lambda: outlet.reports or outlet.told, 'the shadow')
    [(other, age_ms)] = outlet.reports
    assert not other.refusal and age_ms == 0.0
    np.testing.assert_array_equal(other.trajectory.position_TJ, decision.trajectory.position_TJ)
    shadow.close()
