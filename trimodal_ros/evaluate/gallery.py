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
Moments of recorded episodes as a policy embeds them: what the space is judged on.

Shapes: N moments, D shared dimension, E episodes, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..plan.policy import Policy
from ..progress import progress_bar
from ..train.batches import Batch, collect
from ..train.cache import Frames, open_frames
from ..train.objective import embed, predict_rad

BATCH = 64
LEAST_MOMENTS = 10  # recall at 10 of fewer says nothing
MODALITIES = ('vision', 'language', 'action')


class GalleryError(ValueError):
    """Episodes, or a space, that there is nothing to report about."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """
    Embedded moments, what they were told and when in their episode they were.

    ``z`` has unit vectors [N, D] of 'vision', 'language', 'action' and of each two of them
    fused: 'vision_language', 'vision_action', 'language_action'. Raises GalleryError where all
    are told the same, or vectors are all equal or not finite.
    """

    z: dict[str, np.ndarray]
    group_N: np.ndarray        # equal for all that are told to do the same
    progress_N: np.ndarray     # 0 at the start of the episode, below 1 at its end
    episodes: int
    told: list[str]            # of each group: its instruction
    motion_NX: np.ndarray      # chunks as the action encoder takes them, flat
    predicted_NTJ: np.ndarray  # rad
    target_NTJ: np.ndarray     # rad

    def __post_init__(self):
        if (self.group_N == self.group_N[0]).all():
            raise GalleryError(f'every moment is told {self.told[self.group_N[0]]!r}: expected '
                               'episodes of at least two instructions')
        for name, z_ND in self.z.items():
            if not np.isfinite(z_ND).all():
                raise GalleryError(f'{name}: vectors with NaN or infinite values')
            if (z_ND == z_ND[0]).all():
                raise GalleryError(f'{name}: all vectors are equal, the space has collapsed')

    @classmethod
    def make_example(cls, told: tuple[str, ...] = ('push', 'lift'), moments: int = 24,
                     joints: int = 3, seed: int = 0) -> Gallery:
        rng = np.random.default_rng(seed)
        group_N = np.arange(moments) % len(told)
        z_ND = {name: rng.normal(size=(moments, 4)) + np.eye(4)[group_N % 4]
                for name in (*MODALITIES, 'vision_language', 'vision_action', 'language_action')}
        predicted_NTJ = rng.normal(size=(moments, 5, joints))
        return cls({name: z / np.linalg.norm(z, axis=1)[:, None] for name, z in z_ND.items()},
                   group_N, np.arange(moments) / moments, moments, list(told),
                   predicted_NTJ.reshape(moments, -1), predicted_NTJ, predicted_NTJ + 0.1)


def embed_episodes(policy: Policy, roots: list[Path], size: int, label_topic: str, workers: int,
                   seed: int = 0) -> Gallery:
    """
    Return ``size`` moments of the episodes under ``roots``, or all if there are fewer.

    Raises GalleryError where episodes can't be read, are of other joints or a few moments only.
    """
    frames = _open(policy, roots, label_topic, workers)
    if min(size, len(frames.episode_N)) < LEAST_MOMENTS:
        raise GalleryError(f'{min(size, len(frames.episode_N))} moments, expected at least '
                           f'{LEAST_MOMENTS}: name more episodes or a larger size')
    index_N = choose_moments(frames.episode_N, size, seed)
    bar = progress_bar(np.split(index_N, range(BATCH, len(index_N), BATCH)), desc='moments',
                       unit='batch')
    z_parts, chunk_parts = zip(*(
        _embed(policy, collect(frames, chunk_N, _words(seed, chunk_N))) for chunk_N in bar))
    episode_N = frames.episode_N[index_N]
    first_E, length_E = np.unique(frames.episode_N, return_index=True, return_counts=True)[1:]
    return Gallery(
        z=_joined(z_parts), group_N=frames.group[episode_N],
        progress_N=(index_N - first_E[episode_N]) / length_E[episode_N],
        episodes=len(np.unique(episode_N)), told=_told(frames), **_joined(chunk_parts))


def _open(policy: Policy, roots: list[Path], label_topic: str, workers: int) -> Frames:
    try:
        frames = open_frames(roots, policy.robot, label_topic, workers)
    except ValueError as error:  # all that episodes and the robot refuse
        raise GalleryError(str(error)) from error
    if frames.unreadable:
        raise GalleryError(f'{len(frames.unreadable)} episodes are unreadable, as '
                           f'{frames.unreadable[0].fault}')
    return frames


def choose_moments(episode_M: np.ndarray, size: int, seed: int) -> np.ndarray:
    """
    Draw moments, as many from each episode as from another (or one more), in order.

    >>> choose_moments(np.array([0, 0, 0, 0, 1, 1, 1]), 4, seed=0).tolist()
    [2, 3, 4, 6]
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(episode_M))
    turn = np.empty(len(order), int)  # how many of its episode were drawn before
    for episode in np.unique(episode_M):
        mine = order[episode_M[order] == episode]
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn[order], kind='stable')][:size])


def _words(seed: int, index_N: np.ndarray) -> np.ndarray:
    """Return numbers [2, N] in [0, 1) that choose each moment's wording, by moment and seed."""
    return np.stack([np.random.default_rng([seed, index]).random(2) for index in index_N], 1)


def _told(frames: Frames) -> list[str]:
    first = np.unique(frames.group, return_index=True)[1]
    infos = [frames.infos[episode] for episode in first]
    return [', '.join(info.task.values()) if info.task else info.instruction for info in infos]


def _joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@torch.inference_mode()
def _embed(policy: Policy, batch: Batch) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return a batch's vectors by name, and its motions, predicted and commanded chunks."""
    embedded = embed(policy, batch)
    scene, z_motion_BD = embedded.scene, embedded.z_motion_BD
    z = {'vision': scene.z_image_BD, 'language': scene.z_text_BD, 'action': z_motion_BD,
         'vision_language': scene.z_fused_BD,
         'vision_action': policy.fuse('vision_action', scene.z_image_BD, z_motion_BD),
         'language_action': policy.fuse('language_action', scene.z_text_BD, z_motion_BD)}
    chunks = {'motion_NX': embedded.motion_BTI.flatten(1),
              'predicted_NTJ': predict_rad(policy, embedded, batch),
              'target_NTJ': batch.chunk_BTJ}
    return tuple({name: value.cpu().numpy() for name, value in made.items()}
                 for made in (z, chunks))
