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
Decoders: aligned vectors and feature maps in, all steps of a chunk out at once.

The sentence steers where each feature map is looked at; the places found, what is there and the
aligned vectors give a vector that lies with the motion's own in the shared space. All of these
and the joints are the context, from which a decoder's head makes the motion.
Shapes: B batch, K channels, h w = N cells, C conditioning, P queries, T steps, J joints,
F width of the context.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from ..embed.pooling import ProjectionHead

QUERIES = 24
KEY = 32
BLOCKS = 2
CONDITION = 128
HIDDEN = 512


class FilmBlock(nn.Module):
    """A bottleneck residual block (He 2016) scaled and shifted by a condition (Perez 2018)."""

    def __init__(self, width: int, condition: int):
        super().__init__()
        inner = width // 2
        self.reduce = nn.Conv2d(width, inner, 1)
        self.norm = nn.GroupNorm(8, inner)
        self.look = nn.Conv2d(inner, inner, 3, padding=1)
        self.film_norm = nn.GroupNorm(8, inner, affine=False)
        self.film = nn.Linear(condition, 2 * inner)
        self.expand = nn.Conv2d(inner, width, 1)

    def forward(self, map_BKhw: torch.Tensor, condition_BC: torch.Tensor) -> torch.Tensor:
        gain_BK, shift_BK = self.film(condition_BC).chunk(2, dim=-1)
        x = torch.relu(self.norm(self.reduce(map_BKhw)))
        x = self.film_norm(self.look(x))
        x = torch.relu(x * (1 + gain_BK[..., None, None]) + shift_BK[..., None, None])
        return torch.relu(map_BKhw + self.expand(x))


class ConditionedKeypoints(nn.Module):
    """
    Where the condition looks, and what is there: P queries over a feature map.

    Each is a spatial softmax (Levine 2016) whose heat map is the dot product of a query made
    from the condition with the map's keys, so that "the red one" is one multiplication away.
    """

    def __init__(self, width: int, condition: int, queries: int = QUERIES, key: int = KEY):
        super().__init__()
        self.queries, self.key = queries, key
        self.query = nn.Linear(condition, queries * key)
        self.keys = nn.Conv2d(width, key, 1)
        self.values = nn.Conv2d(width, key, 1)

    @property
    def features(self) -> int:
        return self.queries * (2 + self.key)

    def forward(self, map_BKhw: torch.Tensor, condition_BC: torch.Tensor) -> torch.Tensor:
        """Return image positions in [-1, 1] and attended values, flat: [B, P (2 + key)]."""
        query_BPK = self.query(condition_BC).unflatten(-1, (self.queries, self.key))
        heat_BPN = query_BPK @ self.keys(map_BKhw).flatten(2) * self.key ** -0.5
        weight_BPN = heat_BPN.float().softmax(-1)
        position_BP2 = weight_BPN @ _grid_N2(map_BKhw)
        value_BPK = weight_BPN @ self.values(map_BKhw).flatten(2).transpose(1, 2)
        return torch.cat([position_BP2, value_BPK], dim=-1).flatten(1)


def _grid_N2(map_BKhw: torch.Tensor) -> torch.Tensor:
    height, width = map_BKhw.shape[-2:]
    y_h = torch.linspace(-1, 1, height, device=map_BKhw.device)
    x_w = torch.linspace(-1, 1, width, device=map_BKhw.device)
    y_hw, x_hw = torch.meshgrid(y_h, x_w, indexing='ij')
    return torch.stack([x_hw.flatten(), y_hw.flatten()], dim=-1)


class Decoder(nn.Module, ABC):
    """From feature maps, aligned vectors and joint state to the context, and on to a chunk."""

    samples = False  # whether other noise gives another chunk

    def __init__(self, cameras: tuple[str, ...], width: int, embed_dim: int, joints: int,
                 horizon: int):
        super().__init__()
        self.shape_TJ = (horizon, joints)
        # The sentence alone steers the gaze: mixed with image and joints it is not learned.
        self.condition = nn.Sequential(nn.Linear(embed_dim, CONDITION), nn.ReLU())
        self.blocks = nn.ModuleDict({name: nn.ModuleList(
            FilmBlock(width, CONDITION) for _ in range(BLOCKS)) for name in cameras})
        self.gaze = nn.ModuleDict(
            {name: ConditionedKeypoints(width, CONDITION) for name in cameras})
        seen = sum(gaze.features for gaze in self.gaze.values()) + 2 * embed_dim
        self.fuse = ProjectionHead(seen, embed_dim)
        self.head = self._make_head(seen + embed_dim + 2 * joints, horizon * joints)

    @abstractmethod
    def _make_head(self, context: int, values: int) -> nn.Module:
        """Return what makes the ``values`` of a flat chunk from a context of that width."""

    @abstractmethod
    def decode(self, context_BF: torch.Tensor,
               noise_BTJ: torch.Tensor | None = None) -> torch.Tensor:
        """
        Return chunks [B, T, J] in network units.

        Where the decoder ``samples`` it begins with the noise, on any device; without one it is
        the same at every call.
        """

    @abstractmethod
    def loss(self, context_BF: torch.Tensor, target_BTJ: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of action generation; targets are in network units."""

    def forward(self, maps: Mapping[str, torch.Tensor], z_image_BD: torch.Tensor,
                z_text_BD: torch.Tensor,
                state_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the context [B, F] and the fused unit vector [B, D]."""
        scale = z_image_BD.shape[-1] ** 0.5  # unit vectors have tiny components
        condition_BC = self.condition(scale * z_text_BD)
        features = [scale * z_image_BD, scale * z_text_BD]
        for name, blocks in self.blocks.items():
            map_BKhw = maps[name]
            for block in blocks:
                map_BKhw = block(map_BKhw, condition_BC)
            features.append(self.gaze[name](map_BKhw, condition_BC))
        seen_BF = torch.cat(features, dim=-1)
        z_fused_BD = self.fuse(seen_BF)
        return torch.cat([seen_BF, scale * z_fused_BD, state_BS], dim=-1), z_fused_BD


class ChunkDecoder(Decoder):
    """One pass, one answer, trained by L1 (as ACT, Zhao 2023, but without its latent style)."""

    def _make_head(self, context: int, values: int) -> nn.Module:
        return nn.Sequential(nn.Linear(context, HIDDEN), nn.ReLU(),
                             nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, values))

    def decode(self, context_BF: torch.Tensor,
               noise_BTJ: torch.Tensor | None = None) -> torch.Tensor:
        return self.head(context_BF).unflatten(-1, self.shape_TJ)

    def loss(self, context_BF: torch.Tensor, target_BTJ: torch.Tensor) -> torch.Tensor:
        return (self.decode(context_BF).float() - target_BTJ).abs().mean()
