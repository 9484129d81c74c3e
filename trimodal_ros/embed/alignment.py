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
Contrastive losses over two modalities: what lies together in the shared space, and what apart.

Shapes: B rows (this process's samples), M columns (all processes' samples, and remembered ones),
D shared dimension, N values of a flattened chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math

import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

INITIAL_SCALE, MAX_SCALE = 1 / 0.07, 100.0       # CLIP (Radford 2021), section 2.5
SIGMOID_SCALE, SIGMOID_BIAS = 10.0, -10.0        # SigLIP (Zhai 2023), section 3.2
BLOCK_ROWS = 512  # of a similarity matrix held at once: memory is linear in the batch


class LogitScale(nn.Module):
    """The learned inverse temperature, capped at 100, and a learned bias for the sigmoid loss."""

    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE)))
        self.bias = nn.Parameter(torch.tensor(0.0))

    @torch.no_grad()
    def start_at(self, scale: float, bias: float) -> None:
        self.log_scale.fill_(math.log(scale))
        self.bias.fill_(bias)

    def forward(self) -> torch.Tensor:
        return self.log_scale.clamp(max=math.log(MAX_SCALE)).exp()


@dataclass(frozen=True)
class Samples:
    """
    What tells samples apart: those of one ``label_B`` are positives of each other.

    Where ``motion_BN`` is given, samples whose motions differ by less than ``tolerance`` on
    average (in network units) are no negatives of each other either.
    """

    label_B: torch.Tensor
    motion_BN: torch.Tensor | None = None
    tolerance: float = 0.0

    def __getitem__(self, rows: slice) -> Samples:
        motion_BN = None if self.motion_BN is None else self.motion_BN[rows]
        return Samples(self.label_B[rows], motion_BN, self.tolerance)

    def with_more(self, others: Samples) -> Samples:
        """Return these samples with others after them."""
        motion_BN = self.motion_BN
        if motion_BN is not None:
            motion_BN = torch.cat([motion_BN, others.motion_BN])
        return Samples(torch.cat([self.label_B, others.label_B]), motion_BN, self.tolerance)

    def match(self, columns: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """Return which columns are positives [B, M] and which stay out of the sums [B, M]."""
        positive_BM = self.label_B[:, None] == columns.label_B[None]
        if self.motion_BN is None:
            return positive_BM, torch.zeros_like(positive_BM)
        distance_BM = torch.cdist(self.motion_BN, columns.motion_BN, p=1)
        near_BM = distance_BM / self.motion_BN.shape[1] < self.tolerance
        return positive_BM, near_BM & ~positive_BM


@dataclass(frozen=True)
class View:
    """Vectors [B, D] of one modality, or of two taken as one, with their samples."""

    vectors: tuple[torch.Tensor, ...]
    samples: Samples

    def __getitem__(self, rows: slice) -> View:
        return View(tuple(z_BD[rows] for z_BD in self.vectors), self.samples[rows])

    def with_more(self, vectors: tuple[torch.Tensor, ...], samples: Samples) -> View:
        """Return this view with further columns after its own."""
        return View(tuple(torch.cat(both) for both in zip(self.vectors, vectors)),
                    self.samples.with_more(samples))


@dataclass(frozen=True)
class Side:
    """One side of a contrast: this process's samples, and all that they are contrasted with."""

    here: View
    everywhere: View

    @classmethod
    def of(cls, samples: Samples, *vectors: torch.Tensor) -> Side:
        """Return the side of a batch that is all in this process."""
        view = View(vectors, samples)
        return cls(view, view)


Score = Callable[[View, View], torch.Tensor]  # rows [B], columns [M] -> [B, M]


def contrast(score: Score, rows: View, columns: View) -> torch.Tensor:
    """
    Return the mean over rows i of -mean_{j in P(i)} log softmax_j score_ij.

    P(i) are a row's positives (SupCon, Khosla 2020, eq. 2); columns that stay out are left out
    of the softmax. A row without a positive adds nothing. The score matrix is made and remade
    in blocks of rows, so that memory grows with the columns and not with rows times columns.
    """
    return _by_blocks(_cross_entropy, score, rows, columns)


def _by_blocks(loss, score: Score, rows: View, columns: View) -> torch.Tensor:
    count = len(rows.samples.label_B)
    if count <= BLOCK_ROWS:
        return loss(score, rows, columns) / count
    blocks = [rows[start:start + BLOCK_ROWS] for start in range(0, count, BLOCK_ROWS)]
    return sum(checkpoint(loss, score, block, columns, use_reentrant=False)
               for block in blocks) / count


def _cross_entropy(score: Score, rows: View, columns: View) -> torch.Tensor:
    positive_BM, out_BM = rows.samples.match(columns.samples)
    logit_BM = score(rows, columns).masked_fill(out_BM, float('-inf'))
    log_p_BM = logit_BM.log_softmax(dim=1).masked_fill(~positive_BM, 0.0)
    return -(log_p_BM.sum(dim=1) / positive_BM.sum(dim=1).clamp(min=1)).sum()


def both_ways(score: Score, x: Side, y: Side) -> torch.Tensor:
    """Return half the contrast of x's rows with y's columns and half of y's rows with x's."""
    def back(rows, columns):
        return score(columns, rows).T
    return 0.5 * (contrast(score, x.here, y.everywhere) + contrast(back, y.here, x.everywhere))


def cosines(rows: View, columns: View) -> torch.Tensor:
    """Return the cosines [B, M] of unit vectors. Raises ValueError for two spaces' vectors."""
    x_BD, y_MD = rows.vectors[0], columns.vectors[0]
    if x_BD.shape[1] != y_MD.shape[1]:
        raise ValueError(f'vectors of {x_BD.shape[1]} and {y_MD.shape[1]} dimensions are not of '
                         'one space')
    return x_BD @ y_MD.T


def info_nce(x: Side, y: Side, scale: torch.Tensor) -> torch.Tensor:
    """
    Return the symmetric InfoNCE loss: ``contrast`` of scale * x . y, both ways.

    van den Oord 2018, eq. 4, in the symmetric form of CLIP (Radford 2021, figure 3).
    """
    def score(rows, columns):
        return scale * cosines(rows, columns)
    return both_ways(score, x, y)


def sigmoid_loss(x: Side, y: Side, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """
    Return the sigmoid loss, mean_i sum_j softplus(-z_ij (scale * x_i . y_j + bias)).

    z is +1 for positives and -1 else; pairs that stay out are left out of the sum. SigLIP
    (Zhai 2023), eq. 1: a sum over columns, so the loss doesn't fade as the batch grows.
    """
    def score(rows, columns):
        return scale * cosines(rows, columns) + bias
    return _by_blocks(_pair_by_pair, score, x.here, y.everywhere)


def _pair_by_pair(score: Score, rows: View, columns: View) -> torch.Tensor:
    positive_BM, out_BM = rows.samples.match(columns.samples)
    logit_BM = score(rows, columns)
    loss_BM = F.softplus(torch.where(positive_BM, -logit_BM, logit_BM))
    return loss_BM.masked_fill(out_BM, 0.0).sum()
