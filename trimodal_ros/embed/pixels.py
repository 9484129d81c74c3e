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
From camera pixels to what a pretrained vision encoder takes, on the pixels' own device.

The same pixel values as the model's own image processor makes with Pillow, to the bit.
Shapes: B batch, C = RGB, H W pixels, M old pixels of a line, N new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import math
from typing import Literal

import torch

BITS = 1 << 22  # Pillow's weights are whole multiples of 1 / BITS
Kernel = Literal['bilinear', 'bicubic']


@dataclass(frozen=True)
class Preprocessing:
    """
    Resize, crop from the middle, then (scale * pixel - mean) / std; sizes are (height, width).

    ``shortest_edge`` keeps the aspect ratio, ``resize`` doesn't; neither: the size stays. Half a
    pixel of margin is left out where the image is cropped, as transformers does it, or rounded to
    even, as torchvision's center_crop does (``round_margin``).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    shortest_edge: int | None = None
    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    kernel: Kernel = 'bicubic'
    round_margin: bool = False

    def __call__(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Return float32 from RGB uint8. Raises ValueError for an image too small to crop."""
        size = self.resize
        if self.shortest_edge:
            short = min(image_BCHW.shape[-2:])
            size = tuple(int(self.shortest_edge * edge / short) for edge in image_BCHW.shape[-2:])
        image_BCHW = image_BCHW.to(torch.float32)
        if size:
            image_BCHW = resize(image_BCHW, size, self.kernel)
        if self.crop:
            image_BCHW = crop_middle(image_BCHW, self.crop, self.round_margin)
        mean_C11, std_C11 = (torch.tensor(value, device=image_BCHW.device)[:, None, None]
                             for value in (self.mean, self.std))
        return (image_BCHW * self.scale - mean_C11) / std_C11


def resize(image_BCHW: torch.Tensor, size: tuple[int, int], kernel: Kernel) -> torch.Tensor:
    """Return whole pixel values resized as Pillow does it: one axis, rounded, and the other."""
    height, width = size
    old_height, old_width = image_BCHW.shape[-2:]
    image_BCHW = image_BCHW.double()
    vertical_first = old_height - height > max(0, 2 * (old_width - width))  # since Pillow 13
    for vertical in (vertical_first, not vertical_first):
        if vertical:
            image_BCHW = weights_NM(old_height, height, kernel).to(image_BCHW.device) @ image_BCHW
        else:
            image_BCHW = image_BCHW @ weights_NM(old_width, width, kernel).to(image_BCHW.device).T
        image_BCHW = (image_BCHW + 0.5).floor().clamp(0, 255)
    return image_BCHW.float()


@lru_cache(maxsize=32)
def weights_NM(old: int, new: int, kernel: Kernel) -> torch.Tensor:
    """
    Return the weight of each of M old pixels in each of N new ones, float64, to 22 bits.

    The filter is as wide as the step where it shrinks: no aliasing.
    """
    step = old / new
    centre_N = (torch.arange(new, dtype=torch.float64) + 0.5) * step
    pixel_M = torch.arange(old, dtype=torch.float64) + 0.5
    distance_NM = ((pixel_M - centre_N[:, None]) / max(step, 1.0)).abs()
    weight_NM = KERNELS[kernel](distance_NM)
    weight_NM = weight_NM / weight_NM.sum(dim=1, keepdim=True) * BITS
    return (weight_NM + 0.5 * weight_NM.sign()).trunc() / BITS


def bilinear(x: torch.Tensor) -> torch.Tensor:
    return (1 - x).clamp(min=0)


def bicubic(x: torch.Tensor) -> torch.Tensor:
    """Return the cubic convolution kernel (Keys 1981) with a = -1/2."""
    near, far = (1.5 * x - 2.5) * x ** 2 + 1, -0.5 * (((x - 5) * x + 8) * x - 4)
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


KERNELS = {'bilinear': bilinear, 'bicubic': bicubic}


def crop_middle(image_BCHW: torch.Tensor, size: tuple[int, int],
                round_margin: bool = False) -> torch.Tensor:
    whole = round if round_margin else math.floor
    top, left = (whole((have - want) / 2) for have, want in zip(image_BCHW.shape[-2:], size))
    if min(top, left) < 0:
        raise ValueError(f'vision_encoder: crop_size {size} is larger than the image, '
                         f'{tuple(image_BCHW.shape[-2:])}')
    return image_BCHW[..., top:top + size[0], left:left + size[1]]
