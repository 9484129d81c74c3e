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


class FrameDraw:
    """Draws episodes by the sum of their frames' weights, and then a frame of each by its own."""

    def __init__(self, episode_N: np.ndarray, weight_N: np.ndarray):
        """Take the episode and the weight of every frame, in order."""
        self.index_M = np.flatnonzero(weight_N > 0)
        self.episodes, self._first_E, self._count_E = np.unique(
            episode_N[self.index_M], return_index=True, return_counts=True)
        self._until_M = np.cumsum(weight_N[self.index_M])
        last_E = self._first_E + self._count_E - 1
        self._before_E = np.concatenate([[0.0], self._until_M])[self._first_E]
        self.weight_E = self._until_M[last_E] - self._before_E

    def of(self, episodes: np.ndarray) -> np.ndarray:
        """Return the places of some episodes in ``episodes``."""
        return np.searchsorted(self.episodes, episodes)

    def frames(self, which_B: np.ndarray, share_B: np.ndarray) -> np.ndarray:
        """Return a frame of each episode, the one at a share in [0, 1) of its weight."""
        wanted_B = self._before_E[which_B] + share_B * self.weight_E[which_B]
        place_B = np.searchsorted(self._until_M, wanted_B, side='right')
        first_B = self._first_E[which_B]  # rounding may point a place beside the episode
        return self.index_M[np.clip(place_B, first_B, first_B + self._count_E[which_B] - 1)]


class BatchSource:
    """
    Draws at most one window an episode: windows of one episode are nearly the same sample.

    The first ``start_steps`` batches are of the starts of episodes only, where what to do can't
    be told without the sentence: the policy learns to heed it within a few hundred steps, and
    otherwise not in thousands. ``weight_N`` says how much a frame counts, without it all count
    the same; as long as an episode has no more than its share of a batch, a frame is as likely
    as it counts.
    """

    def __init__(self, frames: Frames, batch_size: int, seed: int, start_steps: int = 0,
                 rank: int = 0, processes: int = 1, episode_limit: int = 0,
                 weight_N: np.ndarray | None = None):
        self.frames, self.seed, self.start_steps = frames, seed, start_steps
        self.weight_N = np.ones(len(frames.episode_N)) if weight_N is None else weight_N
        self._draw = FrameDraw(frames.episode_N, self.weight_N)
        self._start_draw = FrameDraw(frames.episode_N, _of_starts(frames, self.weight_N))
        episodes = self._draw.episodes
        held_out = episodes % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        self.train, self.held_out = episodes[~held_out], episodes[held_out]
        if len(self.train) < 2:
            raise ValueError(f'{len(self.train)} episode to train on, expected at least 2: the '
                             'samples of a batch are told apart, each of another episode; record '
                             'more, or cut a long one: python -m trimodal_ros.record cut')
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
        counts_N = np.isin(self.frames.episode_N, self.train) & (self.weight_N > 0)
        return np.flatnonzero(counts_N)

    def at(self, step: int) -> Batch:
        """Return this process's share of the training batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        which_E = self._draw.of(self.train)
        weight_E = self._draw.weight_E[which_E]
        which_B = rng.choice(which_E, self.batch_size, replace=False, p=weight_E / weight_E.sum())
        draw = self._start_draw if step < self.start_steps else self._draw
        index_B = draw.frames(which_B, rng.random(len(which_B)))
        words_2B = rng.random((2, len(index_B)))
        return collect(self.frames, index_B[self.mine], words_2B[:, self.mine])

    def validation(self, size: int) -> Batch:
        """Return frames spread evenly over the held-out episodes."""
        held_out = np.flatnonzero(np.isin(self.frames.episode_N, self.held_out)
                                  & (self.weight_N > 0))
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


def describe_validation(source: BatchSource) -> str:
    """Say on what the log's held-out figures are measured."""
    if len(source.held_out):
        return f'held out, for the log: {len(source.held_out)} episodes'
    return (f'none is held out, of fewer than {HELD_OUT_EVERY} episodes: the held-out figures of '
            'the log are of frames that are trained on')


def _of_starts(frames: Frames, weight_N: np.ndarray) -> np.ndarray:
    """Return the weights, 0 but for the first few frames of each episode that count at all."""
    counting_M = np.flatnonzero(weight_N > 0)
    _, first_E, which_M = np.unique(
        frames.episode_N[counting_M], return_index=True, return_inverse=True)
    late_M = np.arange(len(counting_M)) - first_E[which_M] >= START_FRAMES
    starts_N = weight_N.copy()
    starts_N[counting_M[late_M]] = 0.0
    return starts_N


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
