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
Similarity in the shared space, and the contrastive loss that shapes it.

Shapes: B batch, D shared dimension, T steps, J joints.
"""

from __future__ import annotations

import math

import torch
from torch import nn

INITIAL_SCALE = 1 / 0.07
MAX_SCALE = 100.0


class LogitScale(nn.Module):
    """The learned inverse temperature, from 1 / 0.07 and capped at 100 (CLIP, 2021)."""

    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE)))

    def forward(self) -> torch.Tensor:
        return self.log_scale.clamp(max=math.log(MAX_SCALE)).exp()


def info_nce(x_BD: torch.Tensor, y_BD: torch.Tensor, scale: torch.Tensor,
             positive_BB: torch.Tensor, ignored_BB: torch.Tensor | None = None) -> torch.Tensor:
    """
    Return the symmetric InfoNCE loss of unit vectors, with several positives a row.

    For S = scale * x y^T it is half of CE(S, P) + CE(S^T, P^T), P uniform over a row's
    positives (van den Oord 2018 and CLIP; several positives as in SupCon, Khosla 2020, eq. 2).
    Pairs that are ``ignored`` and not positive stay out of the sums. The diagonal must be
    positive.
    """
    logit_BB = scale * x_BD @ y_BD.T
    if ignored_BB is not None:
        logit_BB = logit_BB.masked_fill(ignored_BB & ~positive_BB, float('-inf'))
    return 0.5 * (_cross_entropy(logit_BB, positive_BB)
                  + _cross_entropy(logit_BB.T, positive_BB.T))


def _cross_entropy(logit_BB: torch.Tensor, positive_BB: torch.Tensor) -> torch.Tensor:
    log_p_BB = logit_BB.log_softmax(dim=1).masked_fill(~positive_BB, 0.0)
    return -(log_p_BB.sum(dim=1) / positive_BB.sum(dim=1)).mean()


def same_group(group_B: torch.Tensor) -> torch.Tensor:
    """Return [B, B], True where two samples are told to do the same."""
    return group_B[:, None] == group_B[None, :]


def near_duplicates(chunk_BTJ: torch.Tensor, tolerance: float) -> torch.Tensor:
    """Return [B, B], True where two chunks differ by less than ``tolerance`` on average."""
    flat_BN = chunk_BTJ.flatten(1)
    return torch.cdist(flat_BN, flat_BN, p=1) / flat_BN.shape[1] < tolerance
