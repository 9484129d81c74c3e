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
How hard each task pulls at each part of a policy: norms of lambda_i grad L_i on one batch.

    python -m benchmarks.gradients --checkpoint DIR --episodes BAGS [--weights.TASK NUMBER]

What to look for: a contrastive task whose pull at the vision encoder is several times that of
action generation. It decides what the encoder learns, and the arm gets less precise.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
import tyro

from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.spec.topics import LABEL_TOPIC
from trimodal_ros.train.batches import BatchSource
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.objective import Objective, TaskWeights

MEMORY = 512
DEFAULT_WEIGHTS = TaskWeights()


def run(checkpoint: Path, episodes: list[Path], weights: TaskWeights = DEFAULT_WEIGHTS,
        batch_size: int = 64, seed: int = 0) -> None:
    """
    Print a Markdown table of gradient norms.

    :param checkpoint: Checkpoint folder.
    :param episodes: Directories with training episodes.
    :param weights: Weight of each task.
    :param batch_size: Windows in the batch.
    :param seed: Of the batch.
    """
    policy = load_checkpoint(checkpoint).train()
    source = BatchSource(open_frames(episodes, policy.robot, LABEL_TOPIC, workers=2), batch_size,
                         seed)
    objective = Objective(weights, policy, memory=MEMORY)
    for step in range(-(-MEMORY // source.batch_size)):
        objective(policy, source.at(step))  # fills the memory
    losses = objective(policy, source.at(MEMORY))
    parts = {name: list(getattr(policy, name).parameters())
             for name in ('vision', 'language', 'motion', 'decoder')}
    print(f'| task | weight | {" | ".join(parts)} |\n|---|---|{"---|" * len(parts)}')
    for task, weight in weights.on().items():
        norms = [f'{_norm(weight * losses[task], part):.2f}' for part in parts.values()]
        print(f'| {task} | {weight:g} | {" | ".join(norms)} |')


def _norm(loss: torch.Tensor, parameters: list[nn.Parameter]) -> float:
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
