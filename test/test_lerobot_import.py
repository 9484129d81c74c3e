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

"""LeRobot datasets as episodes: round trips, other people's datasets, and bad ones."""

from dataclasses import replace
import os
import shutil
import signal

from lerobot_data import (
    jittered_stamps,
    LATE_NS,
    LOOKS_THE_SAME_DB,
    observations,
    psnr,
    read_parquet,
    ROBOT,
    SENTENCE,
    states,
    write_episode,
)
import numpy as np
import pytest

from trimodal_ros.record.episode import EpisodeInfo, find_episodes, read_info
from trimodal_ros.record.lerobot.from_bags import export_episodes
from trimodal_ros.record.lerobot.schema import DatasetError
from trimodal_ros.record.lerobot.settings import Encoding
from trimodal_ros.record.lerobot.to_bags import Importer
from trimodal_ros.record.reader import read_messages


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bags')
    for seed, count in enumerate((12, 9)):
        stamps = jittered_stamps(count, seed)
        write_episode(folder / f'ep{seed}', stamps, seed, f'{SENTENCE} {seed}', EpisodeInfo(
            f'{SENTENCE} {seed}', ROBOT.content_hash, 'policy', 'failure', 'checkpoint',
            ('say it so',), operator='Ada',
            interventions=((stamps[3], stamps[5] + LATE_NS),) if seed else ()))
    return folder


@pytest.fixture(scope='module')
def dataset(bags, tmp_path_factory):
    out = tmp_path_factory.mktemp('datasets') / 'dataset'
    export_episodes([bags], out, ROBOT)
    return out


def test_round_trip(bags, dataset, tmp_path):
    """Catches a stamp, a joint, a command, a sentence or an image that does not come back."""
    done = Importer(dataset, ROBOT).run(tmp_path / 'bags')
    assert [each.frames for each in done] == [12, 9]
    for seed, path in enumerate(find_episodes(tmp_path / 'bags')):
        back, there = observations(path), observations(bags / f'ep{seed}')
        stamps = jittered_stamps((12, 9)[seed], seed)
        assert [each.stamp_ns for each in back] == stamps
        assert {each.instruction for each in back} == {f'{SENTENCE} {seed}'}
        assert np.array_equal([each.position_J for each in back], states(seed, len(stamps)))
        first = {each.stamp_ns: each for each in there}
        for each in back:
            assert dict(each.stamps_ns) == dict(first[each.stamp_ns].stamps_ns)
            for camera, image in each.images.items():
                assert psnr(image, first[each.stamp_ns].images[camera]) > LOOKS_THE_SAME_DB


def test_round_trip_of_actions_and_metadata(bags, dataset, tmp_path):
    """Catches a command that is interpolated away by jitter, and metadata that is lost."""
    Importer(dataset, ROBOT).run(tmp_path / 'bags')
    export_episodes([tmp_path / 'bags'], tmp_path / 'again', ROBOT)
    first, again = (read_parquet(root, 'data/*/*.parquet') for root in (dataset,
                                                                        tmp_path / 'again'))
    assert first == again
    for seed, path in enumerate(find_episodes(tmp_path / 'bags')):
        info, there = read_info(path), read_info(bags / f'ep{seed}')
        stamps = jittered_stamps(9, 1)
        taken = ((stamps[3] + LATE_NS, stamps[5] + LATE_NS),) if seed else ()
        assert info.interventions == taken
        assert (info.outcome, info.source, info.operator, info.paraphrases, info.instruction) == (
            there.outcome, there.source, there.operator, there.paraphrases, there.instruction)


def test_round_trip_through_many_files(bags, tmp_path, monkeypatch):
    """Catches an episode looked for in the file, or at the time, of the one before it."""
    from trimodal_ros.record.lerobot import dataset_files
    monkeypatch.setattr(dataset_files, 'VIDEO_FILE_MB', 0)
    monkeypatch.setattr(dataset_files, 'DATA_FILE_MB', 0)
    monkeypatch.setattr(dataset_files, 'FILES_PER_CHUNK', 1)
    export_episodes([bags], tmp_path / 'dataset', ROBOT)
    assert len(list((tmp_path / 'dataset').glob('videos/*/chunk-001/file-000.mp4'))) == 2
    Importer(tmp_path / 'dataset', ROBOT).run(tmp_path / 'bags')
    for seed, path in enumerate(find_episodes(tmp_path / 'bags')):
        back = observations(path)
        assert np.array_equal([each.position_J for each in back], states(seed, (12, 9)[seed]))
        there = observations(bags / f'ep{seed}')
        assert psnr(back[-1].images['side'], there[-1].images['side']) > LOOKS_THE_SAME_DB


