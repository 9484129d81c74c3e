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
A decoder that samples: flow matching from noise to a chunk (Lipman 2023; for actions, pi0 2024).

On the way from a chunk a at t = 0 to noise e at t = 1, x_t = t e + (1 - t) a, the velocity is
u = e - a. It is learned from x_t, t and the context by the mean squared error; a chunk is sampled
by going back from noise in a few Euler steps. The network's output is the chunk, and (x_t - a) / t
the velocity (Li & He 2025): the scene nearly tells the chunk, and nothing tells the noise.
Shapes: B batch, N values of a flat chunk, F context, K width.
"""

from __future__ import annotations

import math

import torch
from torch import nn
import torch.nn.functional as F

from .decoder import Decoder, HIDDEN
from .proposal import draw_noise

EULER_STEPS = 10
WIDTH = 256
LAYERS = 3
FREQUENCIES = 16
HIGHEST_FREQUENCY = 100.0  # rad a unit of t


class FlowLayer(nn.Module):
    """A residual layer whose input is normalised, scaled and shifted by scene and time."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = nn.Linear(width, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x_BK: torch.Tensor, condition_BK: torch.Tensor) -> torch.Tensor:
        gain_BK, shift_BK = self.film(condition_BK).chunk(2, dim=-1)
        return x_BK + self.layers(self.norm(x_BK) * (1 + gain_BK) + shift_BK)


class Denoiser(nn.Module):
    """A noisy chunk without its noise, given what is seen, said and felt (as MAR, Li 2024)."""

    def __init__(self, context: int, values: int):
        super().__init__()
        self.scene = nn.Sequential(nn.Linear(context, HIDDEN), nn.ReLU(),
                                   nn.Linear(HIDDEN, WIDTH))
        self.time = nn.Linear(2 * FREQUENCIES, WIDTH)
        self.enter = nn.Linear(values, WIDTH)
        self.layers = nn.ModuleList(FlowLayer(WIDTH) for _ in range(LAYERS))
        self.leave = nn.Linear(WIDTH, values)

    def forward(self, x_BN: torch.Tensor, t_B: torch.Tensor,
                scene_BK: torch.Tensor) -> torch.Tensor:
        """Return the chunk [B, N]; ``scene_BK`` is what ``scene`` makes of the context."""
        condition_BK = F.silu(scene_BK + self.time(waves(t_B)))
        x_BK = self.enter(x_BN)
        for layer in self.layers:
            x_BK = layer(x_BK, condition_BK)
        return self.leave(x_BK)


def waves(t_B: torch.Tensor) -> torch.Tensor:
    """
    Return times in [0, 1] as sines and cosines of rising frequency (Vaswani 2017, 3.5).

    >>> waves(torch.tensor([0.0])).sum().item() == FREQUENCIES
    True
    """
    frequency_W = torch.exp(torch.linspace(0, math.log(HIGHEST_FREQUENCY), FREQUENCIES,
                                           device=t_B.device))
    angle_BW = t_B[:, None] * frequency_W
    return torch.cat([angle_BW.sin(), angle_BW.cos()], dim=-1)


def draw_times(like_B: torch.Tensor) -> torch.Tensor:
    """
    Return times in [1 / EULER_STEPS, 1] of a density that grows as t^2.

    Mostly noise, as for pi0: there the scene has to be looked at, and near the chunk it is read
    off. The square makes the error of the chunk, 1 / t^2 in the velocity's, count alike at all t.
    """
    lowest = EULER_STEPS ** -3  # of t^3, which is uniform; no step is made below
    return torch.empty_like(like_B).uniform_(lowest, 1) ** (1 / 3)


class FlowDecoder(Decoder):
    """Samples chunks: where several motions are right, each sample is one of them."""

    samples = True

    def _make_head(self, context: int, values: int) -> nn.Module:
        return Denoiser(context, values)

    def decode(self, context_BF: torch.Tensor,
               noise_BTJ: torch.Tensor | None = None) -> torch.Tensor:
        if noise_BTJ is None:
            noise_BTJ = torch.from_numpy(draw_noise(len(context_BF), self.shape_TJ, seed=0))
        x_BN = noise_BTJ.flatten(1).to(context_BF.device)
        scene_BK = self.head.scene(context_BF)
        for step in range(EULER_STEPS):
            t_B = x_BN.new_full(x_BN.shape[:1], 1 - step / EULER_STEPS)
            x_BN = x_BN - self._velocity(x_BN, t_B, scene_BK) / EULER_STEPS
        return x_BN.unflatten(-1, self.shape_TJ)

    def loss(self, context_BF: torch.Tensor, target_BTJ: torch.Tensor) -> torch.Tensor:
        target_BN = target_BTJ.flatten(1)
        noise_BN, t_B = torch.randn_like(target_BN), draw_times(target_BN[:, 0])
        x_BN = torch.lerp(target_BN, noise_BN, t_B[:, None])
        velocity_BN = self._velocity(x_BN, t_B, self.head.scene(context_BF))
        return F.mse_loss(velocity_BN, noise_BN - target_BN)

    def _velocity(self, x_BN: torch.Tensor, t_B: torch.Tensor,
                  scene_BK: torch.Tensor) -> torch.Tensor:
        return (x_BN - self.head(x_BN, t_B, scene_BK).float()) / t_B[:, None]
