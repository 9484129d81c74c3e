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

"""Attention pooling and the projection heads to the shared space."""

from __future__ import annotations

import torch
from torch import nn
import torch.nn.functional as F


class AttentionPool(nn.Module):
    """Learned queries attend over tokens [B, L, K] and give one vector [B, queries * K]."""

    def __init__(self, width: int, queries: int = 4):
        super().__init__()
        self.query_QK = nn.Parameter(torch.randn(queries, width) * width ** -0.5)
        self.key = nn.Linear(width, width)

    def forward(self, token_BLK: torch.Tensor,
                mask_BL: torch.Tensor | None = None) -> torch.Tensor:
        """Pool; ``mask_BL`` is True where a token counts."""
        score_BQL = self.query_QK @ self.key(token_BLK).transpose(1, 2)
        score_BQL = score_BQL * token_BLK.shape[-1] ** -0.5
        if mask_BL is not None:
            score_BQL = score_BQL.masked_fill(~mask_BL[:, None], float('-inf'))
        return (score_BQL.softmax(-1) @ token_BLK).flatten(1)


class ProjectionHead(nn.Module):
    """Maps a pooled vector to the unit sphere of the shared space."""

    def __init__(self, width: int, embed_dim: int, hidden: int = 256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, embed_dim))

    def forward(self, pooled_BK: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.layers(pooled_BK), dim=-1)
