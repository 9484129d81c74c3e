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
Joint values as the network sees them.

Arm joints of a chunk are changes from the last command, scaled by their 99 % quantile; the
gripper is absolute, scaled to its 1-99 % range. Nothing is clipped. Statistics travel in the
checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

LAG_GAIN = 10.0  # brings command minus measured (a few hundredths of a rad) to order one
WHOLE_PERCENT = 100.0  # of a joint in percent, the lag is a share of its range


@dataclass(frozen=True)
class JointStatistics:
    """Per joint, in rad: offset and scale of the state and of chunk values."""

    state_offset: tuple[float, ...]
    state_scale: tuple[float, ...]
    chunk_offset: tuple[float, ...]
    chunk_scale: tuple[float, ...]

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping) -> JointStatistics:
        return cls(**{key: tuple(value) for key, value in data.items()})

    @classmethod
    def fit(cls, command_NJ: np.ndarray, chunk_NTJ: np.ndarray,
            is_gripper_J: np.ndarray) -> JointStatistics:
        """Measure commands [N, J] and the chunks [N, T, J] that follow them."""
        low_J, high_J = np.quantile(command_NJ, (0.01, 0.99), axis=0)
        change_NTJ = np.abs(chunk_NTJ - command_NJ[:, None])
        scale_J = np.quantile(change_NTJ, 0.99, axis=(0, 1))
        middle_J, half_J = (low_J + high_J) / 2, np.maximum((high_J - low_J) / 2, 1e-3)
        return cls(
            state_offset=tuple(middle_J.tolist()), state_scale=tuple(half_J.tolist()),
            chunk_offset=tuple(np.where(is_gripper_J, middle_J, 0.0).tolist()),
            chunk_scale=tuple(np.where(is_gripper_J, half_J,
                                       np.maximum(scale_J, 1e-3)).tolist()))


class JointNormalizer(nn.Module):
    """Between rad and network units, differentiable and on the model's device."""

    def __init__(self, statistics: JointStatistics, is_gripper_J: np.ndarray,
                 is_percent_J: np.ndarray):
        super().__init__()
        for name, value in statistics.to_dict().items():
            self.register_buffer(name, torch.tensor(value), persistent=False)
        relative_J = torch.tensor(~is_gripper_J, dtype=torch.float32)
        self.register_buffer('relative_J', relative_J, persistent=False)
        gain_J = np.where(is_percent_J, LAG_GAIN / WHOLE_PERCENT, LAG_GAIN)
        self.register_buffer('lag_gain_J', torch.tensor(gain_J, dtype=torch.float32),
                             persistent=False)

    def state(self, position_BJ: torch.Tensor, command_BJ: torch.Tensor) -> torch.Tensor:
        """Return [B, 2 J]: the scaled command and how far the arm lags behind it."""
        return torch.cat([(command_BJ - self.state_offset) / self.state_scale,
                          self.lag_gain_J * (command_BJ - position_BJ)], dim=-1)

    def chunk(self, chunk_BTJ: torch.Tensor, command_BJ: torch.Tensor) -> torch.Tensor:
        """Return positions (rad) in network units."""
        origin_BJ = self.chunk_offset + self.relative_J * command_BJ
        return (chunk_BTJ - origin_BJ[:, None]) / self.chunk_scale

    def motion(self, chunk_BTJ: torch.Tensor) -> torch.Tensor:
        """Return [B, T, 2 J], what is said of a motion: where (rad, scaled) and how it moves."""
        where_BTJ = (chunk_BTJ - self.state_offset) / self.state_scale
        change_BTJ = (chunk_BTJ - chunk_BTJ[:, :1]) / self.chunk_scale
        return torch.cat([where_BTJ, change_BTJ], dim=-1)

    def chunk_to_rad(self, unit_BTJ: torch.Tensor, command_BJ: torch.Tensor) -> torch.Tensor:
        """Undo ``chunk``."""
        origin_BJ = self.chunk_offset + self.relative_J * command_BJ
        return unit_BTJ * self.chunk_scale + origin_BJ[:, None]
