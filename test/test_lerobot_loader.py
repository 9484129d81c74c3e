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

"""Exports in the hands of the real lerobot package, in an environment of its own."""

import os
from pathlib import Path
import subprocess

from lerobot_data import (
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
import pytest

from trimodal_ros.record.lerobot.from_bags import export_episodes
from trimodal_ros.record.lerobot.settings import Encoding

ROOT = Path(__file__).resolve().parents[1]
PYTHON = Path(os.environ.get('LEROBOT_PYTHON', ROOT / 'out/lerobot/bin/python'))
COUNTS = (20, 13)
LOOKS_THE_SAME_DB = 36

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f'no lerobot at {PYTHON}; make check-lerobot installs it (5 GB) '
    'and runs this, or LEROBOT_PYTHON names the Python that has it')


def has_torchcodec() -> bool:
    """Tell whether LeRobot's first choice of decoder finds the system's FFmpeg."""
    return not subprocess.run([PYTHON, '-c', 'import torchcodec'], check=False,
                              capture_output=True).returncode


@pytest.fixture(scope='module', params=[('h264', 'pyav'), ('av1', 'pyav'), ('h264', 'torchcodec')],
                ids='-'.join)
def loaded(request, tmp_path_factory):
    """What LeRobotDataset returned, and the dataset."""
    codec, backend = request.param
    if codec == 'av1' and os.geteuid() == 0:
        pytest.skip('av1 is refused to root')
    if backend == 'torchcodec' and not has_torchcodec():
        pytest.skip('torchcodec needs the FFmpeg libraries of the system: apt-get install ffmpeg')
    folder = tmp_path_factory.mktemp('loaded')
    for seed, count in enumerate(COUNTS):
        write_episode(folder / f'bags/ep{seed}', jittered_stamps(count, seed), seed,
                      f'{SENTENCE} {seed}')
    export_episodes([folder / 'bags'], folder / 'dataset', ROBOT, encoding=Encoding(codec))
    subprocess.run([PYTHON, ROOT / 'benchmarks/lerobot_load.py', folder / 'dataset',
                    folder / 'loaded.npz', backend], check=True, capture_output=True)
    return dict(np.load(folder / 'loaded.npz')), folder / 'dataset'


def test_the_same_frames(loaded):
    """Catches frames shown at another time than LeRobot looks for them, or in other colours."""
    values, _ = loaded
    for late_ns, camera in ((0, 'front'), (LATE_NS, 'side')):
        sent = [picture(seed + late_ns, step)
                for seed, count in enumerate(COUNTS) for step in range(count)]
        shown = values[f'observation.images.{camera}']
        assert len(shown) == len(sent) and min(map(psnr, shown, sent)) > LOOKS_THE_SAME_DB


def test_the_same_numbers(loaded):
    """Catches an action, a state, a stamp or a sentence that LeRobot reads as something else."""
    values, dataset = loaded
    rows = read_parquet(dataset, 'data/*/*.parquet')
    for key in ('action', 'observation.state'):  # torch makes float32 of Python's numbers
        assert np.array_equal(values[key], np.array(rows[key], np.float32))
    measured = np.concatenate([states(seed, count) for seed, count in enumerate(COUNTS)])
    assert np.array_equal(values['observation.state'], measured.astype(np.float32))
    stamps = [stamp for seed, count in enumerate(COUNTS)
              for stamp in jittered_stamps(count, seed)]
    assert values['stamp_ns'][:, 0].tolist() == stamps
    assert values['task'].tolist() == [f'{SENTENCE} {seed}' for seed, count in enumerate(COUNTS)
                                       for _ in range(count)]
    assert values['fps'] == 10


def test_chunks_of_actions(loaded):
    """Catches episodes that run into each other where LeRobot asks for the next action."""
    values, _ = loaded
    last = np.isin(np.arange(sum(COUNTS)), np.cumsum(COUNTS) - 1)
    assert np.array_equal(values['chunk'][:, 0], values['action'])
    assert np.array_equal(values['chunk'][~last, 1], values['action'][1:][~last[:-1]])


def test_statistics_are_like_lerobots(loaded):
    """Catches a statistic that LeRobot defines in another way, shape or unit."""
    values, _ = loaded
    for name in [name for name in values if name.startswith('recomputed/')]:
        ours, theirs = values[name.replace('recomputed', 'stats')], values[name]
        assert ours.shape == theirs.shape, name
        if any(word in name for word in ('stamp', 'index')):
            continue
        peak = 'images' in name and name.endswith(('min', 'max'))  # of single pixels, decoded
        assert np.allclose(ours, theirs, atol=0.1 if peak else 0.03), name
