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
Seeded table layouts: which cubes lie where, and which of them is to go on which plate.

Positions are in the arm's base frame: x forward, y to its left, z up, in metres. The polar
ranges are where the arm reaches top-down at lifting height (r 0.16-0.24 m from the pan axis).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import itertools

import numpy as np

OBJECTS = ('red cube', 'green cube', 'blue cube', 'yellow cube')
PLACES = ('left plate', 'right plate')
CUBES_IN_VIEW = 3
PAN_AXIS_X_M = 0.0388
CUBE_SPACING_M = 0.062


@dataclass(frozen=True)
class Task:
    """Put one object on one place."""

    object: str
    place: str

    def __post_init__(self):
        for kind, name, known in (('object', self.object, OBJECTS), ('place', self.place, PLACES)):
            if name not in known:
                raise ValueError(f'unknown {kind} {name!r}; known: {", ".join(known)}')


@dataclass(frozen=True)
class Layout:
    """One scene: cube name -> (x, y, yaw), plate name -> (x, y), and the task it is set for."""

    seed: int
    cubes: dict[str, tuple[float, float, float]]
    plates: dict[str, tuple[float, float]]
    task: Task

    def with_other_object(self) -> Layout:
        """Return the same scene with a task that names another visible cube."""
        names = sorted(self.cubes)
        other = names[(names.index(self.task.object) + 1) % len(names)]
        return replace(self, task=Task(other, self.task.place))


def make_layout(seed: int, task: Task | None = None) -> Layout:
    """Draw the scene of ``seed``; with ``task``, one in which that task can be done."""
    rng = np.random.default_rng(seed)
    drawn = Task(str(rng.choice(OBJECTS)), str(rng.choice(PLACES)))
    task = task or drawn
    others = rng.permutation([name for name in OBJECTS if name != task.object])
    names = [task.object, *map(str, others[:CUBES_IN_VIEW - 1])]
    plates = {place: _polar(rng, (0.19, 0.225), side * np.radians((48.0, 66.0)))
              for place, side in zip(PLACES, (1.0, -1.0))}
    cubes = {name: (x, y, float(rng.uniform(-0.5, 0.5)))
             for name, (x, y) in zip(names, _spaced(rng, CUBES_IN_VIEW))}
    return Layout(seed, cubes, plates, task)


def _polar(rng, radius_m, angle_rad) -> tuple[float, float]:
    radius, angle = rng.uniform(*sorted(radius_m)), rng.uniform(*sorted(angle_rad))
    return float(PAN_AXIS_X_M + radius * np.cos(angle)), float(radius * np.sin(angle))


def _spaced(rng, count: int) -> list[tuple[float, float]]:
    """Draw points until all of them are at least the spacing apart."""
    while True:
        points = [_polar(rng, (0.165, 0.235), np.radians((-30.0, 30.0))) for _ in range(count)]
        gaps = [np.hypot(a[0] - b[0], a[1] - b[1])
                for a, b in itertools.combinations(points, 2)]
        if min(gaps) >= CUBE_SPACING_M:
            return points
