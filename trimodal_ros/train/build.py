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
Building a part of a cache: each episode is read once, by one of several processes, and streamed.

A process holds one frame, not an episode, so memory doesn't grow with the length of a recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import shutil

import numpy as np

from ..progress import progress_bar
from ..record.bag_metadata import message_counts
from ..record.episode import EpisodeError, of_other_robot, read_info
from ..record.moments import Moment, read_moments, Sampling
from ..spec import RobotSpec
from ..workers import worker_pool

VERSION = 3   # raise it when the same episodes give other frames, or other files
EPISODES = 'episodes.json'
PARTIAL_SUFFIX = '.partial'
COPIED_BYTES = 1 << 22
UNREAD = {'labelled': False, 'commanded': False, 'dropped': {}}


@dataclass(frozen=True)
class Recipe:
    """How frames are made: of messages on ``label_topic``, or else of moments as sampled."""

    robot: RobotSpec
    label_topic: str
    sampling: Sampling

    @property
    def key(self) -> str:
        return hashlib.sha256(f'{VERSION} {self.robot.content_hash} {self.label_topic} '
                              f'{self.sampling}'.encode()).hexdigest()[:16]


def build(part: Path, episodes: Mapping[Path, str], recipe: Recipe, workers: int) -> None:
    """
    Write the arrays of all frames of some episodes to a folder that is renamed when whole.

    ``episodes`` have the keys that they are known by later. Of each, EPISODES tells how many
    ``frames`` it has, is it 'labelled' or 'commanded', what is 'dropped', and as 'fault' why it
    can't be read. Raises EpisodeError where one may not be read.
    """
    partial = part.with_name(part.name + PARTIAL_SUFFIX)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    jobs = [(path, partial / str(number), recipe) for number, path in enumerate(episodes)]
    told = []
    with worker_pool(workers) as pool:
        done = pool.map(_read_episode, jobs, chunksize=max(1, min(4, len(jobs) // workers)))
        bar = progress_bar(done, total=len(jobs), desc='cache', unit='ep')
        for (path, folder, _), about in zip(jobs, bar):
            told.append({'key': episodes[path], **about})
            _append(partial, folder)
    _conclude(partial, recipe.robot, sum(about['frames'] for about in told))
    (partial / EPISODES).write_text(json.dumps({'recipe': recipe.key, 'episodes': told}))
    partial.rename(part)


def _read_episode(job: tuple[Path, Path, Recipe]) -> dict:
    """Write an episode's frames to a folder of its own; return what there is to tell of it."""
    path, folder, recipe = job
    folder.mkdir()
    try:
        info, about = read_info(path), _frames_of(path, folder, recipe)
        if not about['frames'] and (other := of_other_robot(info, recipe.robot)):
            raise EpisodeError(f'{path}: {other}; {about["dropped"]}')
        return {**about, 'fault': ''}
    except ValueError as error:  # EpisodeError, and what inputs are refused with
        if isinstance(error.__cause__, PermissionError):
            raise  # not for long
        shutil.rmtree(folder)
        folder.mkdir()
        fault = str(error) if isinstance(error, EpisodeError) else f'{path}: {error}'
        return {**UNREAD, 'frames': 0, 'fault': fault}


def _frames_of(path: Path, folder: Path, recipe: Recipe) -> dict:
    dropped: Counter[str] = Counter()
    labelled, moments = read_moments(path, recipe.robot, recipe.label_topic, recipe.sampling,
                                     dropped)
    count, counts = _stream(moments, folder), message_counts(path)
    commanded = any(counts.get(group.topic) for group in recipe.robot.groups)
    return {'frames': count, 'labelled': labelled, 'dropped': dict(dropped),
            'commanded': commanded}


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


def _conclude(partial: Path, robot: RobotSpec, total: int) -> None:
    """Turn raw values into .npy files."""
    joints = len(robot.joints)
    shapes = {'stamp': (np.int64, ()), 'position': (np.float32, (joints,)),
              'command': (np.float32, (joints,)), 'chunk': (np.float32, (robot.horizon, joints)),
              **{f'image_{camera.name}': (np.uint8, (camera.height, camera.width, 3))
                 for camera in robot.cameras}}
    for name, (dtype, shape) in shapes.items():
        (partial / name).touch()  # of no frame at all
        _to_npy(partial / name, (total, *shape), dtype)


def _to_npy(path: Path, shape: tuple[int, ...], dtype) -> None:
    """Put an .npy header before raw values without holding them in memory."""
    header = {'descr': np.lib.format.dtype_to_descr(np.dtype(dtype)), 'fortran_order': False,
              'shape': shape}
    with path.open('rb') as source, path.with_suffix('.npy').open('wb') as target:
        np.lib.format.write_array_header_1_0(target, header)
        shutil.copyfileobj(source, target, COPIED_BYTES)
    path.unlink()
