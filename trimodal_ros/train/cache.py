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

from dataclasses import dataclass
from functools import cached_property
import hashlib
import json
from pathlib import Path

import numpy as np

from .build import build, read_dropped
from ..record.episode import EpisodeInfo, find_episodes, read_info
from ..record.moments import Sampling
from ..spec import RobotSpec

CACHE_DIR = '.trimodal_cache'
CACHE_VERSION = 2
DEFAULT_SAMPLING = Sampling()


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
    """
    All frames of some episodes; arrays are memory-mapped and read-only.

    ``labelled``: of each episode, whether its chunks are of the label topic; else they are what
    was commanded, or, where it isn't ``commanded`` at all, measured. ``dropped``: of each episode,
    how many moments are not among the frames, by reason.
    """

    robot: RobotSpec
    infos: list[EpisodeInfo]
    paths: list[Path]
    names: list[str]                    # of the episodes: their folders
    labelled: list[bool]
    commanded: list[bool]
    dropped: list[dict[str, int]]
    episode_N: np.ndarray               # index into infos
    stamp_N: np.ndarray                 # ns, of the oldest image
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


def open_frames(roots: list[Path], robot: RobotSpec, label_topic: str, workers: int,
                sampling: Sampling = DEFAULT_SAMPLING) -> Frames:
    """
    Return the frames of every episode under ``roots``, building each root's cache if needed.

    An episode with messages on ``label_topic`` has a frame for each of them; of any other, such
    as a recorder's, ``sampling`` says which moments are frames. Raises EpisodeError.
    """
    infos, paths, names, told, parts = [], [], [], [], []
    for root in map(Path, roots):
        episodes = find_episodes(root)
        root_infos = [read_info(path) for path in episodes]
        cache = root / CACHE_DIR / _key(episodes, root_infos, robot, label_topic, sampling)
        if not cache.exists():
            build(cache, episodes, robot, label_topic, sampling, workers)
        part = {path.stem: np.load(path, mmap_mode='r') for path in cache.glob('*.npy')}
        parts.append({**part, 'episode': part['episode'] + len(paths)})
        infos += root_infos
        paths += episodes
        names += [str(path.relative_to(root.parent)) for path in episodes]
        told += read_dropped(cache)
    stacked = {name: np.concatenate([part[name] for part in parts])
               for name in ('episode', 'stamp', 'position', 'command', 'chunk')}
    return Frames(
        robot, infos, paths, names,
        *([each[name] for each in told] for name in ('labelled', 'commanded', 'dropped')),
        stacked['episode'], stacked['stamp'],
        {camera.name: Stacked([part[f'image_{camera.name}'] for part in parts])
         for camera in robot.cameras},
        stacked['position'], stacked['command'], stacked['chunk'])


def _key(episodes, infos, robot: RobotSpec, label_topic: str, sampling: Sampling) -> str:
    """Identify the frames by what they are made from; a changed episode is a new cache."""
    digest = hashlib.sha256(
        f'{CACHE_VERSION} {robot.content_hash} {label_topic} {sampling}'.encode())
    for path, info in zip(episodes, infos):
        stat = (path / 'metadata.yaml').stat()
        digest.update(f'{path.resolve()} {stat.st_mtime_ns} {info}'.encode())
    return digest.hexdigest()[:16]
