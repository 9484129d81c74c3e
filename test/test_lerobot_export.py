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

"""Episodes as a LeRobot dataset, read back without LeRobot and without this package's reader."""

from collections import Counter
from dataclasses import replace
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

from lerobot_data import (
    decode,
    jittered_stamps,
    LATE_NS,
    picture,
    psnr,
    read_parquet,
    ROBOT,
    SENTENCE,
    states,
    write_episode,
)
import numpy as np
import pyarrow.parquet as pq
import pytest

from trimodal_ros.record.episode import EpisodeInfo
from trimodal_ros.record.lerobot.from_bags import export_episodes
from trimodal_ros.record.lerobot.schema import DatasetError
from trimodal_ros.record.lerobot.settings import Encoding
from trimodal_ros.record.moments import read_labelled, Replay
from trimodal_ros.spec import NS_PER_S
from trimodal_ros.spec.robot_file import write_robot_file

COUNTS = (12, 9)
ONCE_CODED_DB = 36


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Two episodes: the camera jitters; in the second somebody takes over for three frames."""
    folder = tmp_path_factory.mktemp('bags')
    for seed, count in enumerate(COUNTS):
        stamps = jittered_stamps(count, seed)
        taken = ((stamps[3], stamps[5] + LATE_NS),) if seed else ()
        write_episode(folder / f'ep{seed}', stamps, seed, f'{SENTENCE} {seed}', EpisodeInfo(
            f'{SENTENCE} {seed}', ROBOT.content_hash, 'teleoperation', 'success',
            interventions=taken))
    return folder


@pytest.fixture(scope='module')
def dataset(bags, tmp_path_factory):
    out = tmp_path_factory.mktemp('datasets') / 'dataset'
    export_episodes([bags], out, ROBOT)
    return out


def test_info_says_what_lerobot_looks_for(dataset):
    """Catches a version, feature, shape or path that LeRobot would not find."""
    info = json.loads((dataset / 'meta/info.json').read_text())
    assert info['codebase_version'] == 'v3.0' and info['fps'] == 10
    assert (info['total_episodes'], info['total_frames'], info['total_tasks']) == (2, 21, 2)
    assert info['features']['action']['names'] == list(ROBOT.joint_names)
    assert info['features']['action']['info'] == {'units': ['rad'] * 3}
    assert info['features']['observation.images.side']['shape'] == [64, 96, 3]
    assert (dataset / info['data_path'].format(chunk_index=0, file_index=0)).is_file()
    assert (dataset / info['video_path'].format(
        video_key='observation.images.side', chunk_index=0, file_index=0)).is_file()


def test_frames_are_what_was_sent(dataset):
    """Catches images that are shifted by a frame, mixed up, resized or off in colour."""
    for late_ns, camera in ((0, 'front'), (LATE_NS, 'side')):
        path = dataset / f'videos/observation.images.{camera}/chunk-000/file-000.mp4'
        sent = [picture(seed + late_ns, step)
                for seed, count in enumerate(COUNTS) for step in range(count)]
        shown = decode(path)
        assert len(shown) == len(sent)
        assert min(map(psnr, shown, sent)) > ONCE_CODED_DB


def test_columns_are_what_was_measured(dataset):
    """Catches made-up stamps, a state of another moment, an intervention at the wrong frames."""
    rows = read_parquet(dataset, 'data/*/*.parquet')
    assert rows['observation.state'] == [*states(0, 12).tolist(), *states(1, 9).tolist()]
    stamps = [*jittered_stamps(12, 0), *jittered_stamps(9, 1)]
    assert rows['stamp_ns'] == [[stamp, stamp, stamp + LATE_NS, stamp - 1000] for stamp in stamps]
    assert rows['frame_index'] == [*range(12), *range(9)]
    assert rows['index'] == list(range(21))
    assert np.allclose(rows['timestamp'], np.array(rows['frame_index']) / 10)
    assert [row for row, taken in enumerate(rows['intervention']) if taken] == [15, 16, 17]


def test_the_action_is_what_is_commanded_a_step_later(tmp_path):
    """Catches an action of another moment: on a steady clock it is the next frame's command."""
    stamps = [NS_PER_S + k * ROBOT.step_ns for k in range(10)]
    write_episode(tmp_path / 'bags/ep', stamps)
    export_episodes([tmp_path / 'bags'], tmp_path / 'out', ROBOT)
    actions = np.array(read_parquet(tmp_path / 'out', 'data/*/*.parquet')['action'])
    commands = [joined.command_J
                for joined in Replay(tmp_path / 'bags/ep', ROBOT).joined(0.1, Counter())]
    assert np.array_equal(actions[:-1], commands[1:])


