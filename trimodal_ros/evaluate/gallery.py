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

Shapes: N moments, D shared dimension, T steps, J joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..plan.policy import Policy
from ..progress import progress_bar
from ..train.batches import Batch, collect
from ..train.cache import Frames, open_frames
from ..train.objective import embed

BATCH = 64


@dataclass(frozen=True, eq=False)
class Gallery:
    """
    Embedded moments, what they were told and when in their episode they were.

    ``z`` has unit vectors [N, D] of 'vision', 'language', 'action' and of each two of them
    fused: 'vision_language', 'vision_action', 'language_action'.
    """

    z: dict[str, np.ndarray]
    group_N: np.ndarray        # equal for all that are told to do the same
    progress_N: np.ndarray     # 0 at the start of the episode, towards 1 at its end
    episodes: int
    told: list[str]            # of each group: its instruction
    motion_NX: np.ndarray      # chunks as the action encoder takes them, flat
    predicted_NTJ: np.ndarray  # rad
    target_NTJ: np.ndarray     # rad


def embed_episodes(policy: Policy, roots: list[Path], size: int, label_topic: str, workers: int,
                   seed: int = 0) -> Gallery:
    """Return ``size`` moments of the episodes under ``roots``, or all if there are fewer."""
    frames = open_frames(roots, policy.robot, label_topic, workers)
    index_N = choose_moments(frames.episode_N, size, seed)
    parts = [_embed(policy, collect(frames, chunk_N, _words(frames, seed, chunk_N)))
             for chunk_N in progress_bar(np.split(index_N, range(BATCH, len(index_N), BATCH)),
                                         desc='moments', unit='batch')]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    group = frames.group
    episode_N = frames.episode_N[index_N]
    first, length = np.unique(frames.episode_N, return_index=True, return_counts=True)[1:]
    return Gallery(
        z={name: joined.pop(name) for name in list(joined) if '_N' not in name},
        group_N=group[episode_N], progress_N=(index_N - first[episode_N]) / length[episode_N],
        episodes=len(np.unique(episode_N)), told=_told(frames, group), **joined)


def choose_moments(episode_M: np.ndarray, size: int, seed: int) -> np.ndarray:
    """
    Draw moments, as many from each episode as from another (or one more), in order.

    >>> choose_moments(np.array([0, 0, 0, 0, 1, 1, 1]), 4, seed=0).tolist()
    [2, 3, 4, 5]
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(episode_M))
    turn = np.empty(len(order), int)  # how many of its episode were drawn before
    for episode in np.unique(episode_M):
        mine = order[episode_M[order] == episode]
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn[order], kind='stable')][:size])


def _words(frames: Frames, seed: int, index_N: np.ndarray) -> np.ndarray:
    """Return numbers in [0, 1) that choose each moment's wording, by moment and seed."""
    return np.stack([np.random.default_rng([seed, index]).random(2) for index in index_N], 1)


def _told(frames: Frames, group: np.ndarray) -> list[str]:
    first = np.unique(group, return_index=True)[1]
    infos = [frames.infos[episode] for episode in first]
    return [', '.join(info.task.values()) if info.task else info.instruction for info in infos]


@torch.inference_mode()
def _embed(policy: Policy, batch: Batch) -> dict[str, np.ndarray]:
    embedded = embed(policy, batch)
    plan, z_motion_BD = embedded.plan, embedded.z_motion_BD
    predicted_BTJ = policy.normalizer.chunk_to_rad(
        plan.chunk_BTJ, batch.command_BJ.to(policy.device))
    made = {
        'vision': plan.z_image_BD, 'language': plan.z_text_BD, 'action': z_motion_BD,
        'vision_language': plan.z_fused_BD,
        'vision_action': policy.fuse('vision_action', plan.z_image_BD, z_motion_BD),
        'language_action': policy.fuse('language_action', plan.z_text_BD, z_motion_BD),
        'motion_NX': embedded.motion_BTI.flatten(1), 'predicted_NTJ': predicted_BTJ,
        'target_NTJ': batch.chunk_BTJ}
    return {name: value.cpu().numpy() for name, value in made.items()}
