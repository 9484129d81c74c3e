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

"""
Building a cache: each episode is read once, by one of several processes, and streamed to disk.

A process holds one frame, not an episode, so memory doesn't grow with the length of a recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
import json
import multiprocessing
from pathlib import Path
import shutil

import numpy as np

from ..progress import progress_bar
from ..record.bag_metadata import message_counts
from ..record.episode import EpisodeError
from ..record.moments import Moment, read_commanded, read_labelled, Sampling
from ..spec import RobotSpec

DROPPED = 'episodes.json'
COPIED_BYTES = 1 << 22


def read_dropped(cache: Path) -> list[dict]:
    """Return of each episode: is it 'labelled', or 'commanded', what is 'dropped' and why."""
    return json.loads((cache / DROPPED).read_text())


def build(cache: Path, episodes: list[Path], robot: RobotSpec, label_topic: str,
          sampling: Sampling, workers: int) -> None:
    """
    Write the arrays of all frames of some episodes to a folder that is renamed when whole.

    Raises EpisodeError for an episode that can't be read, and where there is no frame at all.
    """
    partial = cache.with_name(cache.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    jobs = [(path, partial / str(number), robot, label_topic, sampling)
            for number, path in enumerate(episodes)]
    context = multiprocessing.get_context('spawn')
    told, counts = [], []
    with ProcessPoolExecutor(workers, context) as pool:
        done = pool.map(_read_episode, jobs, chunksize=max(1, min(4, len(jobs) // workers)))
        bar = progress_bar(done, total=len(jobs), desc='cache', unit='ep')
        for (_, folder, *_), (about, count) in zip(jobs, bar):
            told.append(about)
            counts.append(count)
            _append(partial, folder)
    if not sum(counts):
        reasons = Counter()
        for about in told:
            reasons.update(about['dropped'])
        raise EpisodeError(f'{cache.parent.parent}: no frame in {len(episodes)} episodes: '
                           f'{dict(reasons)}')
    _conclude(partial, robot, counts)
    (partial / DROPPED).write_text(json.dumps(told))
    partial.rename(cache)


def _read_episode(job) -> tuple[dict, int]:
    """Write an episode's frames to a folder of its own; return about it, and how many."""
    path, folder, robot, label_topic, sampling = job
    folder.mkdir()
    counts = message_counts(path)
    labelled = counts.get(label_topic, 0) > 0
    dropped: Counter[str] = Counter()
    if labelled:
        moments = read_labelled(path, robot, label_topic, sampling.freshness)
    else:
        every_s = sampling.every_s or 1 / robot.rate_hz
        moments = read_commanded(path, robot, replace(sampling, every_s=every_s), dropped)
    count = _stream(moments, folder)
    commanded = any(counts.get(group.topic) for group in robot.groups)
    return {'labelled': labelled, 'commanded': commanded,
            'dropped': dict(dropped)}, count


def _stream(moments: Iterator[Moment], folder: Path) -> int:
    files, count = {}, 0
    try:
        for moment in moments:
            for name, value in _row(moment).items():
                if name not in files:
                    files[name] = (folder / name).open('wb')
                files[name].write(value.tobytes())
            count += 1
    finally:
        for file in files.values():
            file.close()
    return count


def _row(moment: Moment) -> dict[str, np.ndarray]:
    seen = moment.observation
    return {'stamp': np.int64(seen.stamp_ns), 'position': np.float32(seen.position_J),
            'command': np.float32(seen.command_J), 'chunk': np.float32(moment.chunk_TJ),
            **{f'image_{name}': image for name, image in seen.images.items()}}


def _append(partial: Path, folder: Path) -> None:
    """Move an episode's frames to the end of all."""
    for path in folder.iterdir():
        with path.open('rb') as source, (partial / path.name).open('ab') as target:
            shutil.copyfileobj(source, target, COPIED_BYTES)
    shutil.rmtree(folder)


def _conclude(partial: Path, robot: RobotSpec, counts: list[int]) -> None:
    """Turn raw values into .npy files."""
    joints, total = len(robot.joints), sum(counts)
    shapes = {'stamp': (np.int64, ()), 'position': (np.float32, (joints,)),
              'command': (np.float32, (joints,)), 'chunk': (np.float32, (robot.horizon, joints)),
              **{f'image_{camera.name}': (np.uint8, (camera.height, camera.width, 3))
                 for camera in robot.cameras}}
    for name, (dtype, shape) in shapes.items():
        _to_npy(partial / name, (total, *shape), dtype)
    np.save(partial / 'episode.npy', np.repeat(np.arange(len(counts)), counts))


def _to_npy(path: Path, shape: tuple[int, ...], dtype) -> None:
    """Put an .npy header before raw values without holding them in memory."""
    header = {'descr': np.lib.format.dtype_to_descr(np.dtype(dtype)), 'fortran_order': False,
              'shape': shape}
    with path.open('rb') as source, path.with_suffix('.npy').open('wb') as target:
        np.lib.format.write_array_header_1_0(target, header)
        shutil.copyfileobj(source, target, COPIED_BYTES)
    path.unlink()
