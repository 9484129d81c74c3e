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
A cross-batch memory: motion embeddings of past steps as further negatives (XBM, Wang 2020).

Shapes: M places, D shared dimension, N values of a flattened chunk.
"""

from __future__ import annotations

import torch
from torch import nn

NOBODY = -1  # label of an empty place: of no sample, and of no group


class MotionMemory(nn.Module):
    """The last ``places`` motions: embeddings, their groups, and the chunks themselves."""

    def __init__(self, places: int, embed_dim: int, values: int):
        super().__init__()
        self.register_buffer('z_MD', torch.zeros(places, embed_dim))
        self.register_buffer('group_M', torch.full((places,), NOBODY))
        self.register_buffer('motion_MN', torch.zeros(places, values))
        self.register_buffer('written', torch.zeros((), dtype=torch.long))

    def recall(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return embeddings, groups and flat chunks of the places in use."""
        used = min(int(self.written), len(self.z_MD))
        return self.z_MD[:used], self.group_M[:used], self.motion_MN[:used]

    @torch.no_grad()
    def remember(self, z_BD: torch.Tensor, group_B: torch.Tensor,
                 motion_BN: torch.Tensor) -> None:
        """Write a batch over the oldest places."""
        places = len(self.z_MD)
        if places == 0:
            return
        at_B = (self.written + torch.arange(len(z_BD), device=z_BD.device)) % places
        kept = slice(-places, None)  # of a batch larger than the memory, its end
        self.z_MD[at_B[kept]] = z_BD[kept].detach()
        self.group_M[at_B[kept]] = group_B[kept]
        self.motion_MN[at_B[kept]] = motion_BN[kept]
        self.written += len(z_BD)
