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
"""Whether an exported policy plans what the checkpoint does, on observations of both kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from ..plan.onnx_policy import OnnxPolicy
from ..plan.policy import Policy
from ..record.episode import find_episodes
from ..record.moments import read_moments, Sampling
from ..spec import NS_PER_S, Observation, RobotSpec
from ..spec.topics import LABEL_TOPIC

TOLERANCE = 1e-4  # rad of positions, and of cosines
CANDIDATES = 4
SENTENCES = ('put the red cube on the left plate', 'stop', 'Öffne die Schublade, bitte!',
             'hand me the small screwdriver that lies behind the blue box')


class NotEqual(ArithmeticError):
    """The exported policy computes something else than the checkpoint."""


def random_observations(robot: RobotSpec, count: int) -> Iterator[Observation]:
    """Yield observations of noise, with joints all over their ranges."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        seen = Observation.make_example(robot, seed)
        position_J, command_J = (rng.uniform(robot.lower_J, robot.upper_J) for _ in range(2))
        yield replace(seen, position_J=position_J, command_J=command_J,
                      stamp_ns=(seed + 1) * NS_PER_S,
                      instruction=SENTENCES[seed % len(SENTENCES)])


def recorded_observations(robot: RobotSpec, episodes: Path, count: int,
                          label_topic: str = LABEL_TOPIC) -> Iterator[Observation]:
    """Yield observations out of recordings, as many of each episode. Raises EpisodeError."""
    found = find_episodes(episodes)
    each = -(-count // len(found))
    for path in found[:count]:
        _, moments = read_moments(path, robot, label_topic, Sampling(), Counter())
        yield from (moment.observation for moment in islice(moments, each))


def compare(policy: Policy, exported: OnnxPolicy, observations: Iterable[Observation]) -> dict:
    """
    Return how many observations were compared, and the largest difference.

    Of every candidate and of both cosines. Raises NotEqual where it is more than 1e-4, and
    ValueError without an observation.
    """
    policy.candidates = exported.candidates = CANDIDATES if policy.decoder.samples else 1
    worst, count = {'positions_rad': 0.0, 'cosines': 0.0}, 0
    for count, seen in enumerate(observations, 1):
        for name, off in _differences(policy, exported, seen).items():
            worst[name] = max(worst[name], off)
            if not off <= TOLERANCE:
                raise NotEqual(f'exported, observation {count} ({seen.instruction!r}) has {name} '
                               f'off by {off:.2g}, at most {TOLERANCE:g} is taken; not exported')
    if not count:
        raise ValueError('nothing to compare the exported policy on: no observation')
    return {'observations': count, **worst}


def _differences(policy: Policy, exported: OnnxPolicy, seen: Observation) -> dict[str, float]:
    expected, found = policy.propose(seen), exported.propose(seen)
    return {'positions_rad': _largest(found.chunk_NTJ - expected.chunk_NTJ),
            'cosines': max(_largest(found.scene_motion_N - expected.scene_motion_N),
                           abs(found.image_sentence - expected.image_sentence))}


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max())