def test_labels_are_actions_in_demonstrations(episodes, so101, tmp_path):
    """Catches the pushed command exported for a demonstration, not what was to be done."""
    export_episodes([episodes], tmp_path / 'out', so101)
    actions = read_parquet(tmp_path / 'out', 'data/*/*.parquet')['action']
    labels = [moment.chunk_TJ[0].tolist() for path in sorted(episodes.glob('seed_*'))
              for moment in read_labelled(path, so101, 'demonstration')]
    assert actions == labels
    with pytest.raises(DatasetError, match="labels' rate as --fps"):
        export_episodes([episodes], tmp_path / 'other', so101, fps=20)


def test_episodes_are_found_by_their_row(dataset):
    """Catches an episode that begins at another frame of the shared files than its row says."""
    rows = read_parquet(dataset, 'meta/episodes/*/*.parquet')
    assert rows['length'] == list(COUNTS) and rows['dataset_from_index'] == [0, 12]
    assert rows['dataset_to_index'] == [12, 21]
    assert rows['videos/observation.images.front/from_timestamp'] == [0, 1.2]
    assert rows['videos/observation.images.front/to_timestamp'] == [1.2, 2.1]
    assert rows['tasks'] == [[f'{SENTENCE} 0'], [f'{SENTENCE} 1']]
    assert rows['outcome'] == ['success', 'success']
    tasks = pq.read_table(dataset / 'meta/tasks.parquet')
    assert json.loads(tasks.schema.metadata[b'pandas'])['index_columns'] == ['task']
    assert tasks.to_pydict() == {'task_index': [0, 1], 'task': [f'{SENTENCE} 0', f'{SENTENCE} 1']}


def test_statistics_are_those_of_all_values(dataset):
    """Catches statistics of another axis, range or definition, against the plain way."""
    stats = json.loads((dataset / 'meta/stats.json').read_text())
    actions = np.array(read_parquet(dataset, 'data/*/*.parquet')['action'])
    assert np.allclose(stats['action']['mean'], actions.mean(axis=0))
    assert np.allclose(stats['action']['std'], actions.std(axis=0))
    assert np.allclose(stats['action']['q90'], np.quantile(actions, 0.9, axis=0))
    assert stats['action']['count'] == [21]
    pixels = np.stack([picture(seed, step) for seed, count in enumerate(COUNTS)
                       for step in range(count)]).reshape(-1, 3) / 255
    front = {name: np.array(value) for name, value in
             stats['observation.images.front'].items()}
    assert front['mean'].shape == (3, 1, 1)
    for name, value in (('min', pixels.min(0)), ('max', pixels.max(0)), ('mean', pixels.mean(0)),
                        ('std', pixels.std(0)),
                        ('q10', np.quantile(pixels, 0.1, axis=0, method='inverted_cdf'))):
        assert np.allclose(front[name].ravel(), value), name
    row = read_parquet(dataset, 'meta/episodes/*/*.parquet')
    assert row['stats/action/count'] == [[12], [9]]
    assert np.allclose(row['stats/action/max'][1], actions[12:].max(axis=0))


@pytest.mark.parametrize('encoding', [
    pytest.param(('av1', 20), marks=pytest.mark.skipif(
        os.geteuid() == 0, reason='refused to root')), ('h264', 10, 'yuv444p')])
def test_other_encodings_can_be_read(bags, encoding, tmp_path):
    """Catches a codec that is in the settings and not in the library."""
    export_episodes([bags], tmp_path / 'out', ROBOT, encoding=Encoding(*encoding))
    shown = decode(tmp_path / 'out/videos/observation.images.front/chunk-000/file-000.mp4')
    assert psnr(shown[0], picture(0, 0)) > ONCE_CODED_DB and len(shown) == 21


def test_odd_sizes_need_full_colour(tmp_path):
    """Catches a size the encoder would crop or refuse without a word of why."""
    write_episode(tmp_path / 'bags/ep', jittered_stamps(3, 0), size=(65, 49))
    with pytest.raises(DatasetError, match='65x49 px.*yuv444p'):
        export_episodes([tmp_path / 'bags'], tmp_path / 'out', ROBOT)
    export_episodes([tmp_path / 'bags'], tmp_path / 'out', ROBOT,
                    encoding=Encoding(pixel_format='yuv444p'))
    with pytest.raises(DatasetError, match='yuv420p only'):
        Encoding('av1', pixel_format='yuv444p')