def test_a_video_that_ends_early_is_told(dataset, tmp_path):
    """Catches the last image repeated where a video has fewer frames than the numbers."""
    shutil.copytree(dataset, tmp_path / 'dataset')
    where = 'videos/observation.images.side/chunk-000/file-000.mp4'
    short = tmp_path / 'short'
    write_episode(short / 'ep0', jittered_stamps(5, 0))
    export_episodes([short], tmp_path / 'five', ROBOT)
    shutil.copy(tmp_path / 'five' / where, tmp_path / 'dataset' / where)
    first, second = Importer(tmp_path / 'dataset', ROBOT).run(tmp_path / 'bags')
    assert 'frame 5 of 12' in first.findings[0] and where in first.findings[0]
    assert 'frame 0 of 9' in second.findings[0]
    sides = [topic for topic, _, _ in read_messages(first.paths[0]) if topic == 'side/image_raw']
    assert len(sides) == 5


@pytest.mark.parametrize('seed', range(12))
def test_damage_anywhere_is_told_or_harmless(dataset, tmp_path, seed):
    """Catches a damaged file that ends in a traceback, or a number that is read as another."""
    rng = np.random.default_rng(seed)
    shutil.copytree(dataset, tmp_path / 'dataset')
    path = rng.choice(sorted(path for path in (tmp_path / 'dataset').rglob('*')
                             if path.is_file() and path.name != 'stats.json'))
    data = bytearray(path.read_bytes())
    at = int(rng.integers(len(data)))
    damaged = data[:at] if seed % 2 else data[:at] + bytes(64) + data[at + 64:]
    path.write_bytes(damaged)
    try:
        done = Importer(tmp_path / 'dataset', ROBOT).run(tmp_path / 'bags')
    except DatasetError:
        return
    for each in done:
        for bag in each.paths:
            measured = [joined.position for topic, _, joined in read_messages(bag)
                        if topic == 'joint_states']
            assert np.array_equal(measured, states(each.index, (12, 9)[each.index]))


def test_what_is_no_dataset_is_named(dataset, tmp_path):
    with pytest.raises(DatasetError, match='no meta/info.json'):
        Importer(tmp_path, ROBOT)
    shutil.copytree(dataset, tmp_path / 'dataset')
    [tasks] = (tmp_path / 'dataset').glob('meta/tasks.parquet')
    os.truncate(tasks, 100)
    with pytest.raises(DatasetError, match='tasks.parquet: damaged'):
        Importer(tmp_path / 'dataset', ROBOT)


def test_interrupted_import_goes_on(dataset, tmp_path, monkeypatch):
    """Catches a half-written episode taken for a whole one, and a run that begins anew."""
    from trimodal_ros.record.lerobot import to_bags
    written = []

    class Interrupted(to_bags.FrameMessages):
        def write(self, numbers, frame, images):
            super().write(numbers, frame, images)
            written.append(frame)
            if len(written) == 15:
                signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr(to_bags, 'FrameMessages', Interrupted)
    with pytest.raises(KeyboardInterrupt):
        Importer(dataset, ROBOT).run(tmp_path / 'bags')
    assert [path.name for path in find_episodes(tmp_path / 'bags')] == ['episode_000000']
    del written[:]
    Importer(dataset, ROBOT).run(tmp_path / 'bags')
    assert len(find_episodes(tmp_path / 'bags')) == 2 and len(written) == 9


def test_the_benchmark_sees_what_is_lost(bags, tmp_path):
    """Catches a table that says exact of whatever it is given."""
    from benchmarks.interchange import travel
    from trimodal_ros.record.lerobot.settings import Encoding
    fine, coarse = (travel(bags, ROBOT, Encoding(quality=quality), tmp_path / str(quality))
                    for quality in (10, 40))
    assert all(fine.exact.values()) and fine.frames == 21 and len(fine.psnr_db) == 42
    assert np.median(fine.psnr_db) > np.median(coarse.psnr_db) + 5
    assert 'stamps exact' in fine.row('two', Encoding()) and fine.videos_mb > coarse.videos_mb
    lossy = replace(fine, exact={'action': False, 'stamp_ns': True})
    assert 'action NOT exact' in lossy.row('two', Encoding())


@pytest.mark.skipif(os.geteuid() != 0, reason='others may')
def test_av1_is_refused_to_root():
    """Catches SVT-AV1 that makes itself real-time as root: every node beside it stands still."""
    with pytest.raises(DatasetError, match='as another user, or take h264'):
        Encoding('av1')
