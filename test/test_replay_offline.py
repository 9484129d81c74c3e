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

"""Offline replay: the decisions that one after another gives, of recordings good and bad."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from bags import copy_episode, storage
import numpy as np
import pytest
import torch

from trimodal_ros.command.decision import Rules
from trimodal_ros.evaluate.replay import recording as recordings
from trimodal_ros.evaluate.replay.decisions import ReplayedDecision
from trimodal_ros.evaluate.replay.judge import Judge, Yardstick
from trimodal_ros.evaluate.replay.measures import missed
from trimodal_ros.evaluate.replay.recording import Recording
from trimodal_ros.evaluate.replay.rehearsal import Rehearsal
from trimodal_ros.evaluate.replay.station import PolicyFailed, Settings
from trimodal_ros.plan.batch import BatchPlanner
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import end_of, EpisodeError, start_of
from trimodal_ros.record.moments import read_commanded, Sampling
from trimodal_ros.spec import NS_PER_S, RobotSpec

EVERY_IMAGE_S = 0.1


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def planner(small_checkpoint) -> BatchPlanner:
    return BatchPlanner(load_checkpoint(small_checkpoint))


class OneByOne(Rehearsal):
    """Foresees nothing."""

    def foresee(self, received) -> None:
        pass


def replayed(path, planner, settings=None, **how) -> list:
    settings = settings or Settings(EVERY_IMAGE_S)
    return [decision for _, decision in Recording(path, planner.policy.robot).replay(
        [planner], settings, **how)]


def assert_same(ours, theirs) -> None:
    """Check that decisions are the same, to the last bit."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs):
        for name in ('episode', 'instruction', 'stamp_ns', 'decided_ns', 'refusal'):
            assert getattr(one, name) == getattr(other, name)
        assert np.array_equal(one.planned_TJ, other.planned_TJ)
        assert np.array_equal(one.recorded_TJ, other.recorded_TJ, equal_nan=True)
        assert {**one.alignment, 'scene_recorded': 0} == {**other.alignment, 'scene_recorded': 0}
        assert (one.trajectory is None) == (other.trajectory is None)
        if one.trajectory is not None:
            assert np.array_equal(one.trajectory.position_TJ, other.trajectory.position_TJ)
            assert np.array_equal(one.trajectory.time_s_T, other.trajectory.time_s_T)


@pytest.mark.parametrize('limit_rad', [3.0, 0.02])
@pytest.mark.parametrize('window_bytes', [recordings.WINDOW_BYTES, 100_000])
def test_thinking_ahead_changes_no_decision(episodes, planner, monkeypatch, limit_rad,
                                            window_bytes):
    """Catches a scout whose guess is taken for what was decided, after plans were refused too."""
    settings = Settings(EVERY_IMAGE_S, Rules(max_first_step_rad=limit_rad))
    monkeypatch.setattr(recordings, 'WINDOW_BYTES', window_bytes)
    ahead = replayed(episodes / 'seed_0', planner, settings)
    monkeypatch.setattr(recordings, 'Rehearsal', OneByOne)
    assert_same(ahead, replayed(episodes / 'seed_0', planner, settings))
    assert any(each.status == 'refused' for each in ahead) == (limit_rad < 1)


def test_two_policies_in_one_pass_decide_as_each_alone(episodes, planner, moving_checkpoint):
    """Catches a baseline that gets the other's observations, plans or memory."""
    other = BatchPlanner(load_checkpoint(moving_checkpoint))
    both = list(Recording(episodes / 'seed_1', planner.policy.robot).replay(
        [planner, other], Settings(EVERY_IMAGE_S)))
    for place, one in enumerate((planner, other)):
        assert_same([decision for at, decision in both if at == place],
                    replayed(episodes / 'seed_1', one))


def test_recorded_motion_is_what_training_imitates(episodes, planner, so101):
    """Catches a checkpoint that is judged by another motion than it was trained on."""
    path = episodes / 'seed_2'
    labels = {moment.observation.stamp_ns: moment.chunk_TJ
              for moment in read_commanded(path, so101, Sampling(), Counter())}
    whole = [each for each in replayed(path, planner) if each.stamp_ns in labels]
    assert whole
    for each in whole:
        known = np.isfinite(each.recorded_TJ)
        assert np.array_equal(each.recorded_TJ[known], labels[each.stamp_ns][known])


def test_nothing_past_the_end_is_measured_or_shown(episodes, planner, so101):
    """Catches a worst moment by a trajectory that was under way, and never carried out."""
    path = episodes / 'seed_2'
    judge, past = Judge(Yardstick(so101, EVERY_IMAGE_S, np.zeros(6)), start_of(path)), 0
    for decision in replayed(path, planner):
        step_ns_T = decision.stamp_ns + so101.step_ns * (1 + np.arange(so101.horizon))
        past += (step_ns_T > end_of(path)).sum()
        assert np.isnan(decision.recorded_TJ[step_ns_T > end_of(path)]).all()
        assert np.isfinite(decision.recorded_TJ[step_ns_T <= end_of(path)]).all()
        judge.add(decision)
    judged = judge.end(end_of(path))
    assert past and judged.steps[-1, 0] <= (end_of(path) - start_of(path)) / NS_PER_S
    assert np.isfinite(judged.steps).all()


