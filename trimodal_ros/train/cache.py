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
Episodes as memory-mapped arrays, built once and read at random.

Shapes: N frames of all episodes in order, T steps, J joints, H x W pixels of a camera.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
import hashlib
import json
import multiprocessing
from pathlib import Path
import shutil

import numpy as np

from ..progress import progress_bar
from ..record.episode import EpisodeError, EpisodeInfo, find_episodes, read_info
from ..record.moments import read_moments
from ..spec import RobotSpec

CACHE_DIR = '.trimodal_cache'
CACHE_VERSION = 1


class Stacked:
    """Memory-mapped arrays read as if they were stacked on their first axis."""

    def __init__(self, arrays: list[np.ndarray]):
        self.arrays = arrays
        self._ends = np.cumsum([len(array) for array in arrays])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index_B: np.ndarray) -> np.ndarray:
        """Return the rows of an index array, in its order."""
        index_B = np.atleast_1d(index_B)
        which_B = np.searchsorted(self._ends, index_B, side='right')
        rows = np.empty((len(index_B), *self.arrays[0].shape[1:]), self.arrays[0].dtype)
        for which in np.unique(which_B):
            mine_B = which_B == which
            first = self._ends[which] - len(self.arrays[which])
            rows[mine_B] = self.arrays[which][index_B[mine_B] - first]
        return rows


@dataclass(frozen=True, eq=False)
class Frames:
    """All frames of some episodes; arrays are memory-mapped and read-only."""

    robot: RobotSpec
    infos: list[EpisodeInfo]
    names: list[str]                    # of the episodes: their folders
    episode_N: np.ndarray               # index into infos
    images: dict[str, Stacked]          # camera -> uint8 [N, H, W, 3]
    position_NJ: np.ndarray
    command_NJ: np.ndarray
    chunk_NTJ: np.ndarray

    @cached_property
    def group(self) -> np.ndarray:
        """Per episode, a number shared by all that are told to do the same."""
        keys = [json.dumps(info.task, sort_keys=True) if info.task else info.instruction
                for info in self.infos]
        return np.unique(keys, return_inverse=True)[1].reshape(-1)

    def sentences(self, episode: int) -> tuple[str, ...]:
        info = self.infos[episode]
        return (info.instruction, *info.paraphrases)


def open_frames(roots: list[Path], robot: RobotSpec, label_topic: str, workers: int) -> Frames:
    """Return the frames of every episode under ``roots``, building each root's cache if needed."""
    infos, names, parts, first = [], [], [], 0
    for root in map(Path, roots):
        episodes = find_episodes(root)
        root_infos = [read_info(path) for path in episodes]
        cache = root / CACHE_DIR / _key(episodes, root_infos, robot, label_topic)
        if not cache.exists():
            _build(cache, episodes, robot, label_topic, workers)
        part = {path.stem: np.load(path, mmap_mode='r') for path in cache.glob('*.npy')}
        parts.append({**part, 'episode': part['episode'] + first})
        infos += root_infos
        names += [str(path.relative_to(root.parent)) for path in episodes]
        first += len(episodes)
    return Frames(
        robot, infos, names, np.concatenate([part['episode'] for part in parts]),
        {camera.name: Stacked([part[f'image_{camera.name}'] for part in parts])
         for camera in robot.cameras},
        *(np.concatenate([part[name] for part in parts])
          for name in ('position', 'command', 'chunk')))


def _key(episodes, infos, robot: RobotSpec, label_topic: str) -> str:
    """Identify the frames by what they are made from; a changed episode is a new cache."""
    digest = hashlib.sha256(f'{CACHE_VERSION} {robot.content_hash} {label_topic}'.encode())
    for path, info in zip(episodes, infos):
        stat = (path / 'metadata.yaml').stat()
        digest.update(f'{path.resolve()} {stat.st_mtime_ns} {asdict(info)}'.encode())
    return digest.hexdigest()[:16]


def _build(cache: Path, episodes, robot: RobotSpec, label_topic: str, workers: int) -> None:
    partial = cache.with_name(cache.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    raw = {}
    jobs = [(path, robot, label_topic) for path in episodes]
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context) as pool:
        done = pool.map(_read_episode, jobs, chunksize=4)
        bar = progress_bar(done, total=len(jobs), desc='cache', unit='ep')
        for index, arrays in enumerate(bar):
            arrays['episode'] = np.full(len(arrays['chunk']), index)
            _append(partial, raw, arrays)
    for name, (file, shape, dtype) in raw.items():
        file.close()
        _to_npy(partial / name, shape, dtype)
    partial.rename(cache)


def _read_episode(job) -> dict[str, np.ndarray]:
    path, robot, label_topic = job
    rows = [{'position': observation.position_J, 'command': observation.command_J,
             'chunk': label.position_TJ,
             **{f'image_{name}': image for name, image in observation.images.items()}}
            for observation, label in read_moments(path, robot, label_topic)]
    if not rows:
        raise EpisodeError(f'{path}: no message on the label topic {label_topic!r}')
    return {name: np.stack([row[name] for row in rows]).astype(
        np.uint8 if name.startswith('image_') else np.float32) for name in rows[0]}


def _append(folder: Path, raw: dict, arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if name not in raw:
            raw[name] = ((folder / name).open('wb'), [0, *array.shape[1:]], array.dtype)
        file, shape, _ = raw[name]
        file.write(array.tobytes())
        shape[0] += len(array)


def _to_npy(path: Path, shape: list[int], dtype) -> None:
    """Put an .npy header before raw values without holding them in memory."""
    values = np.memmap(path, dtype, 'r', shape=tuple(shape))
    target = np.lib.format.open_memmap(path.with_suffix('.npy'), 'w+', dtype, tuple(shape))
    for start in range(0, shape[0], 4096):
        target[start:start + 4096] = values[start:start + 4096]
    target.flush()
    del values
    path.unlink()
