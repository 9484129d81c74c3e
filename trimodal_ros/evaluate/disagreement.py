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
Episodes whose instruction disagrees with what was done.

Shapes: E episodes, G different instructions, N moments of an episode, D shared dimension.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .index import BATCH, IndexedEpisode
from .space import checked
from ..plan.policy import Policy

UNDECIDED_SHARE = 1 / 3  # of an episode, from its start: what it will be can't be seen yet
SAME_COSINE = 0.9        # of sentences: paraphrases lie above, other tasks far below


@dataclass(frozen=True)
class Agreement:
    """How much closer what was done lies to the own instruction than to the best other one."""

    margin: float
    episode: Path
    seconds: float     # of the last moment, and its stamp
    stamp_ns: int
    instruction: str
    best_other: str

    @property
    def score(self) -> float:
        return self.margin

    @property
    def text(self) -> str:
        return f'{self.instruction}  ->  {self.best_other}'


def told_margins(done_ED: np.ndarray, told_GD: np.ndarray, own_E: np.ndarray,
                 same_GG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return done . own - max_{g not the same as own} done . g, and that other g: [E] each.

    Below 0 another instruction fits what was done better than the one that was given.
    ``same_GG`` is True where two instructions ask for the same. Raises ValueError where
    something was told that nothing differs from.

    >>> done_ED, told_GD = np.array([[0.6, 0.8], [0.8, 0.6]]), np.eye(2)
    >>> margin_E, other_E = told_margins(done_ED, told_GD, np.array([1, 1]), np.eye(2) > 0)
    >>> margin_E.round(2).tolist(), other_E.tolist()
    ([0.2, -0.2], [0, 0])
    """
    done_ED, told_GD = checked(done_ED=done_ED, told_GD=told_GD)
    if same_GG[own_E].all(axis=1).any():
        raise ValueError('same_GG: some episode was told what all others were: there is '
                         'nothing to compare it with')
    score_EG = done_ED @ told_GD.T
    other_EG = np.where(same_GG[own_E], -np.inf, score_EG)
    rows_E, other_E = np.arange(len(done_ED)), other_EG.argmax(axis=1)
    return score_EG[rows_E, own_E] - score_EG[rows_E, other_E], other_E


def same_told(task_G: Sequence[str], told_GD: np.ndarray) -> np.ndarray:
    """
    Return [G, G], True where two instructions ask for the same.

    That is told by their tasks, or where one has none ('') by the cosine of the sentences.

    >>> told_GD = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> same_told(['lift', 'push', ''], told_GD).tolist()
    [[True, False, False], [False, True, False], [False, False, True]]
    >>> same_told(['lift', '', ''], told_GD).tolist()
    [[True, True, False], [True, True, False], [False, False, True]]
    """
    task_G = np.array(task_G)
    both_known_GG = (task_G != '')[:, None] & (task_G != '')
    return np.where(both_known_GG, task_G[:, None] == task_G, told_GD @ told_GD.T > SAME_COSINE)


def decided_mean(z_ND: np.ndarray, undecided_share: float = UNDECIDED_SHARE) -> np.ndarray:
    """
    Return the mean [D] of an episode's moments without the first share of them.

    >>> decided_mean(np.array([[9.0], [1.0], [2.0]])).tolist()
    [1.5]
    """
    return z_ND[int(len(z_ND) * undecided_share):].mean(axis=0)


def agreements(policy: Policy, episodes: Iterable[IndexedEpisode],
               undecided_share: float = UNDECIDED_SHARE) -> list[Agreement]:
    """Return all episodes, the one that disagrees most first."""
    done, told, rows = [], [], []
    for episode in episodes:
        done.append(decided_mean(episode.z['vision_action'], undecided_share))
        told.append((episode.task, episode.instruction))
        rows.append((episode.path, float(episode.seconds_N[-1]), int(episode.stamp_N[-1])))
    distinct = {each: g for g, each in enumerate(dict.fromkeys(told))}
    task_G, words_G = zip(*distinct)
    told_GD = embed_words(policy, words_G)
    margin_E, other_E = told_margins(np.stack(done), told_GD, np.array(
        [distinct[each] for each in told]), same_told(task_G, told_GD))
    return [Agreement(float(margin_E[e]), *rows[e], told[e][1], words_G[other_E[e]])
            for e in np.argsort(margin_E, kind='stable')]


@torch.inference_mode()
def embed_words(policy: Policy, words_G: Sequence[str]) -> np.ndarray:
    """Return the unit vectors [G, D] of sentences."""
    return np.concatenate([
        policy.embed_sentences(list(words_G[first:first + BATCH])).cpu().numpy()
        for first in range(0, len(words_G), BATCH)])
