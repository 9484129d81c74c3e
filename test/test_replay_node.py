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

"""Recordings played into the live node: what it decides is what the recording says it must."""

import os
from pathlib import Path
import shutil

from bags import copy_without, storage
from conftest import so101_yaml
from graph import rclpy  # noqa: F401 - first: it skips where there is no ROS
import numpy as np
import pytest
import torch

from trimodal_ros.command.decision import Rules
from trimodal_ros.command.message import to_messages
from trimodal_ros.evaluate.replay import heard
from trimodal_ros.evaluate.replay.heard import with_recorded
from trimodal_ros.evaluate.replay.offline import Job, judge_recordings
from trimodal_ros.evaluate.replay.recording import Recording
from trimodal_ros.evaluate.replay.station import Settings
from trimodal_ros.nodes import replay_judge
from trimodal_ros.nodes.replay import NodeReplay, rehearsing
from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.paths import share_dir
from trimodal_ros.plan.batch import BatchPlanner
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import end_of
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.moments import Replay
from trimodal_ros.record.reader import read_messages, read_raw
from trimodal_ros.spec import RobotSpec, Trajectory

EVERY_S = 0.1
PARAMETERS = {'frozen_camera_s': 0.0, 'max_first_step_rad': 3.0}
RULES = Rules(freshness=Freshness(frozen_s=0.0), max_first_step_rad=3.0)   # the same


