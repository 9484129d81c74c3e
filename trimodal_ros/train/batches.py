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
Batches by step number: the same step of the same seed is the same batch, so resuming is exact.

Every process draws the same batch and takes its share of it.

Shapes: B batch, N frames, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from .cache import Frames

HELD_OUT_EVERY = 40  # of episodes, for validation: split by episode, never by frame
START_FRAMES = 6     # of an episode: several goals are possible, only the sentence tells which
PREFETCH = 2


@dataclass(frozen=True)
class Batch:
    """
    One batch on the CPU: RGB uint8 [B, 3, H, W] a camera.

    Each sample has a sentence, another one that says the same (or the same one, where the
    episode has only one) and a group, equal for all that are told to do the same.
    """

    episodes: list[str]
    images: dict[str, torch.Tensor]
    sentences: list[str]
    paraphrases: list[str]
    group_B: torch.Tensor
    position_BJ: torch.Tensor
    command_BJ: torch.Tensor
    chunk_BTJ: torch.Tensor


class BatchSource:
    """
    Draws at most one window an episode: windows of one episode are nearly the same sample.

    The first ``start_steps`` batches are of the starts of episodes only, where what to do can't
    be told without the sentence: the policy learns to heed it within a few hundred steps, and
    otherwise not in thousands. After that every frame is equally likely.
    """

    def __init__(self, frames: Frames, batch_size: int, seed: int, start_steps: int = 0,
                 rank: int = 0, processes: int = 1, episode_limit: int = 0):
        self.frames, self.seed, self.start_steps = frames, seed, start_steps
        episodes, self.start, self.length = np.unique(
            frames.episode_N, return_index=True, return_counts=True)
        held_out = episodes % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        self.train, self.held_out = episodes[~held_out], episodes[held_out]
        if episode_limit:
            if episode_limit > len(self.train):
                raise ValueError(f'episode_limit {episode_limit}: there are {len(self.train)}')
            spread = np.linspace(0, len(self.train), episode_limit, endpoint=False)
            self.train = self.train[spread.astype(int)]
        self.batch_size = min(batch_size, len(self.train)) // processes * processes
        if self.batch_size < max(2, processes):
            raise ValueError(f'batch_size {batch_size}, {len(self.train)} training episodes, '
                             f'{processes} processes: contrast needs 2 samples, each of another '
                             'episode, and every process 1')
        share = self.batch_size // processes
        self.mine = slice(rank * share, (rank + 1) * share)

    def train_frames(self) -> np.ndarray:
        return np.flatnonzero(np.isin(self.frames.episode_N, self.train))

    def at(self, step: int) -> Batch:
        """Return this process's share of the training batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        weight = self.length[self.train] / self.length[self.train].sum()
        drawn = rng.choice(self.train, self.batch_size, replace=False, p=weight)
        length = self.length[drawn]
        if step < self.start_steps:
            length = np.minimum(length, START_FRAMES)
        index_B = self.start[drawn] + rng.integers(length)
        words_2B = rng.random((2, len(index_B)))
        return collect(self.frames, index_B[self.mine], words_2B[:, self.mine])

    def validation(self, size: int) -> Batch:
        """Return frames spread evenly over the held-out episodes."""
        held_out = np.flatnonzero(np.isin(self.frames.episode_N, self.held_out))
        if len(held_out) == 0:
            held_out = self.train_frames()
        chosen = held_out[np.linspace(0, len(held_out) - 1, min(size, len(held_out))).astype(int)]
        words = np.random.default_rng(self.seed).random((2, len(chosen)))
        return collect(self.frames, chosen, words)

    def prefetched(self, first: int, last: int) -> Iterator[Batch]:
        """Yield the batches of steps first..last-1, read ahead on a thread."""
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.at, step)
                       for step in range(first, min(first + PREFETCH, last))]
            for step in range(first, last):
                batch = waiting.pop(0).result()
                if step + PREFETCH < last:
                    waiting.append(pool.submit(self.at, step + PREFETCH))
                yield batch


def collect(frames: Frames, index_B: np.ndarray, words_2B: np.ndarray) -> Batch:
    """Return some frames; ``words_2B`` in [0, 1) choose sentence and paraphrase."""
    episode_B = frames.episode_N[index_B]
    choices = [frames.sentences(episode) for episode in episode_B]
    said, paraphrased = (
        [sentences[int(word * len(sentences))] for sentences, word in zip(choices, row)]
        for row in words_2B)
    return Batch(
        episodes=[frames.names[episode] for episode in episode_B],
        images={name: torch.from_numpy(array[index_B]).permute(0, 3, 1, 2)
                for name, array in frames.images.items()},
        sentences=said, paraphrases=paraphrased,
        group_B=torch.from_numpy(frames.group[episode_B]),
        position_BJ=torch.from_numpy(frames.position_NJ[index_B]),
        command_BJ=torch.from_numpy(frames.command_NJ[index_B]),
        chunk_BTJ=torch.from_numpy(frames.chunk_NTJ[index_B]))
