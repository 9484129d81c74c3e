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
Camera images as feature maps, and as one unit vector in the shared space.

Shapes: B batch, H W pixels, K channels, h w cells of a feature map, D shared dimension.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from .pooling import AttentionPool, ProjectionHead

MEAN, STD = 0.5, 0.25  # of pixel values in [0, 1], near those of the training images


class CameraTower(nn.Module):
    """Three strided convolutions: [B, 3, H, W] to [B, K, H / 8, W / 8]."""

    def __init__(self, width: int):
        super().__init__()
        channels = (3, width // 4, width // 2, width)
        layers = []
        for index, kernel in enumerate((5, 3, 3)):
            layers += [nn.Conv2d(channels[index], channels[index + 1], kernel, 2, kernel // 2),
                       nn.GroupNorm(8, channels[index + 1]), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return self.layers(image_BCHW)


class VisionEncoder(nn.Module):
    """One tower a camera, trained from scratch; pooled together and projected."""

    def __init__(self, cameras: tuple[str, ...], width: int, embed_dim: int):
        super().__init__()
        self.towers = nn.ModuleDict({name: CameraTower(width) for name in cameras})
        self.pools = nn.ModuleDict({name: AttentionPool(width) for name in cameras})
        self.head = ProjectionHead(len(cameras) * 4 * width, embed_dim)

    def forward(self, images: Mapping[str, torch.Tensor],
                ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return ``features``, and what ``project`` makes of them."""
        maps = self.features(images)
        return maps, self.project(maps)

    def features(self, images: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a feature map [B, K, h, w] a camera from RGB uint8 images [B, 3, H, W]."""
        return {name: tower(scale_pixels(images[name])) for name, tower in self.towers.items()}

    def project(self, maps: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the image's unit vectors [B, D]."""
        return self.head(pool_cameras(self.pools, maps))


def pool_cameras(pools: Mapping[str, AttentionPool],
                 maps: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the feature maps of all cameras, each pooled by its own, as one vector."""
    return torch.cat([pool(maps[name].flatten(2).transpose(1, 2))
                      for name, pool in pools.items()], dim=-1)


def scale_pixels(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Return uint8 pixels as float32 with about zero mean and unit deviation, channels last."""
    image_BCHW = image_BCHW.to(torch.float32, memory_format=torch.channels_last)
    return (image_BCHW / 255.0 - MEAN) / STD
