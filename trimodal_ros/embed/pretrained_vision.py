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
A pretrained ``transformers`` vision model in the place of the convolutional encoder.

Shapes: B batch, H W pixels, L tokens, K channels, h w cells of a feature map, D shared dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from inspect import signature
import json
import math
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedConfig

from .image_processor import from_config, read_preprocessing
from .pixels import Preprocessing
from .pooling import AttentionPool, ProjectionHead
from .pretrained import (
    build,
    config_from,
    EncoderNotFound,
    load,
    plain_config,
    PretrainedEncoder,
    read_config,
)
from .vision import pool_cameras

FIELD = 'vision_encoder'
PROBE_PX = 224


class VisionBackbone(PretrainedEncoder):
    """
    A vision model from RGB uint8 images to feature maps.

    ``name`` is a local folder, a hub name, ``package:NAME`` or a JSON file with a plain
    configuration, which gets random weights. ``described`` is what ``describe`` returned: then a
    trained model needs no folder, its weights are to be loaded after; a frozen one is read from
    it by name.
    """

    def __init__(self, name: str, frozen: bool = False, described: Mapping | None = None,
                 adapter_rank: int = 0):
        config, self_made = _configuration(name, described)
        if self_made and frozen:
            raise ValueError(f'vision_frozen: {FIELD} {name!r} has random weights, which are to '
                             'be trained')
        random = self_made or described is not None and not frozen
        super().__init__(FIELD, (build if random else load)(FIELD, name, config), frozen,
                         adapter_rank)
        if described is not None:
            self.preprocessing = Preprocessing(**described['preprocessing'])
        else:
            self.preprocessing = (from_config(config) if self_made else
                                  read_preprocessing(name, config))
        parameters = signature(self.pretrained.forward).parameters
        self.options = ({'interpolate_pos_encoding': True}
                        if 'interpolate_pos_encoding' in parameters else {})
        self.channels = self._try_out(name)

    def describe(self) -> dict:
        """Return plain data: architecture and pre-processing."""
        return json.loads(json.dumps({'config': plain_config(self.pretrained.config),
                                      'preprocessing': asdict(self.preprocessing)}))

    @torch.no_grad()
    def _try_out(self, name: str) -> int:
        image_BCHW = torch.zeros(1, 3, PROBE_PX, PROBE_PX, dtype=torch.uint8)
        self.pretrained.eval()
        try:
            return self(image_BCHW).shape[1]
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ValueError(f'{FIELD} {name!r}: {type(self.pretrained).__name__} makes no '
                             f'feature map of an RGB image: {error}') from error

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Return a feature map [B, K, h, w] of RGB uint8 images of any size."""
        pixels_BCHW = self.preprocessing(image_BCHW)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.learns):
            seen = self.pretrained(pixels_BCHW, **self.options).last_hidden_state
        return seen if seen.ndim == 4 else self._grid(seen, pixels_BCHW.shape[-2:])

    def _grid(self, token_BLK: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Return patch tokens as a map, without the special tokens, which come first."""
        patch = _patch_size(self.pretrained)
        cells, most_special = [edge // side for edge, side in zip(size, patch)], 2
        if math.prod(cells) > token_BLK.shape[1]:  # it merges patches, and has none but those
            cells, most_special = _merged(cells, token_BLK.shape[1]), 0
        most_special += getattr(self.pretrained.config, 'num_register_tokens', None) or 0
        special = token_BLK.shape[1] - math.prod(cells)
        if not 0 <= special <= most_special:
            raise ValueError(f'{token_BLK.shape[1]} tokens are no grid of {tuple(size)} pixels')
        return token_BLK[:, special:].transpose(1, 2).unflatten(-1, cells)


def _configuration(name: str, described: Mapping | None) -> tuple[PreTrainedConfig, bool]:
    """Return the configuration, and whether it is all there is."""
    if described is not None:
        return config_from(FIELD, name, described['config']), False
    if not name.endswith('.json'):
        return read_config(FIELD, name), False
    if not Path(name).is_file():
        raise EncoderNotFound(f'{FIELD} {name!r}: no such file')
    try:
        plain = json.loads(Path(name).read_text())
    except ValueError as error:
        raise ValueError(f'{FIELD} {name!r}: not JSON: {error}') from error
    return config_from(FIELD, name, plain), True


def _merged(cells: list[int], count: int) -> list[int]:
    while math.prod(cells) > count:
        cells = [side // 2 for side in cells]
    return cells


def _patch_size(model: nn.Module) -> tuple[int, int]:
    timm_patches = getattr(getattr(model, 'timm_model', None), 'patch_embed', None)
    patch = getattr(model.config, 'patch_size', None) or getattr(timm_patches, 'patch_size', None)
    if patch is None:
        raise ValueError('its configuration has no patch_size')
    return (patch, patch) if isinstance(patch, int) else tuple(patch)


class PretrainedVisionEncoder(nn.Module):
    """One backbone for all cameras, narrowed to K channels; pooled together and projected."""

    def __init__(self, backbone: VisionBackbone, cameras: tuple[str, ...], width: int,
                 embed_dim: int):
        super().__init__()
        self.backbone = backbone
        self.narrow = nn.Sequential(nn.Conv2d(backbone.channels, width, 1),
                                    nn.GroupNorm(8, width), nn.ReLU())
        self.pools = nn.ModuleDict({name: AttentionPool(width) for name in cameras})
        self.head = ProjectionHead(len(cameras) * 4 * width, embed_dim)

    def forward(self, images: Mapping[str, torch.Tensor],
                ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return ``features``, and what ``project`` makes of them."""
        maps = self.features(images)
        return maps, self.project(maps)

    def features(self, images: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a feature map [B, K, h, w] a camera from RGB uint8 images [B, 3, H, W]."""
        return {name: self.narrow(self.backbone(images[name])) for name in self.pools}

    def project(self, maps: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the image's unit vectors [B, D]."""
        return self.head(pool_cameras(self.pools, maps))
