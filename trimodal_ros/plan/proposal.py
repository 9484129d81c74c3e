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
What a network proposes for one observation, and which of it is taken; without PyTorch.

Shapes: N candidates, T steps, J joints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..spec import Observation, RobotSpec, Trajectory


class Proposal(NamedTuple):
    """
    Candidates for one observation, in rad, and how each lies with image and sentence.

    ``image_sentence`` is the cosine of the two, ``scene_motion_N`` that of both together and
    each candidate.
    """

    chunk_NTJ: np.ndarray
    image_sentence: float
    scene_motion_N: np.ndarray


def choose(robot: RobotSpec, observation: Observation, proposal: Proposal) -> Trajectory:
    """Return the candidate that lies best: step k at the stamp plus (k + 1) steps."""
    best = proposal.scene_motion_N.argmax()
    chunk_TJ = proposal.chunk_NTJ[best]
    return Trajectory.of_chunk(robot, observation.stamp_ns, chunk_TJ, {
        'image_sentence': float(proposal.image_sentence),
        'scene_motion': float(proposal.scene_motion_N[best])})


def draw_noise(count: int, shape_TJ: tuple[int, int], seed: int) -> np.ndarray:
    """
    Return standard normal noise [N, T, J], float32, the same for the same seed everywhere.

    >>> bool((draw_noise(2, (3, 1), 7) == draw_noise(2, (3, 1), 7)).all())
    True
    """
    return np.random.default_rng(seed).standard_normal((count, *shape_TJ), dtype=np.float32)


def check_candidates(count: int, samples: bool, decoder: str) -> None:
    """Raise ValueError for less than 1 candidate, and for more of a decoder of one answer."""
    if count < 1:
        raise ValueError(f'candidates: {count}, expected at least 1')
    if count > 1 and not samples:
        raise ValueError(f'candidates: {count}, but the decoder {decoder!r} has one answer only; '
                         "train one with the decoder 'flow'")
