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


"""The index of moments: what it holds, and that it is brought up to date and no more."""

from collections import Counter
import os
import shutil

import numpy as np
import pytest
import torch

from trimodal_ros.command.message import to_message
from trimodal_ros.command.playback import JointReference
from trimodal_ros.evaluate import index as index_module
from trimodal_ros.evaluate.index import INDEX_DIR, update_index
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import EpisodeInfo, find_episodes, read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.moments import read_commanded, read_labelled, Replay, Sampling
from trimodal_ros.record.reader import read_messages
from trimodal_ros.record.sensor_messages import joint_state_message
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.sim.controller import TrajectoryController
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory
from trimodal_ros.spec.topics import LABEL_TOPIC

EVERY_S = 0.2


@pytest.fixture(scope='module')
def policy(small_checkpoint):
    return load_checkpoint(small_checkpoint)


@pytest.fixture
def bags(episodes, tmp_path):
    """A copy of the four demonstrations, to be changed."""
    return shutil.copytree(episodes, tmp_path / 'bags')


def observations(path, robot, dropped=None) -> list:
    dropped = Counter() if dropped is None else dropped
    return [moment.observation
            for moment in read_commanded(path, robot, Sampling(EVERY_S), dropped)]


def test_chunks_are_what_the_controller_played():
    """Catches future commands taken from a plan that a later one replaced or that history forgot.

    Plans come every 40 ms: those of a chunk of 0.8 s outnumber CommandedMotion's memory.
    """
    robot, rng = RobotSpec.make_example(), np.random.default_rng(0)
    replay, controller = Replay('bag', robot), TrajectoryController(robot.joint_names)
    start_ns, rest_J = 1000 * NS_PER_S, np.array([0.3, -0.2, 0.5])
    events = {start_ns + 40_000_000 * n + int(rng.integers(2e7)): n for n in range(8, 58)}
    wanted = {start_ns + 100_000_000 * n: None for n in range(60)}
    controller.start(rest_J, min(events))
    stamps, chunks = start_ns + 100_000_000 * np.array([0, 3, 17, 25, 50]), {}
    for now_ns in sorted({*events, *wanted}):
        at_J = rest_J if now_ns < min(events) else controller.reference(now_ns).position_J
        replay.feed('joint_states', now_ns, joint_state_message(
            robot.joint_names, at_J, rest_J * 0, now_ns, BAG_TYPES))
        if now_ns in stamps:
            replay.chunks.ask(now_ns)
        chunks.update(replay.chunks.finished())
        if now_ns in events:
            stamp = 0 if events[now_ns] == 20 else now_ns - int(rng.integers(1e8))  # 0: now
            time_s_T = 0.12 + np.cumsum(rng.uniform(0.01, 0.2, 5))
            message = to_message(Trajectory(
                robot, stamp, time_s_T, rng.uniform(-1, 1, (5, 3))), BAG_TYPES)
            controller.accept(message, now_ns, JointReference.at_rest(now_ns, rest_J))
            replay.feed('joint_trajectory', now_ns, message)
        if now_ns in wanted:
            wanted[now_ns] = controller.reference(now_ns).position_J
    replay.chunks.end(now_ns)
    chunks.update(replay.chunks.finished())
    assert list(chunks) == list(stamps)
    for stamp, chunk_TJ in chunks.items():
        slow_TJ = [wanted[stamp + 100_000_000 * k] for k in range(1, robot.horizon + 1)]
        assert np.abs(chunk_TJ - slow_TJ).max() < 1e-9, np.abs(chunk_TJ - slow_TJ).max(1)


