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
Plans for many observations at once, to the last bit those that ``Policy.plan`` makes of each.

Libraries choose how to add up by the size of a batch, so a layer may round otherwise for many
samples than for one. Which ones do is tried out with the first batch of each shape: these go on
sample by sample, the others, most of the work, at once.
Shapes: B batch, D shared dimension, T steps, J joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .policy import Policy, Scene
from .proposal import choose
from ..spec import Observation, SpecError, Trajectory

LAYERS = (nn.Linear, nn.Conv2d, nn.TransformerEncoderLayer)


class Thought(NamedTuple):
    """
    What came of an observation: the plan, and the vector of what was seen and said.

    ``planned`` is the error that ``Policy.plan`` would raise where it is not finite.
    ``swapped_TJ`` is the chunk in rad for another sentence, None where none was given.
    """

    planned: Trajectory | SpecError
    z_fused_D: torch.Tensor
    swapped_TJ: np.ndarray | None = None


class BatchPlanner:
    """
    Plans by a policy in evaluation mode, whose layers it changes: for one sample they stay.

    ``is_exact`` tells whether batches give the same as single observations, as far as the first
    batch of each size has shown; where they don't, observations are planned from one by one.
    """

    def __init__(self, policy: Policy):
        self.policy, self.is_exact = policy, True
        self._z_text, self._tried = {}, set()
        for layer in _outermost(policy):
            layer.forward = _Rowwise(layer.forward)

    @torch.inference_mode()
    def think(self, observations: Sequence[Observation],
              swapped: Mapping[int, str] | None = None) -> list[Thought]:
        """
        Return what comes of each; of those in ``swapped``, by place, with other sentences too.

        Raises InstructionError for a sentence that is too long.
        """
        swapped = swapped or {}
        if not self.is_exact and len(observations) > 1:
            return [self._think([each], {0: swapped[row]} if row in swapped else {})[0]
                    for row, each in enumerate(observations)]
        thoughts = self._think(observations, swapped)
        if len(observations) > 1 and len(observations) not in self._tried:
            self._tried.add(len(observations))
            if not all(map(self._is_same, thoughts, observations)):
                self.is_exact = False
                return self.think(observations, swapped)
        return thoughts

    def _is_same(self, thought: Thought, observation: Observation) -> bool:
        try:
            planned = self.policy.plan(observation)
        except SpecError as error:
            return str(error) == str(thought.planned)
        return (isinstance(thought.planned, Trajectory)
                and np.array_equal(planned.position_TJ, thought.planned.position_TJ)
                and planned.alignment == thought.planned.alignment)

    def _think(self, observations, swapped) -> list[Thought]:
        policy = self.policy
        images = {camera.name: torch.from_numpy(np.stack(
            [each.images[camera.name] for each in observations])).permute(0, 3, 1, 2).to(
                policy.device) for camera in policy.robot.cameras}
        position_BJ, command_BJ = (torch.tensor(
            np.stack([getattr(each, name) for each in observations]), dtype=torch.float32,
            device=policy.device) for name in ('position_J', 'command_J'))
        maps, z_image_BD = policy.vision(images)
        seen = _Seen(observations, maps, z_image_BD, position_BJ, command_BJ)
        scene, chunks = self._decode(seen, [each.instruction for each in observations])
        planned = self._choose(seen, scene, chunks)
        others = dict.fromkeys(range(len(planned)))
        if swapped:
            chunks = self._decode(seen.rows(list(swapped)), list(swapped.values()))[1]
            others.update((row, chunk_NTJ[0].cpu().numpy().astype(np.float64))
                          for row, chunk_NTJ in zip(swapped, chunks))
        return list(map(Thought, planned, scene.z_fused_BD, others.values()))

    def _decode(self, seen: _Seen, sentences: Sequence[str]) -> tuple[Scene, list[torch.Tensor]]:
        """Return the scene, with the sentences told, and the candidates [N, T, J] of each."""
        policy = self.policy
        z_text_BD = torch.cat([self._read(sentence) for sentence in sentences])
        scene = policy.relate(seen.maps, seen.z_image_BD, z_text_BD, seen.position_BJ,
                              seen.command_BJ)
        if policy.decoder.samples:
            return scene, [policy.sample(one, seen.command_BJ[row:row + 1], each.stamp_ns)
                           for row, (one, each) in enumerate(
                               zip(_singly(scene), seen.observations))]
        chunk_BTJ = policy.normalizer.chunk_to_rad(policy.decoder.decode(scene.context_BF),
                                                   seen.command_BJ)
        return scene, list(chunk_BTJ[:, None])

    def _choose(self, seen: _Seen, scene: Scene,
                chunks: list[torch.Tensor]) -> list[Trajectory | SpecError]:
        policy = self.policy
        if policy.candidates == 1:
            z_motion = policy.embed_motion(torch.cat(chunks))[:, None]
        else:
            z_motion = map(policy.embed_motion, chunks)
        return [self._planned(*what) for what in zip(
            seen.observations, _singly(scene), chunks, z_motion)]

    def _planned(self, observation: Observation, *what) -> Trajectory | SpecError:
        try:
            return choose(self.policy.robot, observation, self.policy.weigh(*what))
        except SpecError as error:
            return error

    def _read(self, sentence: str) -> torch.Tensor:
        if sentence not in self._z_text:
            self._z_text[sentence] = self.policy.embed_sentences([sentence])
        return self._z_text[sentence]


class _Seen(NamedTuple):
    """A batch, seen and felt, before anything is read."""

    observations: Sequence[Observation]
    maps: Mapping[str, torch.Tensor]
    z_image_BD: torch.Tensor
    position_BJ: torch.Tensor
    command_BJ: torch.Tensor

    def rows(self, rows: list[int]) -> _Seen:
        """Return some of the batch."""
        return _Seen([self.observations[row] for row in rows],
                     {name: map_BKhw[rows] for name, map_BKhw in self.maps.items()},
                     self.z_image_BD[rows], self.position_BJ[rows], self.command_BJ[rows])


def _singly(scene: Scene) -> list[Scene]:
    """Return a batch as batches of one."""
    return [Scene(*(part[row:row + 1] for part in scene)) for row in range(len(scene[0]))]


def _outermost(module: nn.Module):
    """Yield the layers that a module is made of, none of them inside another."""
    for child in module.children():
        if isinstance(child, LAYERS):
            yield child
        else:
            yield from _outermost(child)


class _Rowwise:
    """A layer's forward that gives each sample of a batch what it would get alone."""

    def __init__(self, forward):
        self._forward, self._is_even = forward, {}

    def __call__(self, x, *args, **kwargs):
        if len(x) < 2 or args or any(value is not None for value in kwargs.values()):
            return self._forward(x, *args, **kwargs)
        if self._is_even.get(x.shape, False):
            return self._forward(x)
        rows = torch.cat([self._forward(x[row:row + 1]) for row in range(len(x))])
        if x.shape not in self._is_even:
            self._is_even[x.shape] = torch.equal(self._forward(x), rows)
        return rows
