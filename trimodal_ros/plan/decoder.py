"""
The chunk decoder: aligned vectors and feature maps in, all steps of a chunk out at once.

The sentence and the joints steer, by FiLM, where each feature map is looked at; the places
found (spatial softmax) and the aligned vectors give the motion.
Shapes: B batch, K channels, h w cells, C conditioning, P keypoints, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

KEYPOINTS = 64
BLOCKS = 3


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


class SpatialSoftmax(nn.Module):
    """Expected image position, in [-1, 1], of each of P heat maps (Levine 2016): [B, 2 P]."""

    def __init__(self, width: int, keypoints: int = KEYPOINTS):
        super().__init__()
        self.heat = nn.Conv2d(width, keypoints, 1)

    def forward(self, map_BKhw: torch.Tensor) -> torch.Tensor:
        heat_BPhw = self.heat(map_BKhw).float()
        height, width = heat_BPhw.shape[-2:]
        weight_BPN = heat_BPhw.flatten(2).softmax(-1)
        y_h = torch.linspace(-1, 1, height, device=heat_BPhw.device)
        x_w = torch.linspace(-1, 1, width, device=heat_BPhw.device)
        y_N, x_N = (grid.flatten() for grid in torch.meshgrid(y_h, x_w, indexing='ij'))
        return torch.cat([weight_BPN @ x_N, weight_BPN @ y_N], dim=-1)


class ChunkDecoder(nn.Module):
    """From feature maps, aligned vectors and joint state to a chunk in network units."""

    def __init__(self, cameras: tuple[str, ...], width: int, embed_dim: int, joints: int,
                 horizon: int, hidden: int = 512):
        super().__init__()
        condition = 256
        self.shape_TJ = (horizon, joints)
        self.condition = nn.Sequential(
            nn.Linear(2 * embed_dim + 2 * joints, condition), nn.ReLU(),
            nn.Linear(condition, condition), nn.ReLU())
        self.blocks = nn.ModuleDict({name: nn.ModuleList(
            FilmBlock(width, condition) for _ in range(BLOCKS)) for name in cameras})
        self.keypoints = nn.ModuleDict({name: SpatialSoftmax(width) for name in cameras})
        self.head = nn.Sequential(
            nn.Linear(condition + 2 * KEYPOINTS * len(cameras), hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, horizon * joints))

    def forward(self, maps: Mapping[str, torch.Tensor], z_image_BD: torch.Tensor,
                z_text_BD: torch.Tensor, state_BS: torch.Tensor) -> torch.Tensor:
        """Return the chunk [B, T, J] in network units."""
        scale = z_image_BD.shape[-1] ** 0.5  # unit vectors have tiny components
        condition_BC = self.condition(torch.cat(
            [scale * z_image_BD, scale * z_text_BD, state_BS], dim=-1))
        features = [condition_BC]
        for name, blocks in self.blocks.items():
            map_BKhw = maps[name]
            for block in blocks:
                map_BKhw = block(map_BKhw, condition_BC)
            features.append(self.keypoints[name](map_BKhw))
        return self.head(torch.cat(features, dim=-1)).unflatten(-1, self.shape_TJ)
