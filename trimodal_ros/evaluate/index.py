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
An index of moments kept beside the bags: what each looked like and what was done, as vectors.

One safetensors file an episode in ``ROOT/.trimodal_index/<hash of the checkpoint>/``.
Shapes: N moments of an episode, B of a batch, D shared dimension, T steps, J joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import hashlib
from itertools import islice
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open, SafetensorError
from safetensors.numpy import save_file
import torch

from ..plan.policy import Policy
from ..progress import progress_bar
from ..record.episode import (
    EpisodeError,
    EpisodeInfo,
    find_episodes,
    fingerprint,
    of_other_robot,
    read_info,
    start_of,
)
from ..record.lock import locked
from ..record.moments import read_commanded, Sampling
from ..spec import NS_PER_S

INDEX_DIR = '.trimodal_index'
INDEX_VERSION = 2  # raise it when the same bag and checkpoint give other vectors
SUFFIX = '.safetensors'
BATCH = 32


@dataclass(frozen=True, eq=False)
class IndexedEpisode:
    """
    The moments of an episode: capture stamps and, in ``z``, unit vectors [N, D].

    ``z`` has 'vision', 'action' and both of them fused, which lies with the language;
    ``task`` is equal for all episodes told to do the same, '' where that isn't known.
    """

    path: Path
    instruction: str
    task: str
    start_ns: int              # receipt of the first message
    stamp_N: np.ndarray        # ns
    z: dict[str, np.ndarray]

    @property
    def seconds_N(self) -> np.ndarray:
        """Seconds since the first message, as ``ros2 bag play --start-offset`` counts them."""
        return (self.stamp_N - self.start_ns) / NS_PER_S


@dataclass(frozen=True)
class Index:
    """Files of the index by episode, and what bringing it up to date came to."""

    files: dict[Path, Path]
    refused: tuple[str, ...]   # why, each naming its episode
    embedded: int
    dropped: int

    def __iter__(self) -> Iterator[IndexedEpisode]:
        """Read one episode after another."""
        for path, file in self.files.items():
            yield _read(path, file)


def update_index(policy: Policy, root: Path, every_s: float) -> Index:
    """
    Embed the new and the changed episodes under ``root``, drop the vanished ones.

    A moment is taken every ``every_s`` seconds. An episode that can't be read, or is of another
    robot, is refused and the others are indexed all the same. After an interrupt the next call
    goes on; of two at a time one waits. Raises EpisodeError where there is no episode at all.
    """
    if not every_s > 0:
        raise ValueError(f'every_s: {every_s}, expected seconds above 0')
    folder = Path(root) / INDEX_DIR / policy.content_hash
    episodes = find_episodes(root)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, wait=True):
        files = {path: folder / _file_name(path, root) for path in episodes}
        stale = {path: key for path in episodes
                 if _read_key(files[path]) != (key := _key(path, every_s))}
        refused = []
        for path in progress_bar(stale, desc='index', unit='ep', disable=not stale):
            try:
                arrays, about = _embed_episode(policy, path, every_s)
                _write(files[path], arrays, {'key': stale[path], 'about': json.dumps(about)})
            except ValueError as error:  # EpisodeError and what inputs are refused with
                del files[path]
                refused.append(str(error) if isinstance(error, EpisodeError)
                               else f'{path}: {error}')
        dropped = _drop(folder, set(files.values()))
    return Index(files, tuple(refused), len(stale) - len(refused), dropped)


def _file_name(path: Path, root: Path) -> str:
    return hashlib.sha256(bytes(path.relative_to(root))).hexdigest()[:24] + SUFFIX


def _key(path: Path, every_s: float) -> str:
    """Identify what an episode's vectors are made from: its files and the moments taken."""
    text = f'{INDEX_VERSION} {every_s} {fingerprint(path)}'
    return hashlib.sha256(text.encode()).hexdigest()


def _read_key(file: Path) -> str:
    try:
        with safe_open(file, 'numpy') as stored:
            return stored.metadata()['key']
    except (OSError, SafetensorError):
        return ''


def _read(path: Path, file: Path) -> IndexedEpisode:
    with safe_open(file, 'numpy') as stored:
        z = {name: stored.get_tensor(name) for name in stored.keys()}
        about = json.loads(stored.metadata()['about'])
    return IndexedEpisode(path, **about, stamp_N=z.pop('stamp'), z=z)


def _write(file: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    partial = file.with_suffix('.partial')
    save_file(arrays, partial, metadata)
    partial.replace(file)


def _drop(folder: Path, wanted: set[Path]) -> int:
    """Remove what is not wanted; return of how many episodes."""
    left_over = [file for file in folder.iterdir() if file not in wanted]
    for file in left_over:
        file.unlink()
    return sum(file.suffix == SUFFIX for file in left_over)


def _embed_episode(policy: Policy, path: Path,
                   every_s: float) -> tuple[dict[str, np.ndarray], dict]:
    """Return stamps and vectors of an episode's moments, and what it is about."""
    info = read_info(path)
    if other := of_other_robot(info, policy.robot):
        raise EpisodeError(f'{path}: {other}')
    dropped: Counter[str] = Counter()
    moments = read_commanded(path, policy.robot, Sampling(every_s), dropped)
    stamps, views, chunks = [], [], []
    while batch := list(islice(moments, BATCH)):
        stamps += [moment.observation.stamp_ns for moment in batch]
        views.append(embed_views(policy, [moment.observation.images for moment in batch]))
        chunks += [moment.chunk_TJ for moment in batch]
    if not stamps:
        raise EpisodeError(f'{path}: nothing can be observed: {dict(dropped)}')
    z = _with_action(policy, np.concatenate(views), np.stack(chunks))
    return {'stamp': np.array(stamps), **z}, {
        'instruction': info.instruction, 'task': _task(info), 'start_ns': start_of(path)}


def _task(info: EpisodeInfo) -> str:
    return json.dumps(info.task, sort_keys=True) if info.task else ''


@torch.inference_mode()
def embed_views(policy: Policy, views: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return the unit vectors [B, D] of views, each an Observation's images."""
    images = {camera.name: torch.from_numpy(np.stack([view[camera.name] for view in views]))
              .permute(0, 3, 1, 2).to(policy.device) for camera in policy.robot.cameras}
    return policy.embed_images(images).cpu().numpy()


@torch.inference_mode()
def _with_action(policy: Policy, z_image_ND: np.ndarray,
                 chunk_NTJ: np.ndarray) -> dict[str, np.ndarray]:
    z_ND = torch.from_numpy(z_image_ND).to(policy.device)
    z_motion_ND = policy.embed_motion(
        torch.tensor(chunk_NTJ, dtype=torch.float32, device=policy.device))
    fused_ND = policy.fuse('vision_action', z_ND, z_motion_ND)
    return {'vision': z_image_ND, 'action': z_motion_ND.cpu().numpy(),
            'vision_action': fused_ND.cpu().numpy()}