def test_another_sentence_is_told_now_and_then(episodes, planner):
    """Catches a policy that is asked at no decision, or at all, or told the same again."""
    decisions = replayed(episodes / 'seed_0', planner, sentences=('push it', 'lift it'),
                         swap_every=3)
    told = [each.swapped_TJ is not None for each in decisions]
    assert told == [index % 3 == 0 for index in range(len(decisions))]
    alone = replayed(episodes / 'seed_0', planner, sentences=(decisions[0].instruction,))
    assert all(each.swapped_TJ is None for each in alone)


def test_policy_that_raises_is_no_policy_that_holds(episodes, planner, monkeypatch):
    """Catches a broken model whose recordings count as judged."""
    def fail(*arguments):
        raise RuntimeError('out of memory')
    monkeypatch.setattr(planner, 'think', fail)
    monkeypatch.setattr(recordings, 'Rehearsal', OneByOne)
    with pytest.raises(PolicyFailed, match='out of memory'):
        replayed(episodes / 'seed_0', planner)


def test_what_comes_before_a_damage_is_judged(episodes, planner, tmp_path):
    """Catches a recording that counts for nothing for its last bytes, or as if it were whole."""
    path = copy_episode(episodes / 'seed_0', tmp_path / 'spoilt')
    file = storage(path)
    data = bytearray(file.read_bytes())
    whole, came = replayed(path, planner), []
    at = data.rindex(b'rgb8')   # the last image
    data[at] ^= 0xff
    file.write_bytes(bytes(data))
    with pytest.raises(EpisodeError, match='damaged'):
        for _, decision in Recording(path, planner.policy.robot).replay(
                [planner], Settings(EVERY_IMAGE_S)):
            came.append(decision)
    assert len(came) <= len(whole)
    assert all(np.array_equal(one.planned_TJ, other.planned_TJ)
               for one, other in zip(came, whole))


def test_camera_that_falls_silent_is_missed_decisions(episodes, planner, so101, tmp_path):
    """Catches gaps that no figure tells of, and holds without a reason."""
    start_ns = start_of(episodes / 'seed_0')

    def leave_out(recorded):
        gone_s = (recorded.received_ns - start_ns) / NS_PER_S
        is_lost = recorded.topic.name == 'wrist/image_raw' and 0.25 < gone_s < 0.55
        return None if is_lost else bytes(recorded.data)
    path = copy_episode(episodes / 'seed_0', tmp_path / 'gap', leave_out)
    recording = Recording(path, so101)
    judge = Judge(Yardstick(so101, EVERY_IMAGE_S, np.zeros(6)), start_ns)
    stamps_s = []
    for _, decision in recording.replay([planner], Settings(EVERY_IMAGE_S)):
        judge.add(decision)
        stamps_s.append(decision.stamp_ns / NS_PER_S)
    gaps = sum(missed(gap_s, EVERY_IMAGE_S) for gap_s in np.diff(stamps_s))
    assert gaps >= 3
    judged = judge.end(recording.now_ns)
    assert judged.tally.totals()['missed'][0] >= gaps
    assert set(recording.holds) & {"camera 'wrist'", 'cameras'}


def test_yardsticks_add_up_whatever_the_order(episodes, planner, so101):
    """Catches figures of all recordings that aren't those of each together."""
    by = Yardstick(so101, EVERY_IMAGE_S, np.zeros(6))
    parts = []
    for name in ('seed_0', 'seed_1'):
        judge = Judge(by, start_of(episodes / name))
        decisions = replayed(episodes / name, planner)
        for decision in decisions:
            judge.add(decision)
        parts.append((decisions, judge.end(decisions[-1].stamp_ns)))
    error = np.concatenate([np.abs(each.planned_TJ - each.recorded_TJ).ravel()
                            for decisions, _ in parts for each in decisions])
    both = parts[0][1].tally
    both += parts[1][1].tally
    figure = both.figures()['action_error']
    assert figure.value == pytest.approx(np.nanmean(error))
    assert figure.count == np.isfinite(error).sum()


def test_joints_in_percent_do_not_count_as_rad():
    """Catches a gripper of 0 to 100 that an error in rad, and so every verdict, is all of."""
    arm = RobotSpec.make_example()
    gripper = replace(arm.joints[2], unit='percent', lower=0.0, upper=100.0)
    robot = replace(arm, joints=(*arm.joints[:2], gripper))
    judge, still = Judge(Yardstick(robot, 0.6, np.full(3, 50.0)), 0), []
    for number in range(3):
        example = ReplayedDecision.make_example(robot, number)
        recorded_TJ = example.recorded_TJ
        still.append(np.abs(recorded_TJ[0] - recorded_TJ)[:, :2].mean())
        judge.add(replace(example, planned_TJ=example.planned_TJ + [0.0, 0.0, 90.0 * number]))
    figures = judge.end(example.stamp_ns + NS_PER_S).tally.figures()
    assert figures['action_error'].value == pytest.approx(0.01)
    assert figures['still_error'].value == pytest.approx(np.mean(still))
    assert figures['within_tolerance'].value == 1.0
    assert figures['gripper_accuracy'].joint.keys() == {'gripper'}
    for name in ('action_error', 'boundary_jump', 'plan_disagreement', 'jerk', 'swap_sensitivity'):
        assert figures[name].joint.keys() == {'shoulder', 'elbow'}
    joints = tuple(replace(joint, unit='percent') for joint in arm.joints)
    assert replace(arm, joints=joints).has_distance_J.all()


def test_spoilt_folder_is_no_recording(tmp_path, so101):
    """Catches a reason that doesn't say which recording it is about."""
    with pytest.raises(EpisodeError, match=str(tmp_path / 'nothing')):
        Recording(Path(tmp_path / 'nothing'), so101)