@pytest.fixture(scope='module')
def bags(episodes, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('replayed')
    torn = shutil.copytree(episodes / 'seed_2', folder / 'torn')
    os.truncate(storage(torn), storage(torn).stat().st_size // 2)
    return {'good': episodes / 'seed_0', 'torn': torn,
            'blind': copy_without(episodes / 'seed_1', folder / 'blind', 'wrist/image_raw'),
            'untold': copy_without(episodes / 'seed_1', folder / 'untold', 'instruction'),
            'other': episodes / 'seed_3'}


@pytest.fixture(scope='module')
def stage(small_checkpoint, tmp_path_factory):
    """A node to play to; it is started once."""
    how, log_dir = NodeReplay(0.0, EVERY_S, PARAMETERS), tmp_path_factory.mktemp('log')
    with rehearsing(small_checkpoint, so101_yaml(), how, log_dir) as stage:
        yield stage


@pytest.fixture(scope='module')
def stepped(bags, stage):
    """What the node decides in the bags, one after another, in steps."""
    return {name: stage.play(path) for name, path in bags.items()}


@pytest.fixture
def one_thread():
    """As the node has: sums come out otherwise in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def decided_simply(path: Path, policy, robot) -> dict:
    """Return what comes of every image of an episode, fed to the node's pilot, by stamp."""
    replay, decisions = Replay(path, robot), {}
    replay.pilot.planner = policy.plan
    for topic, time_ns, message in read_messages(path, replay.topics):
        replay.feed(topic, time_ns, message)
        if topic == robot.cameras[-1].topic:
            decision = replay.pilot.decide()
            decisions[decision.observation.stamp_ns] = decision
    return decisions


@pytest.mark.parametrize('name', ['good', 'other'])
def test_node_decides_to_the_last_bit_as_offline(
        stepped, bags, small_checkpoint, so101, name, one_thread):
    """Catches a checkpoint that is judged offline by what it would never do on a robot."""
    planner, path = BatchPlanner(load_checkpoint(small_checkpoint)), bags[name]
    offline = [decision for _, decision in Recording(path, so101).replay(
        [planner], Settings(EVERY_S, RULES), swap_every=0)]
    live = list(with_recorded(path, so101, stepped[name].decisions))
    assert len(live) == len(offline) > 5
    for ours, theirs in zip(live, offline):
        for what in ('episode', 'instruction', 'stamp_ns', 'decided_ns', 'refusal', 'age_ms'):
            assert getattr(ours, what) == getattr(theirs, what), what
        for what in ('planned_TJ', 'recorded_TJ'):
            assert np.array_equal(getattr(ours, what), getattr(theirs, what), equal_nan=True), what
        # How the recorded motion lies with the scene is what only offline tells.
        assert ours.alignment == {score: theirs.alignment[score] for score in ours.alignment}
        assert (ours.trajectory is None) == (theirs.trajectory is None)
        if ours.trajectory is not None:
            assert np.array_equal(ours.trajectory.position_TJ, theirs.trajectory.position_TJ)


@pytest.mark.parametrize('name', ['good', 'other'])
def test_node_decides_to_the_last_bit_what_the_recording_says(
        stepped, bags, small_checkpoint, so101, name, one_thread):
    """Catches a replay in which the node sees, is told, or goes on from anything else."""
    episode, policy = stepped[name], load_checkpoint(small_checkpoint)
    offline = decided_simply(bags[name], policy, so101)
    assert episode.fault == ''
    # On the first image it is activated, and reads what it is told.
    assert [each.stamp_ns for each in episode.decisions] == sorted(offline)[1:]
    for live in episode.decisions:
        expected = offline[live.stamp_ns]
        assert live.instruction == expected.observation.instruction
        assert live.decided_ns == expected.started_ns and live.refusal == expected.refusal
        assert np.array_equal(live.planned_TJ, expected.planned.position_TJ)
        assert live.alignment == expected.alignment
        assert (live.trajectory is None) == (expected.trajectory is None)
        if live.trajectory is not None and not live.refusal:
            assert live.trajectory.stamp_ns == expected.trajectory.stamp_ns
            assert np.array_equal(live.trajectory.position_TJ, expected.trajectory.position_TJ)
            assert np.array_equal(live.trajectory.velocity_TJ, expected.trajectory.velocity_TJ)
            np.testing.assert_allclose(live.trajectory.time_s_T, expected.trajectory.time_s_T,
                                       rtol=0, atol=1e-9)   # a message has whole nanoseconds
    assert any(not live.refusal for live in episode.decisions)


@pytest.mark.parametrize('name, told', [
    ('torn', 'damaged'), ('blind', "camera 'wrist': no image yet on 'wrist/image_raw'"),
    ('untold', 'no instruction')])
def test_recording_that_cannot_be_judged_is_named(stepped, bags, name, told):
    """Catches a bad bag that ends the run, or in which the sentence of the one before counts."""
    episode = stepped[name]
    assert str(bags[name]) in episode.fault and told in episode.fault
    assert not episode.decisions


def test_recorded_motion_is_what_was_commanded(stepped, bags, so101):
    """Catches a label of another moment, and one made up past the end of the recording."""
    path, decisions = bags['good'], stepped['good'].decisions
    labelled = list(with_recorded(path, so101, decisions))
    assert [each.stamp_ns for each in labelled] == [each.stamp_ns for each in decisions]
    replay = Replay(path, so101)
    for topic, time_ns, message in read_messages(path, replay.topics):
        replay.feed(topic, time_ns, message)
        if topic == 'joint_trajectory':
            step_ns = time_ns + so101.step_ns
            for each in labelled:   # the step that this one is in force for, by the controller
                step = (step_ns - each.stamp_ns) // so101.step_ns - 1
                if 0 <= step < so101.horizon:
                    np.testing.assert_allclose(
                        each.recorded_TJ[step], np.nan if step_ns > end_of(path) else
                        replay.pilot.commanded.position_at(step_ns))
    assert np.isfinite(labelled[0].recorded_TJ[0]).all()


def test_node_is_heard_at_a_rate(bags, stage):
    """Catches a node that is played to and not activated, and ages by another clock."""
    stage.rate = 0.5
    episode = stage.play(bags['good'])
    stage.rate = 0.0
    assert episode.fault == '' and episode.decisions
    images_ns = {recorded.received_ns for recorded in read_raw(bags['good'], ['front/image_raw'])}
    for each in episode.decisions:
        assert each.stamp_ns in images_ns and each.age_ms >= 0 and each.decided_ns >= each.stamp_ns


def test_long_recordings_lose_nothing(bags, stage, monkeypatch):
    """Catches plans forgotten before their decisions are asked for."""
    monkeypatch.setattr(heard, 'PENDING', 2)
    episode = stage.play(bags['good'])
    assert len(episode.decisions) > 8
    assert not any(np.isnan(each.planned_TJ).any() for each in episode.decisions)


def test_judgement_is_the_same_through_the_node(bags, stepped, small_checkpoint, monkeypatch):
    """Catches a recording that is judged otherwise, or not at all, through the node."""
    job = Job((small_checkpoint,), Settings(EVERY_S, RULES), swap_every=0)
    paths = [bags['good'], bags['blind']]
    by_path = {episode.path: episode for episode in stepped.values()}
    monkeypatch.setattr(replay_judge, 'replay_through_node',   # once more it would start a node
                        lambda paths, *how: (by_path[path] for path in paths))
    live, offline = ({Path(outcome.episode.path): outcome for outcome in outcomes}
                     for outcomes in (replay_judge.judge_through_node(paths, job, 0.0),
                                      judge_recordings(paths, job, workers=1)))
    assert "no message on 'wrist/image_raw'" in live[bags['blind']].episode.fault
    [ours], [theirs] = live[bags['good']].judged, offline[bags['good']].judged
    assert ours.count == theirs.count > 0 and ours.refusals == theirs.refusals
    figures, expected = ours.tally.figures(), theirs.tally.figures()
    assert set(expected) - set(figures) <= {'scene_recorded'}
    assert figures == {name: expected[name] for name in figures}


def test_settings_that_cannot_be():
    """Catches a rate below nothing."""
    with pytest.raises(ValueError, match='rate: -1, expected at least 0'):
        NodeReplay(-1)


def test_trajectories_to_several_controllers_are_heard_as_one():
    """Catches a robot with two arms of which one arm's motion is judged, or neither's."""
    robot = RobotSpec.from_yaml(share_dir() / 'config' / 'robots' / 'aloha.yaml')
    sent = Trajectory.make_example(robot)
    messages = list(to_messages(sent, BAG_TYPES).values())
    assert len(messages) > 1
    hearing = heard.Hearing('episode', robot)
    for message in reversed(messages):
        assert not hearing._sent
        hearing.hear_trajectory(message)
    whole = hearing._sent[sent.stamp_ns]
    np.testing.assert_allclose(whole.position_TJ, sent.position_TJ, rtol=1e-12)
    assert whole.robot.joint_names == robot.joint_names
