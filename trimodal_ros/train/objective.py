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
The multi-task objective L = sum_i lambda_i L_i over named tasks.

Three contrastive tasks align the encoders pairwise, a fourth keeps sentences apart that mean
different things (two phrasings of one instruction are its positives, as in SimCSE, Gao 2021),
and one imitates the demonstrated chunk.
Shapes: B batch, T steps, J joints, D shared dimension.
"""

from __future__ import annotations

import torch

from .batches import Batch
from ..embed.alignment import info_nce, near_duplicates, same_group
from ..plan.policy import Policy

DEFAULT_WEIGHTS = {'vision_language': 0.1, 'language_action': 0.1, 'vision_action': 0.1,
                   'language_language': 1.0, 'action_generation': 10.0}
DUPLICATE_TOLERANCE = 0.02  # mean difference of chunks, in network units


def task_losses(policy: Policy, batch: Batch) -> dict[str, torch.Tensor]:
    """Return each task's loss, unweighted."""
    device = policy.device
    token_BLW, mask_BL = policy.sentences.batch(batch.sentences)
    command_BJ = batch.command_BJ.to(device)
    images = {name: image.to(device) for name, image in batch.images.items()}
    plan = policy(images, token_BLW, mask_BL, batch.position_BJ.to(device), command_BJ)
    target_BTJ = policy.normalizer.chunk(batch.chunk_BTJ.to(device), command_BJ)
    z_motion_BD = policy.motion(target_BTJ)
    z_paraphrase_BD = policy.language(*policy.sentences.batch(batch.paraphrases))
    same_BB = same_group(batch.group_B.to(device))
    itself_BB = torch.eye(len(same_BB), dtype=torch.bool, device=device)
    duplicate_BB = near_duplicates(target_BTJ, DUPLICATE_TOLERANCE)
    scales = {pair: scale() for pair, scale in policy.scales.items()}
    return {
        'vision_language': info_nce(
            plan.z_image_BD, plan.z_text_BD, scales['vision_language'], same_BB),
        'language_action': info_nce(
            plan.z_text_BD, z_motion_BD, scales['language_action'], same_BB),
        'vision_action': info_nce(
            plan.z_image_BD, z_motion_BD, scales['vision_action'], itself_BB, duplicate_BB),
        'language_language': info_nce(
            plan.z_text_BD, z_paraphrase_BD, scales['language_language'], same_BB),
        'action_generation': (plan.chunk_BTJ - target_BTJ).abs().mean(),
    }


def total_loss(losses: dict[str, torch.Tensor], weights: dict[str, float]) -> torch.Tensor:
    """Return the weighted sum; every task must have a weight of zero or more."""
    if set(losses) != set(weights) or any(weight < 0 for weight in weights.values()):
        raise ValueError(f'tasks {sorted(losses)} need a weight of 0 or more each, '
                         f'got {weights}')
    return sum(weights[task] * loss for task, loss in losses.items())


@torch.no_grad()
def action_error_rad(policy: Policy, batch: Batch) -> float:
    """Return the mean absolute error of predicted chunks, in rad."""
    device = policy.device
    token_BLW, mask_BL = policy.sentences.batch(batch.sentences)
    command_BJ = batch.command_BJ.to(device)
    images = {name: image.to(device) for name, image in batch.images.items()}
    plan = policy(images, token_BLW, mask_BL, batch.position_BJ.to(device), command_BJ)
    chunk_BTJ = policy.normalizer.chunk_to_rad(plan.chunk_BTJ, command_BJ)
    return float((chunk_BTJ - batch.chunk_BTJ.to(device)).abs().mean())
