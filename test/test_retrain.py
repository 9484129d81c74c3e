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

"""The round of ``make retrain``, small: watch, take over, train on it, and say what it was."""

from dataclasses import replace

from conftest import small_settings, TEMPLATES
import pytest
from test_train import assert_resumes

from trimodal_ros.plan.checkpoint import content_hash, load_checkpoint, read_config
from trimodal_ros.record.episode import EpisodeError, find_episodes, read_info
from trimodal_ros.sim.rollout import PolicyPlanner
from trimodal_ros.sim.watched import Patience, record_watched_episode
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import train
from trimodal_ros.train.selection import KindWeights, Selection

QUICK = Patience(watch_steps=4, gain_steps=6, least_steps=5)


@pytest.fixture(scope='module')
def watched(small_checkpoint, simulated, so101, tmp_path_factory):
    """Two episodes of a useless policy, somebody taking over."""
    folder, policy = tmp_path_factory.mktemp('watched'), load_checkpoint(small_checkpoint)
    for seed in (7, 8):
        record_watched_episode(
            folder / f'seed_{seed}', simulated, so101, seed, TEMPLATES,
            lambda: PolicyPlanner(policy, 4), policy.content_hash, QUICK, max_steps=45)
    return folder


def test_interventions_and_demonstrations_are_trained_on_together(
        small_checkpoint, episodes, watched, tmp_path, monkeypatch):
    """Catches a batch that depends on where the run began, and kinds nobody is told of."""
    settings = replace(
        small_settings(episodes, steps=4, initial=str(small_checkpoint)),
        episodes=(str(episodes), str(watched)), selection=Selection(KindWeights(), before_s=0.3))
    out = assert_resumes(settings, tmp_path, monkeypatch)
    training = read_config(out)['training']
    assert training['initial'] == content_hash(small_checkpoint)
    used = training['data']['used']
    assert used['labelled']['frames'] == 48 and used['intervention']['frames'] > 5
    per_frame = {kind: each['share'] / each['frames'] for kind, each in used.items()}
    assert per_frame['intervention'] / per_frame['labelled'] == pytest.approx(8.0, rel=0.02)
    card = (out / 'README.md').read_text()
    assert f'{used["intervention"]["frames"]} intervention' in card
    assert content_hash(small_checkpoint) in card
    assert training['selection']['weights']['intervention'] == 8.0


def test_the_cache_of_a_recording_says_what_it_left_out(watched, so101):
    """Catches a label topic that isn't there taken for an empty episode."""
    frames = open_frames([watched], so101, 'demonstration', 1)
    assert frames.labelled == [False, False]
    for episode, path in enumerate(find_episodes(watched)):
        assert read_info(path).interventions
        assert set(frames.dropped[episode]) <= {'end of the recording'}
    assert len(frames.stamp_N) == len(frames.episode_N) == len(frames.chunk_NTJ)


def test_recordings_without_one_usable_moment_are_named(watched, so101, tmp_path):
    """Catches training on nothing, and an empty cache that is taken for a good one later."""
    from test_sync import bag_of
    bag_of(tmp_path / 'bags' / 'blind', so101, lambda number: {'without': ('joints',)})
    for _ in range(2):
        with pytest.raises(EpisodeError, match='no frame in 1 episodes.*joint_states: missing'):
            open_frames([tmp_path / 'bags'], so101, 'demonstration', 1)


def test_left_out_episodes_are_not_in_a_card_by_path(small_checkpoint, episodes, watched,
                                                     tmp_path):
    """Catches paths of this machine in a checkpoint, and a named episode used after all."""
    first, _ = find_episodes(watched)
    settings = replace(
        small_settings(episodes, initial=str(small_checkpoint)),
        episodes=(str(episodes), str(watched)),
        selection=Selection(leave_out=(str(first.resolve()),)))
    train(settings, tmp_path / 'next', workers=1)
    training = read_config(tmp_path / 'next')['training']
    assert training['selection']['leave_out'] == [first.name]
    assert training['data']['episodes_left_out'] == {'named to be left out': 1}
    assert '/' not in str(training['selection'])
