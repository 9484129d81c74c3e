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
Each task's metric on held-out frames, for the training log.

Shapes: B samples, D shared dimension.
"""

from __future__ import annotations

import torch

from .batches import Batch
from .objective import embed, Embedded, predict_rad
from ..plan.policy import Policy


@torch.no_grad()
def validate(policy: Policy, batch: Batch) -> dict[str, float]:
    """
    Return a metric for each task, and the error of predicted chunks (``held_out_error_rad``).

    Of contrastive tasks it is recall at 1 from the first modality to the second within the
    batch: of the instruction where the task has sentences in it, else of the sample itself. Of
    the action tasks it is the mean absolute error in rad, without joints in percent, or in network
    units.
    """
    embedded = embed(policy.eval(), batch)
    scene, z_motion_BD = embedded.scene, embedded.z_motion_BD
    told_B = batch.group_B.to(policy.device)
    itself_B = torch.arange(len(told_B), device=told_B.device)
    fused = {pair: policy.fuse(pair, z_BD, z_motion_BD) for pair, z_BD in (
        ('vision_action', scene.z_image_BD), ('language_action', scene.z_text_BD))}
    recalls = {
        'vision_language': (scene.z_image_BD, scene.z_text_BD, told_B),
        'language_action': (scene.z_text_BD, z_motion_BD, told_B),
        'vision_action': (scene.z_image_BD, z_motion_BD, itself_B),
        'language_language': (scene.z_text_BD, embedded.z_paraphrase_BD, told_B),
        'fused_action': (scene.z_fused_BD, z_motion_BD, itself_B),
        'fused_language': (fused['vision_action'], scene.z_text_BD, told_B),
        'fused_vision': (fused['language_action'], scene.z_image_BD, itself_B)}
    chunk_BTJ = predict_rad(policy, embedded, batch)
    error_BTJ = (chunk_BTJ - batch.chunk_BTJ.to(policy.device)).abs()
    error_rad = error_BTJ[..., torch.tensor(policy.robot.has_distance_J)].mean()
    row = {task: recall_at_1(*sides) for task, sides in recalls.items()}
    row.update(action_reconstruction=_reconstruction_error(policy, embedded))
    return {**{f'metric_{task}': round(value, 4) for task, value in row.items()},
            'held_out_error_rad': round(error_rad.item(), 5)}


def recall_at_1(x_BD: torch.Tensor, y_BD: torch.Tensor, label_B: torch.Tensor) -> float:
    """
    Return the share of rows whose most similar column has their label.

    >>> recall_at_1(torch.eye(2), torch.eye(2), torch.tensor([0, 1]))
    1.0
    """
    nearest_B = (x_BD @ y_BD.T).argmax(dim=1)
    return float((label_B[nearest_B] == label_B).float().mean())


def _reconstruction_error(policy: Policy, embedded: Embedded) -> float:
    again_BTI = policy.motion_decoder(embedded.z_motion_BD)
    return float((again_BTI - embedded.motion_BTI).abs().mean())
