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
The tasks of the multi-task objective L = sum_i lambda_i L_i, and the loss of each.

Every task works on the shared representation (feature maps, tokens and the three unit vectors)
with a head of its own. Contrastive tasks see the whole batch of all processes.
Shapes: B samples here, M samples of all processes, T steps, J joints, D shared dimension.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Literal, NamedTuple

import torch
from torch import nn

from .batches import Batch
from .memory import MotionMemory, NOBODY
from .parallel import gather, rank, same_for_all
from ..embed.alignment import info_nce, Samples, Side, sigmoid_loss, View
from ..embed.trimodal import gram_volume, symile, triangle_area, volume_loss
from ..plan.device import to_device
from ..plan.policy import Policy, Scene

DUPLICATE_TOLERANCE = 0.02  # mean difference of motions, in network units


@dataclass(frozen=True)
class TaskWeights:
    """
    lambda of each task; 0 switches a task off.

    Those of contrasts that vision takes part in are small: at 0.3 their gradient in the vision
    encoder is up to five times that of action generation, and the arm misses what it reaches for.
    """

    vision_language: float = 0.1      # image and sentence; same instruction: positives
    language_action: float = 0.1      # sentence and motion; same instruction: positives
    vision_action: float = 0.03       # image and motion; near-duplicate motions left out
    language_language: float = 1.0    # sentence and paraphrase (as in SimCSE, Gao 2021)
    fused_action: float = 0.03        # f(vision, language) and motion (CoVer)
    fused_language: float = 0.1       # f(vision, action) and sentence
    fused_vision: float = 0.01        # f(language, action) and image
    trimodal: float = 0.0             # all three at once
    action_generation: float = 10.0   # the decoder's loss, network units
    action_reconstruction: float = 1.0  # L1 of the chunk decoded from its own embedding

    def __post_init__(self):
        for task, weight in asdict(self).items():
            if not 0 <= weight < float('inf'):
                raise ValueError(f'task weight {task}: {weight} is not a number of 0 or more')
        if not self.on():
            raise ValueError('every task weight is 0: nothing to train')

    def on(self) -> dict[str, float]:
        """Return the tasks that are switched on, with their weights."""
        return {task: weight for task, weight in asdict(self).items() if weight > 0}


TASKS = tuple(field.name for field in fields(TaskWeights))
PairLoss = Literal['info_nce', 'siglip']
TrimodalLoss = Literal['gram', 'gram_rotating', 'triangle', 'symile']


class NotFinite(ArithmeticError):
    """A loss, a gradient or a vector that is not a number; the last saved state is good."""


class Embedded(NamedTuple):
    """What the encoders make of a batch, in this process."""

    scene: Scene
    target_BTJ: torch.Tensor     # the demonstrated chunk, network units
    motion_BTI: torch.Tensor     # as the action encoder takes it
    z_motion_BD: torch.Tensor
    z_paraphrase_BD: torch.Tensor


def embed(policy: Policy, batch: Batch) -> Embedded:
    """Run the encoders on a batch, and the decoder up to what its head decodes."""
    device = policy.device
    position_BJ, command_BJ, chunk_BTJ = (
        to_device(value, device) for value in (batch.position_BJ, batch.command_BJ,
                                               batch.chunk_BTJ))
    images = {name: to_device(image, device) for name, image in batch.images.items()}
    scene = policy.see(images, *policy.sentences.batch(batch.sentences),
                       position_BJ, command_BJ)
    motion_BTI = policy.normalizer.motion(chunk_BTJ)
    return Embedded(Scene(*(value.float() for value in scene)),  # losses are never in bfloat16
                    policy.normalizer.chunk(chunk_BTJ, command_BJ), motion_BTI,
                    policy.motion(motion_BTI).float(),
                    policy.embed_sentences(batch.paraphrases).float())


