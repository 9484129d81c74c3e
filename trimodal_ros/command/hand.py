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

"""A person's hand on the stick: what it asks for now, and whether that may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .stick import Mapping, Stick, StickError
from ..observe.observer import MAX_AHEAD_S
from ..spec import NS_PER_S


@dataclass(frozen=True)
class HandRules:
    """
    How old a Joy may be in s, by its stamp and since it came; how long a stick without a dead-man
    button rests before the robot is given back.
    """

    max_joy_age_s: float = 0.3
    release_s: float = 0.5


class Hand:
    """The newest Joy; ``clock`` is the one of its stamps, ``steady`` one that never jumps."""

    def __init__(self, mapping: Mapping, rules: HandRules, clock: Callable[[], int],
                 steady: Callable[[], int]):
        self.mapping, self.rules, self.clock, self.steady = mapping, rules, clock, steady
        self.stick: Stick | None = None
        self._unusable, self._heard_ns = '', 0
        self._pressed = False

    def feel(self, stamp_ns: int, axes, buttons) -> bool:
        """Take a Joy's values; tell whether the button for the next mode was just pressed."""
        self._heard_ns = self.steady()
        try:
            self._check_age(stamp_ns)
            self.stick, self._unusable = self.mapping.read(axes, buttons), ''
        except StickError as error:
            self._unusable = str(error)
            return False
        before, self._pressed = self._pressed, self.stick.next_mode
        return self._pressed and not before

    def _check_age(self, stamp_ns: int) -> None:
        age_s, most_s = (self.clock() - stamp_ns) / NS_PER_S, self.rules.max_joy_age_s
        if not -MAX_AHEAD_S <= age_s <= most_s:
            raise StickError(f'stamped {age_s:.3f} s ago, at most {most_s} s is allowed')

    def wrong(self) -> str:
        """Return why the stick can't be believed, '' when it can."""
        if self._unusable or self.stick is None:
            return self._unusable or 'none yet'
        age_s, most_s = (self.steady() - self._heard_ns) / NS_PER_S, self.rules.max_joy_age_s
        return '' if age_s <= most_s else f'silent for longer than {most_s} s'

    def has_rested(self, since_ns: int) -> bool:
        """Tell whether a stick that rests since then is let go of, by its button or by time."""
        rests_s = (self.steady() - since_ns) / NS_PER_S
        return self.stick.deadman is False or rests_s >= self.rules.release_s
