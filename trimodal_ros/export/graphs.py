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
The two networks of a policy as ONNX: one sees and acts, the other reads a sentence.

Shapes: H W pixels, L tokens, D shared dimension, N candidates, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import logging
import warnings

import torch
from torch import nn

from ..plan.policy import Policy, Scene

OPSET = 18
MOST_BYTES = 2_000_000_000  # protobuf holds 2 GiB in one message
OUTPUTS = ('chunk', 'image_sentence', 'scene_motion')
EXAMPLE_CANDIDATES = 3


class SeeAndAct(nn.Module):
    """All of a plan but the choice among candidates: images [1, H, W, 3] uint8 by camera."""

    def __init__(self, policy: Policy):
        super().__init__()
        self.policy = policy

    def forward(self, images: Mapping[str, torch.Tensor], z_text_1D: torch.Tensor,
                position_1J: torch.Tensor, command_1J: torch.Tensor,
                noise_NTJ: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """Return chunks [N, T, J] in rad, and the cosines [1] and [N] of a ``Proposal``."""
        policy = self.policy
        maps, z_image_1D = policy.vision(
            {name: image.permute(0, 3, 1, 2) for name, image in images.items()})
        scene = policy.relate(maps, z_image_1D, z_text_1D, position_1J, command_1J)
        chunk_NTJ = policy.normalizer.chunk_to_rad(
            self._decode(scene, noise_NTJ), command_1J)
        return (chunk_NTJ, (z_image_1D * z_text_1D).sum(-1),
                policy.embed_motion(chunk_NTJ) @ scene.z_fused_BD[0])

    def _decode(self, scene: Scene, noise_NTJ: torch.Tensor | None) -> torch.Tensor:
        if noise_NTJ is None:
            return self.policy.decoder.decode(scene.context_BF)
        context_NF = scene.context_BF.expand(noise_NTJ.shape[0], -1)
        return self.policy.decoder.decode(context_NF, noise_NTJ)


class Read(nn.Module):
    """From the tokens of a padded sentence [1, L] to its unit vector [1, D]."""

    def __init__(self, policy: Policy, masked: bool):
        super().__init__()
        self.model, self.head, self.masked = policy.sentences.pretrained, policy.language, masked

    def forward(self, id_1L: torch.Tensor,
                mask_1L: torch.Tensor | None = None) -> torch.Tensor:
        """Return the vector; without a mask all tokens count, as the model was trained."""
        options = {} if mask_1L is None else {'attention_mask': mask_1L}
        token_1LW = self.model(input_ids=id_1L, **options).last_hidden_state
        counts_1L = torch.ones_like(id_1L) if mask_1L is None else mask_1L
        return self.head(token_1LW, counts_1L.bool())


def acting_graph(policy: Policy) -> bytes:
    """Return the network that sees and acts. Raises ValueError where it can't be exported."""
    robot = policy.robot
    images = {camera.name: torch.zeros(1, camera.height, camera.width, 3, dtype=torch.uint8)
              for camera in robot.cameras}
    z_text_1D = torch.zeros(1, policy.config.embed_dim)
    position_1J, command_1J = torch.zeros(2, 1, len(robot.joints))
    inputs, dynamic = [images, z_text_1D, position_1J, command_1J], None
    names = [*(f'image_{name}' for name in images), 'z_text', 'position', 'command']
    if policy.decoder.samples:
        inputs.append(torch.zeros(EXAMPLE_CANDIDATES, *policy.decoder.shape_TJ))
        names.append('noise')
        dynamic = ({name: {} for name in images}, {}, {}, {},
                   {0: torch.export.Dim('candidates', min=1)})
    return _to_onnx(SeeAndAct(policy), tuple(inputs), names, OUTPUTS, dynamic)


def reading_graph(policy: Policy, tokens: int, masked: bool) -> bytes:
    """Return the network that reads. Raises ValueError where it can't be exported."""
    id_1L = torch.ones(1, tokens, dtype=torch.int64)
    mask_1L = torch.ones_like(id_1L)
    mask_1L[0, tokens // 2:] = 0
    inputs, names = ((id_1L, mask_1L), ['ids', 'mask']) if masked else ((id_1L,), ['ids'])
    return _to_onnx(Read(policy, masked), inputs, names, ('z_text',))


def _to_onnx(module: nn.Module, inputs: tuple, names: list[str], outputs: tuple[str, ...],
             dynamic=None) -> bytes:
    module.eval()
    size = 4 * sum(value.numel() for value in module.parameters())
    if size > MOST_BYTES:
        raise ValueError(f'the network has {size / 1e9:.1f} GB of weights, and one ONNX file '
                         f'holds {MOST_BYTES / 1e9:.0f} GB; keep this policy in PyTorch')
    with torch.no_grad(), _quietly():
        module(*inputs)  # what is made once and kept is made now, and not while it is traced
        try:
            program = torch.onnx.export(
                module, inputs, dynamo=True, opset_version=OPSET, external_data=False,
                input_names=names, output_names=list(outputs), dynamic_shapes=dynamic,
                verbose=False)
        except torch.onnx.errors.OnnxExporterError as error:
            raise ValueError(f'{type(module).__name__} can not be exported to ONNX: '
                             f'{str(error).strip().splitlines()[0]}') from error
    return program.model_proto.SerializeToString()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter from talking of torchvision, and attention from its own kernels."""
    fast, level = torch.backends.mha.get_fastpath_enabled(), logging.root.manager.disable
    torch.backends.mha.set_fastpath_enabled(False)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logging.disable(level)
