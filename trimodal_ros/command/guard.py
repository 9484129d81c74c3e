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

"""A plan that doesn't lie with what was seen and said: held, with hysteresis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCORES = ('image_sentence', 'scene_motion')


class GuardError(Exception):
    """A plan the guard doesn't let through; the message names score, value and threshold."""


@dataclass
class Guard:
    """
    Holds after ``patience`` plans in a row below ``hold_below``, until one is above another.

    ``score`` is a key of Trajectory.alignment; '' switches the guard off.
    """

    score: str = ''
    hold_below: float = 0.0
    release_above: float = 0.1
    patience: int = 2
    _below: int = field(default=0, init=False)
    is_holding: bool = field(default=False, init=False)

    def __post_init__(self):
        if self.score not in ('', *SCORES):
            raise ValueError(f"guard {self.score!r} is not '' or one of {', '.join(SCORES)}")
        if self.score and not self.hold_below <= self.release_above:
            raise ValueError(f'guard: hold_below {self.hold_below} is above '
                             f'release_above {self.release_above}')

    def forget(self) -> None:
        """Begin anew, as for another instruction."""
        self._below, self.is_holding = 0, False

    def check(self, alignment: Mapping[str, float]) -> None:
        """Raise GuardError while the robot is to be held."""
        if not self.score:
            return
        value = alignment[self.score]
        self._below = 0 if value >= self.hold_below else self._below + 1  # NaN is below
        if self._below >= self.patience:
            self.is_holding = True
        elif value > self.release_above:
            self.is_holding = False
        if self.is_holding:
            raise GuardError(f'guard: {self.score} is {value:.3f}, holding below '
                             f'{self.hold_below}, released above {self.release_above}')