def test_chunks_of_teleoperation_are_what_was_measured():
    """Catches hand-guided episodes, which command nothing, indexed as standing still."""
    robot = RobotSpec.make_example()
    replay = Replay('bag', robot)
    for n in range(4):  # every 0.25 s
        replay.feed('joint_states', n, joint_state_message(
            robot.joint_names, np.array([n, 2 * n, 0.0]) / 4, np.zeros(3),
            NS_PER_S + n * NS_PER_S // 4, BAG_TYPES))
    replay.chunks.ask(NS_PER_S)
    assert replay.chunks.end(4) == 4  # it moves: nobody knows how it went on
    (_, chunk_TJ), = replay.chunks.finished()
    expected_T = np.minimum(0.1 * np.arange(1, robot.horizon + 1), 0.75)
    assert np.allclose(chunk_TJ, np.stack([expected_T, 2 * expected_T, 0 * expected_T], axis=1))


def test_moments_are_those_the_node_would_have_observed(episodes, so101):
    """Catches an index of other observations than the policy's, or at other times than asked."""
    path = find_episodes(episodes)[0]
    labelled = {moment.observation.stamp_ns: moment.observation
                for moment in read_labelled(path, so101, LABEL_TOPIC)}
    moments = observations(path, so101)
    assert [moment.stamp_ns for moment in moments] == sorted(labelled)[::2]
    for moment in moments:
        same = labelled[moment.stamp_ns]
        assert np.array_equal(moment.command_J, same.command_J)
        assert all(np.array_equal(moment.images[name], same.images[name]) for name in same.images)


def test_what_keeps_an_episode_from_being_observed_is_named(tmp_path, episodes, so101):
    """Catches an empty index of a bag whose joint states were never recorded."""
    path = rewritten(find_episodes(episodes)[0], tmp_path / 'blind', without='joint_states')
    dropped = Counter()
    assert observations(path, so101, dropped) == []
    assert dropped == {'joint_states: missing': 12}


def test_index_holds_what_the_policy_makes_of_the_moments(policy, bags):
    """Catches vectors of another modality, chunk or order than they are taken for."""
    stored = next(iter(update_index(policy, bags, EVERY_S)))
    chosen = list(read_commanded(stored.path, policy.robot, Sampling(EVERY_S), Counter()))
    moments = [each.observation for each in chosen]
    assert stored.stamp_N.tolist() == [moment.stamp_ns for moment in moments]
    assert np.allclose(stored.seconds_N, EVERY_S * np.arange(len(moments)))
    assert stored.instruction == moments[0].instruction
    for n, moment in enumerate(moments):
        with torch.inference_mode():
            z_image = policy.embed_images({name: torch.from_numpy(image.copy()).permute(2, 0, 1)
                                           [None] for name, image in moment.images.items()})
            z_motion = policy.embed_motion(torch.from_numpy(
                chosen[n].chunk_TJ[None]).float())
            fused = policy.fuse('vision_action', z_image, z_motion)
        for name, z_BD in (('vision', z_image), ('action', z_motion), ('vision_action', fused)):
            assert np.allclose(stored.z[name][n], z_BD[0], atol=1e-4), name


def test_only_what_is_new_or_changed_is_embedded(policy, bags, monkeypatch):
    """Catches a second run that embeds everything again, or one that misses a change."""
    def embedded_by(every_s=EVERY_S):
        names.clear()
        result = update_index(policy, bags, every_s)
        assert result.embedded == len(names) and len(list(result)) == len(result.files)
        return sorted(names), result.dropped

    names, embed = [], index_module._embed_episode
    monkeypatch.setattr(index_module, '_embed_episode', lambda policy, path, every_s: (
        names.append(path.name), embed(policy, path, every_s))[1])
    everything = [f'seed_{seed}' for seed in range(4)]
    assert embedded_by() == (everything, 0)
    assert embedded_by() == ([], 0)
    shutil.move(bags / 'seed_0', bags / 'moved')
    os.utime(bags / 'seed_1' / 'metadata.yaml', ns=(1, 1))
    assert embedded_by() == (['moved', 'seed_1'], 1)
    shutil.rmtree(bags / 'seed_2')
    assert embedded_by() == ([], 1)
    assert embedded_by(0.4) == (['moved', 'seed_1', 'seed_3'], 0)


def test_interrupted_index_goes_on_and_leaves_nothing_torn(policy, bags, monkeypatch):
    """Catches a half-written file that the next run takes for an episode's vectors."""
    save, written = index_module.save_file, []

    def interrupted(arrays, path, metadata):
        save(arrays, path, metadata)
        written.append(path)
        if len(written) == 3:
            os.truncate(path, path.stat().st_size // 2)
            raise KeyboardInterrupt
    monkeypatch.setattr(index_module, 'save_file', interrupted)
    with pytest.raises(KeyboardInterrupt):
        update_index(policy, bags, EVERY_S)
    monkeypatch.setattr(index_module, 'save_file', save)
    result = update_index(policy, bags, EVERY_S)
    assert result.embedded == 2 and len(list(result)) == 4
    folder = bags / INDEX_DIR / policy.content_hash
    assert sorted(folder.iterdir()) == sorted(result.files.values())


def test_damaged_index_file_is_made_anew(policy, bags):
    """Catches a search that dies of a torn file for ever after."""
    file = next(iter(update_index(policy, bags, EVERY_S).files.values()))
    os.truncate(file, 40)
    assert update_index(policy, bags, EVERY_S).embedded == 1


def test_unreadable_and_foreign_episodes_are_refused_by_name(policy, bags):
    """Catches one bad bag that ends the run, goes unnoticed, or keeps its old vectors."""
    update_index(policy, bags, EVERY_S)
    mcap = bags / 'seed_0' / 'seed_0_0.mcap'
    data = bytearray(mcap.read_bytes())
    data[len(data) // 3:len(data) // 3 + 64] = bytes(64)  # within compressed chunks
    mcap.write_bytes(data)
    rewritten(bags / 'seed_1', bags / 'foreign', robot='another')
    result = update_index(policy, bags, EVERY_S)
    assert len(result.refused) == 2 and result.dropped == 1
    foreign, damaged = result.refused
    assert 'foreign' in foreign and 'robot another' in foreign
    assert 'seed_0' in damaged and 'damaged' in damaged
    assert [path.name for path in result.files] == ['seed_1', 'seed_2', 'seed_3']


def rewritten(path, copy, without='', **changes):
    """Copy an episode without a topic, its metadata changed."""
    writer, topics = EpisodeWriter(copy), set()
    for topic, time_ns, message in read_messages(path):
        if topic not in topics:
            writer.add_topic(topic, message.__msgtype__)
            topics.add(topic)
        if topic != without:
            writer.write(topic, time_ns, serialize(message))
    return writer.close(EpisodeInfo(**{**vars(read_info(path)), **changes}))
