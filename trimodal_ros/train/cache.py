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

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
import json
from pathlib import Path

import numpy as np

from .build import Recipe
from .parts import Stored, stored_frames
from ..record.episode import EpisodeError, EpisodeInfo, find_episodes, read_info
from ..record.moments import Sampling
from ..spec import RobotSpec

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


@dataclass(frozen=True)
class Episode:
    """
    An episode under a root, where its frames are and what there is to tell of it.

    ``name`` is its path from the folder that the root is in.
    """

    path: Path
    name: str
    stored: Stored

    @property
    def fault(self) -> str:
        """Why it can't be read, '' where it can; without the folders above the root's."""
        above = str(self.path).removesuffix(self.name)
        return self.stored.about['fault'].replace(above, '') if above else self.stored.about[
            'fault']


@dataclass(frozen=True, eq=False)
class Frames:
    """
    All frames of some episodes; arrays are memory-mapped and read-only.

    ``labelled``: of each episode, whether its chunks are of the label topic; else they are what
    was commanded, or, where it isn't ``commanded`` at all, measured. ``dropped``: of each episode,
    how many moments are not among the frames, by reason. Not among the episodes are those that
    are ``unreadable``.
    """

    robot: RobotSpec
    infos: list[EpisodeInfo]
    paths: list[Path]
    names: list[str]                    # of the episodes: their folders
    labelled: list[bool]
    commanded: list[bool]
    dropped: list[dict[str, int]]
    unreadable: list[Episode]
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
    Return the frames of every episode under ``roots``, reading those that are new to its cache.

    An episode with messages on ``label_topic`` has a frame for each of them; of any other, such
    as a recorder's, ``sampling`` says which moments are frames. Raises EpisodeError where there
    is no frame at all, or an episode may not be read.
    """
    recipe = Recipe(robot, label_topic, sampling)
    episodes = [each for root in map(Path, roots) for each in _episodes(root, recipe, workers)]
    good = [each for each in episodes if not each.fault]
    unreadable = [each for each in episodes if each.fault]
    if not any(each.stored.about['frames'] for each in good):
        raise EpisodeError(_no_frame(roots, good, unreadable))
    arrays = _map_arrays(good)
    stacked = {name: np.concatenate(arrays[name])
               for name in ('stamp', 'position', 'command', 'chunk')}
    return Frames(
        robot, [read_info(each.path) for each in good], [each.path for each in good],
        [each.name for each in good],
        *([each.stored.about[name] for each in good]
          for name in ('labelled', 'commanded', 'dropped')), unreadable,
        np.repeat(np.arange(len(good)), [each.stored.about['frames'] for each in good]),
        stacked['stamp'],
        {camera.name: Stacked(arrays[f'image_{camera.name}']) for camera in robot.cameras},
        stacked['position'], stacked['command'], stacked['chunk'])


def _episodes(root: Path, recipe: Recipe, workers: int) -> list[Episode]:
    paths = find_episodes(root)
    return [Episode(path, str(path.relative_to(root.parent)), stored)
            for path, stored in zip(paths, stored_frames(root, paths, recipe, workers))]


def _no_frame(roots: Sequence[Path], good: Sequence[Episode],
              unreadable: Sequence[Episode]) -> str:
    reasons = Counter()
    for each in good:
        reasons.update(each.stored.about['dropped'])
    first = f'; {len(unreadable)} unreadable, as {unreadable[0].fault}' if unreadable else ''
    return (f'{", ".join(map(str, roots))}: no frame in {len(good)} episodes: {dict(reasons)}'
            + first)


def _map_arrays(episodes: Sequence[Episode]) -> Mapping[str, list[np.ndarray]]:
    """Return each array of the parts as a list of what each episode has of it."""
    parts = {part: {path.stem: np.load(path, mmap_mode='r') for path in part.glob('*.npy')}
             for part in {each.stored.part for each in episodes}}
    names = next(iter(parts.values()))
    return {name: [parts[each.stored.part][name][each.stored.first:each.stored.last]
                   for each in episodes] for name in names}
