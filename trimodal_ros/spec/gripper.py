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
A gripper as the policy commands it, one number, and as its joints do.

Three kinds. **position**: a joint like any other. **parallel**: fingers that mimic each other
are one width, each of them at its factor times the width, as ``<mimic>`` of a URDF has it; the
first is the one that is commanded. **binary**: whatever is planned, what is commanded is open or
closed, with hysteresis between the two. A binary gripper may have fingers, too.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from .errors import SpecError

CLOSE_BELOW, OPEN_ABOVE = 0.3, 0.7


@dataclass(frozen=True)
class Finger:
    """A joint of a gripper, at ``factor`` times what the policy commands of the gripper."""

    joint: str
    factor: float

    def __post_init__(self):
        if not math.isfinite(self.factor) or self.factor == 0:
            raise SpecError(f'finger {self.joint!r}: its factor is {self.factor}, expected a '
                            'number that is not 0, such as 0.5 for half the width')


@dataclass(frozen=True)
class Binary:
    """
    A gripper that knows two positions, in its joint's unit.

    It closes when it is planned to be nearer to ``closed`` than ``close_below`` of the way to
    ``open``, opens at more than ``open_above`` of it, and stays what it is in between.
    """

    closed: float
    open: float
    close_below: float = CLOSE_BELOW
    open_above: float = OPEN_ABOVE

    def __post_init__(self):
        if self.closed == self.open:
            raise SpecError(f'binary gripper: open and closed are both {self.open}')
        if not 0 < self.close_below <= self.open_above < 1:
            raise SpecError(f'binary gripper: close_below {self.close_below} and open_above '
                            f'{self.open_above}, expected 0 < close_below <= open_above < 1')

    def opening(self, position: float) -> float:
        """Return how open a position is: 0 closed, 1 open."""
        return (position - self.closed) / (self.open - self.closed)

    def is_open(self, position: float, was_open: bool) -> bool:
        """
        Tell whether the gripper is to be open at a planned position.

        >>> gripper = Binary(closed=0.0, open=0.08)
        >>> [gripper.is_open(0.04, was_open) for was_open in (True, False)]
        [True, False]
        >>> gripper.is_open(0.07, False), gripper.is_open(0.01, True)
        (True, False)
        """
        opening = self.opening(position)
        return opening > self.open_above or (was_open and opening >= self.close_below)
