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
A chunk of joint positions as one unit vector in the shared space: the action encoder.

Shapes: B batch, T steps, J joints, K width, D shared dimension.
"""

from __future__ import annotations

import torch
from torch import nn

from .pooling import AttentionPool, ProjectionHead


class MotionEncoder(nn.Module):
    """A small transformer over the steps of a normalised chunk, with attention pooling."""

    def __init__(self, joints: int, horizon: int, embed_dim: int, width: int = 96,
                 layers: int = 2):
        super().__init__()
        self.embed = nn.Linear(joints, width)
        self.position_TK = nn.Parameter(torch.randn(horizon, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True,
                                           norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pool = AttentionPool(width)
        self.head = ProjectionHead(4 * width, embed_dim)

    def forward(self, chunk_BTJ: torch.Tensor) -> torch.Tensor:
        """Return the chunks' unit vectors [B, D]."""
        token_BTK = self.layers(self.embed(chunk_BTJ) + self.position_TK)
        return self.head(self.pool(token_BTK))