class Objective(nn.Module):
    """The losses of the tasks that are switched on; keeps the memory of past motions."""

    def __init__(self, weights: TaskWeights, policy: Policy, pair_loss: PairLoss = 'info_nce',
                 trimodal_loss: TrimodalLoss = 'gram', memory: int = 0,
                 precision: torch.dtype = torch.float32):
        super().__init__()
        self.weights, self.pair_loss, self.trimodal_loss = weights, pair_loss, trimodal_loss
        self.precision = precision
        horizon, joints = policy.robot.horizon, len(policy.robot.joints)
        self.memory = MotionMemory(memory, policy.config.embed_dim, 2 * joints * horizon)

    def forward(self, policy: Policy, batch: Batch) -> dict[str, torch.Tensor]:
        """
        Return the loss of each task that is on, unweighted; encoders run in ``precision``.

        Raises NotFinite, naming it, where a modality's vectors are not finite.
        """
        with policy.autocast(self.precision):
            embedded = embed(policy, batch)
        sides = _Sides(embedded, batch.group_B.to(policy.device), self.memory)
        losses = {task: self._loss(task, policy, embedded, sides) for task in self.weights.on()}
        if self.training:
            sides.remember(self.memory)
        return losses

    def _loss(self, task: str, policy: Policy, embedded: Embedded,
              sides: _Sides) -> torch.Tensor:
        if task == 'action_generation':
            with policy.autocast(self.precision):
                return policy.decoder.loss(embedded.scene.context_BF, embedded.target_BTJ)
        if task == 'action_reconstruction':
            again_BTI = policy.motion_decoder(embedded.z_motion_BD)
            return (again_BTI - embedded.motion_BTI).abs().mean()
        if task == 'trimodal':
            return self._trimodal(sides, policy.scales[task]())
        x, y = sides.pair(task, policy)
        if self.pair_loss == 'siglip':
            return sigmoid_loss(x, y, policy.scales[task](), policy.scales[task].bias)
        return info_nce(x, y, policy.scales[task]())

    def _trimodal(self, sides: _Sides, scale: torch.Tensor) -> torch.Tensor:
        names = ('text', 'image', 'motion')  # the sentence is the anchor, as in both papers
        turns = [(names[k], names[k - 2], names[k - 1]) for k in range(3)]
        if self.trimodal_loss == 'symile':
            shuffled_M = sides.shuffled()
            return sum(symile(sides.itself(a), sides.itself(b, c), scale, shuffled_M)
                       for a, b, c in turns) / 3
        measure = triangle_area if self.trimodal_loss == 'triangle' else gram_volume
        turns = turns if self.trimodal_loss == 'gram_rotating' else turns[:1]
        return sum(volume_loss(measure, *(
            (sides.told(a), sides.told(b, c)) if a == 'text' else
            (sides.itself(a), sides.itself(b, c))), scale) for a, b, c in turns) / len(turns)


class _Sides:
    """A batch's vectors as sides of contrasts: gathered once from all processes."""

    def __init__(self, embedded: Embedded, group_B: torch.Tensor, memory: MotionMemory):
        scene = embedded.scene
        self.here = {'image': scene.z_image_BD, 'text': scene.z_text_BD,
                     'motion': embedded.z_motion_BD, 'fused': scene.z_fused_BD,
                     'paraphrase': embedded.z_paraphrase_BD}
        for name, z_BD in self.here.items():
            if not z_BD.isfinite().all():
                raise NotFinite(f'z_{name} is not finite')
        self.everywhere = {name: gather(z_BD) for name, z_BD in self.here.items()}
        self.group_M = gather(group_B)
        self.motion_MN = gather(embedded.motion_BTI.flatten(1))
        self.index_M = torch.arange(len(self.group_M), device=group_B.device)
        self.remembered = memory.recall()
        self.own = slice(rank() * len(group_B), (rank() + 1) * len(group_B))

    def remember(self, memory: MotionMemory) -> None:
        memory.remember(self.everywhere['motion'], self.group_M, self.motion_MN)

    def told(self, *names: str) -> Side:
        """Return a side on which samples told to do the same are positives."""
        return self._side(names, Samples(self.group_M), Samples(self.remembered[1]))

    def itself(self, *names: str) -> Side:
        """Return a side on which a sample is its only positive, near-duplicates left out."""
        z_MD, _, motion_MN = self.remembered
        nobody_M = torch.full((len(z_MD),), NOBODY, device=z_MD.device)
        return self._side(names, Samples(self.index_M, self.motion_MN, DUPLICATE_TOLERANCE),
                          Samples(nobody_M, motion_MN, DUPLICATE_TOLERANCE))

    def _side(self, names, samples: Samples, remembered: Samples) -> Side:
        here = View(tuple(self.here[name] for name in names), samples[self.own])
        everywhere = View(tuple(self.everywhere[name] for name in names), samples)
        if names == ('motion',):
            everywhere = everywhere.with_more((self.remembered[0],), remembered)
        return Side(here, everywhere)

    def pair(self, task: str, policy: Policy) -> tuple[Side, Side]:
        """Return the two sides of a pairwise contrastive task."""
        if task == 'vision_language':
            return self.told('image'), self.told('text')
        if task == 'language_action':
            return self.told('text'), self.told('motion')
        if task == 'vision_action':
            return self.itself('image'), self.itself('motion')
        if task == 'language_language':
            return self.told('text'), self.told('paraphrase')
        if task == 'fused_action':
            return self.itself('fused'), self.itself('motion')
        if task == 'fused_language':
            self._fuse('vision_action', policy, 'image', 'motion')
            return self.told('vision_action'), self.told('text')
        self._fuse('language_action', policy, 'text', 'motion')
        return self.itself('language_action'), self.itself('image')

    def _fuse(self, pair: str, policy: Policy, first: str, second: str) -> None:
        self.here[pair] = policy.fuse(pair, self.here[first], self.here[second])
        self.everywhere[pair] = gather(self.here[pair])

    def shuffled(self) -> torch.Tensor:
        """Return a permutation of all samples, the same in every process."""
        return same_for_all(torch.randperm(len(self.group_M), device=self.group_M.device))


def predict_rad(policy: Policy, embedded: Embedded, batch: Batch) -> torch.Tensor:
    """Return the chunks [B, T, J] planned for an embedded batch, in rad."""
    return policy.normalizer.chunk_to_rad(policy.decoder.decode(embedded.scene.context_BF),
                                          batch.command_BJ.to(policy.device))
