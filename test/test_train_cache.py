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

"""The cache of frames: read once, added to, cleared of what is stale; what can't be read."""

from dataclasses import replace
import os
import shutil

from conftest import small_settings
import numpy as np
import pytest
from test_sync import bag_of

from trimodal_ros.evaluate.gallery import embed_episodes, GalleryError
from trimodal_ros.plan.checkpoint import load_checkpoint, read_config
from trimodal_ros.record.episode import EpisodeError
from trimodal_ros.record.moments import Sampling
from trimodal_ros.record.recover import recover
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import train
from trimodal_ros.train.parts import CACHE_DIR, KEPT_RECIPES
from trimodal_ros.train.selection import Selection, UNREADABLE


@pytest.fixture
def bags(episodes, tmp_path):
    """A copy of the four demonstrations, without a cache, to be changed."""
    return shutil.copytree(episodes, tmp_path / 'bags', ignore=shutil.ignore_patterns(CACHE_DIR))


def cut_short(path):
    [storage] = path.glob('*.mcap')
    os.truncate(storage, storage.stat().st_size // 2)


def parts(bags) -> set:
    return set((bags / CACHE_DIR).iterdir())


def test_a_damaged_episode_is_left_out_and_told(bags, tmp_path, small_checkpoint, capsys):
    """Catches a night of recordings that can't be trained on for one pulled plug."""
    cut_short(bags / 'seed_1')
    (bags / 'seed_2' / 'metadata.yaml').write_text('rosbag2_bagfile_information: {')
    named = Selection(leave_out=(str(bags / 'seed_1'),))   # nothing is wrong with naming it
    train(small_settings(bags, selection=named), tmp_path / 'out', workers=1)
    printed = capsys.readouterr().out
    assert f'left out: 2 episodes, {UNREADABLE}' in printed and 'record recover' in printed
    assert '    bags/seed_1' in printed and '    bags/seed_2: damaged metadata.yaml' in printed
    training = read_config(tmp_path / 'out')['training']
    assert training['episode_count'] == training['data']['episodes'] == 2
    assert training['data']['episodes_left_out'] == {UNREADABLE: 2}
    assert list(training['data']['unreadable']) == ['bags/seed_1', 'bags/seed_2']
    assert str(tmp_path) not in str(training)
    assert f'2 {UNREADABLE}' in (tmp_path / 'out' / 'README.md').read_text()
    with pytest.raises(GalleryError, match='2 episodes are unreadable, as bags/seed_1'):
        embed_episodes(load_checkpoint(small_checkpoint), [bags], 20, 'demonstration', 1)
    recover(bags, show_progress=False)
    frames = open_frames([bags], load_checkpoint(small_checkpoint).robot, 'demonstration', 1)
    assert frames.unreadable == [] and len(frames.paths) == 4


def test_figures_of_frames_trained_on_are_told_so(bags, tmp_path, capsys):
    """Catches an error called held out of a run too small to hold out anything."""
    train(small_settings(bags, batch_size=64), tmp_path / 'out', workers=1)
    card = (tmp_path / 'out' / 'README.md').read_text()
    assert 'none is held out' in capsys.readouterr().out and 'frames that were trained on' in card
    assert read_config(tmp_path / 'out')['training']['windows'] == 4   # an episode, a window


def test_where_nothing_is_readable_it_is_said_why(bags, so101):
    """Catches a training that ends with a division by zero, and no name."""
    for path in bags.glob('seed_*'):
        cut_short(path)
    for _ in range(2):
        with pytest.raises(EpisodeError, match='no frame in 0 episodes.*4 unreadable, as bags/'):
            open_frames([bags], so101, 'demonstration', 1)
    shutil.rmtree(bags)
    bag_of(bags / 'one', so101)
    other = replace(so101, joints=(replace(so101.joints[0], name='base'), *so101.joints[1:]))
    with pytest.raises(EpisodeError, match=f'recorded on robot {so101.content_hash}'):
        open_frames([bags], other, 'demonstration', 1)


def test_one_episode_is_too_few(bags, tmp_path):
    """Catches a traceback of a process where a sentence would do."""
    for number in (1, 2, 3):
        shutil.rmtree(bags / f'seed_{number}')
    with pytest.raises(ValueError, match='1 episode to train on, expected at least 2'):
        train(small_settings(bags), tmp_path / 'out', processes=2, workers=1)


def test_only_what_is_new_is_read_and_what_is_stale_goes(bags, so101):
    """Catches a whole night read again for one more episode, and caches that pile up."""
    shutil.move(bags / 'seed_2', bags.parent)
    open_frames([bags], so101, 'demonstration', 1)
    [first] = parts(bags)
    mine = bags / CACHE_DIR / 'mine'
    mine.mkdir()
    (bags / CACHE_DIR / 'mine' / 'notes.npy').touch()
    begun = bags / CACHE_DIR / f'{"0" * 16}.partial'
    begun.mkdir()
    shutil.move(bags.parent / 'seed_2', bags)
    frames = open_frames([bags], so101, 'demonstration', 1)
    [second] = parts(bags) - {first, mine}
    assert len(np.load(second / 'stamp.npy')) == 12 and len(frames.stamp_N) == 48
    assert [path.name for path in frames.paths] == ['seed_0', 'seed_1', 'seed_2', 'seed_3']
    again, every = open_frames([bags], so101, 'demonstration', 1), np.arange(48)
    assert np.array_equal(again.images['front'][every], frames.images['front'][every])
    assert parts(bags) == {first, second, mine}
    for name in ('seed_0', 'seed_1', 'seed_3'):
        shutil.rmtree(bags / name)
    left = open_frames([bags], so101, 'demonstration', 1)
    assert parts(bags) == {second, mine} and len(left.stamp_N) == 12
    assert np.array_equal(left.chunk_NTJ, frames.chunk_NTJ[24:36])
    assert frames.images['front'][np.array([40])].any()   # who has one open keeps it


def test_a_changed_episode_is_read_again_with_the_few_beside_it(bags, so101):
    """Catches frames of before, and as many parts as there were trainings."""
    open_frames([bags], so101, 'demonstration', 1)
    before = parts(bags)
    for name in ('seed_0', 'seed_1'):
        os.utime(bags / name / 'metadata.yaml', ns=(1, 1))
    frames = open_frames([bags], so101, 'demonstration', 1)
    assert len(parts(bags)) == 1 and not parts(bags) & before and len(frames.stamp_N) == 48


def test_other_ways_to_sample_are_kept_for_a_while(bags, so101):
    """Catches two trainings in turn that build each other's cache again, and ten that stay."""
    for path in (bags / 'seed_1', bags / 'seed_2', bags / 'seed_3'):
        shutil.rmtree(path)
    found = []
    for number in range(KEPT_RECIPES + 1):
        open_frames([bags], so101, 'demonstration', 1, Sampling(0.1 + number))
        found.append(parts(bags))
    assert [len(each) for each in found] == [1, 2, 3, 3]
    assert found[-1] & found[0] == set()