def test_what_can_be_read_is_exported(bags, tmp_path):
    """Catches one bad episode that costs the others, or that goes by without a word."""
    shutil.copytree(bags, tmp_path / 'bags')
    write_episode(tmp_path / 'bags/large', jittered_stamps(3, 0), size=(128, 64))
    [mcap] = (tmp_path / 'bags/ep0').glob('*.mcap')
    os.truncate(mcap, mcap.stat().st_size // 2)
    done = {each.path.name: each for each in export_episodes(
        [tmp_path / 'bags'], tmp_path / 'out', ROBOT)}
    assert 'ep0' in done['ep0'].fault
    assert 'an image of 128x64 px' in done['large'].fault and done['large'].frames == 0
    assert done['ep1'].frames == 9 and not done['ep1'].fault
    rows = read_parquet(tmp_path / 'out', 'meta/episodes/*/*.parquet')
    info = EpisodeInfo.from_json(rows['trimodal_ros'][-1])
    assert (info.outcome, info.instruction) == ('success', f'{SENTENCE} 1')


def test_an_unreadable_image_costs_one_frame(tmp_path):
    """Catches actions that slip by a frame behind an image that can't be decoded."""
    write_episode(tmp_path / 'bags/ep', jittered_stamps(9, 0), broken=4)
    [done] = export_episodes([tmp_path / 'bags'], tmp_path / 'out', ROBOT)
    assert done.frames == 8 and not done.fault
    assert done.dropped == {'unreadable image': 1}
    rows = read_parquet(tmp_path / 'out', 'data/*/*.parquet')
    assert rows['observation.state'] == [*states(0, 9)[:4].tolist(), *states(0, 9)[5:].tolist()]
    write_episode(tmp_path / 'whole/ep', jittered_stamps(9, 0))
    export_episodes([tmp_path / 'whole'], tmp_path / 'nine', ROBOT)
    actions = read_parquet(tmp_path / 'nine', 'data/*/*.parquet')['action']
    assert rows['action'] == actions[:4] + actions[5:]


def test_gaps_and_drift_are_told(tmp_path):
    """Catches dropped frames that a made-up timestamp would hide."""
    stamps = [NS_PER_S + k * ROBOT.step_ns for k in range(12) if k not in (4, 5, 6)]
    write_episode(tmp_path / 'bags/ep', stamps)
    [done] = export_episodes([tmp_path / 'bags'], tmp_path / 'out', ROBOT)
    assert done.frames == 9 and done.gap_s == pytest.approx(0.4)
    assert done.drift_s == pytest.approx(0.3)


def test_nothing_is_overwritten(bags, dataset, tmp_path):
    with pytest.raises(DatasetError, match='exists already'):
        export_episodes([bags], dataset, ROBOT)
    with pytest.raises(DatasetError, match='whole number'):
        export_episodes([bags], tmp_path / 'out', ROBOT, fps=0)
    assert not list(tmp_path.iterdir())


def test_the_command_tells_what_it_did(bags, tmp_path, capsys):
    """Catches an option of the command that goes nowhere, and an error shown as a traceback."""
    from trimodal_ros.record.__main__ import main
    write_robot_file(replace(ROBOT, cameras=tuple(
        replace(camera, width=64, height=48) for camera in ROBOT.cameras)),
        tmp_path / 'robot.yaml')
    command = ['export', str(bags), '--out', str(tmp_path / 'out'), '--robot',
               str(tmp_path / 'robot.yaml'), '--dtype', 'float32', '--fps', '5',
               '--encoding.quality', '30', '--frozen-s', '0']
    main(command)
    told = capsys.readouterr().out
    assert '2 of 2 episodes, 11 frames' in told and 'frame_index / fps is up to 0.0' in told
    info = json.loads((tmp_path / 'out/meta/info.json').read_text())
    assert info['features']['action']['dtype'] == 'float32' and info['fps'] == 5
    with pytest.raises(SystemExit, match='exists already'):
        main(command)
    shutil.copytree(bags, tmp_path / 'bags')
    [mcap] = (tmp_path / 'bags/ep0').glob('*.mcap')
    os.truncate(mcap, mcap.stat().st_size // 2)
    with pytest.raises(SystemExit, match='1'):
        main(['export', str(tmp_path / 'bags'), '--out', str(tmp_path / 'rest'), *command[4:]])
    assert 'fault: ' in capsys.readouterr().out and (tmp_path / 'rest/meta').is_dir()


RUN = """
import sys
from pathlib import Path
from lerobot_data import ROBOT
from trimodal_ros.record.lerobot import from_bags
bags, out = map(Path, sys.argv[1:])
from_bags.export_episodes([bags], out, ROBOT)
"""


def run(bags, out, **options) -> subprocess.Popen:
    paths = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    return subprocess.Popen([sys.executable, '-c', RUN, str(bags), str(out)], text=True,
                            stderr=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': paths},
                            **options)


def test_interrupted_export_leaves_nothing(tmp_path):
    """Catches a half-written dataset after Ctrl-C."""
    write_episode(tmp_path / 'bags/ep_000', jittered_stamps(100, 0))
    for copy in range(1, 40):
        shutil.copytree(tmp_path / 'bags/ep_000', tmp_path / f'bags/ep_{copy:03d}')
    process = run(tmp_path / 'bags', tmp_path / 'out')
    while not list(tmp_path.glob('out.partial/videos/*/*/*.mp4')):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert 'KeyboardInterrupt' in process.communicate()[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bags']


def test_full_disk_leaves_nothing(bags, tmp_path):
    """Catches an export that goes on, or stays behind, when the file system takes no more."""
    process = run(bags, tmp_path / 'out', preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (4096, 4096)))
    assert 'File too large' in process.communicate()[1] and process.returncode
    assert not list(tmp_path.iterdir())
