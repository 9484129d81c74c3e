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
A chunk of joint positions as one unit vector in the shared space, and back.

Shapes: B batch, T steps, I inputs a step, K width, D shared dimension.
"""

from __future__ import annotations

import torch
from torch import nn

from .pooling import AttentionPool, ProjectionHead


class MotionEncoder(nn.Module):
    """The action encoder: a small transformer over the steps, attention pooling, projection."""

    def __init__(self, inputs: int, horizon: int, embed_dim: int, width: int = 96,
                 layers: int = 2):
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.position_TK = nn.Parameter(torch.randn(horizon, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True,
                                           norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pool = AttentionPool(width)
        self.head = ProjectionHead(4 * width, embed_dim)

    def forward(self, motion_BTI: torch.Tensor,
                mask_BT: torch.Tensor | None = None) -> torch.Tensor:
        """
        Return the chunks' unit vectors [B, D]; ``mask_BT`` is True where a step counts.

        Raises ValueError for a chunk longer than the horizon, or one without a step.
        """
        steps = motion_BTI.shape[1]
        if steps > len(self.position_TK):
            raise ValueError(f'a chunk of {steps} steps; the encoder was made for at most '
                             f'{len(self.position_TK)}')
        if mask_BT is not None and not mask_BT.any(dim=1).all():
            raise ValueError('mask_BT: a chunk without a step that counts')
        token_BTK = self.embed(motion_BTI) + self.position_TK[:steps]
        ignored_BT = None if mask_BT is None else ~mask_BT
        return self.head(self.pool(self.layers(token_BTK, src_key_padding_mask=ignored_BT),
                                   mask_BT))


class MotionDecoder(nn.Module):
    """From unit vectors back to chunks: what keeps the motion in its embedding."""

    def __init__(self, inputs: int, horizon: int, embed_dim: int, hidden: int = 256):
        super().__init__()
        self.shape_TI = (horizon, inputs)
        self.layers = nn.Sequential(nn.Linear(embed_dim, hidden), nn.ReLU(),
                                    nn.Linear(hidden, hidden), nn.ReLU(),
                                    nn.Linear(hidden, horizon * inputs))

    def forward(self, z_BD: torch.Tensor) -> torch.Tensor:
        """Return chunks [B, T, I] as the encoder took them."""
        return self.layers(z_BD * z_BD.shape[-1] ** 0.5).unflatten(-1, self.shape_TI)
