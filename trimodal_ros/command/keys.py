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
A terminal's keys as a gamepad: axes and buttons for ``config/keyboard.yaml``.

A terminal tells that a key is pressed, and again and again while it is held, but not that it is
let go: a key that hasn't come again for a moment is.
"""

from __future__ import annotations

PAIRS = ('1q', '2w', '3e', '4r', '5t', '6y', '7u', 'oc')  # what asks for 1 and for -1 on each axis
MODE_KEY, FASTER, SLOWER = 'm', '+', '-'
PRESSED_S = 0.15     # a key that is held comes about every 0.03 s,
HANDS_ON_S = 1.0     # but for the first time again only after some tenths of a second
LEAST, FACTOR = 0.1, 1.25


class KeyStick:
    """Times are in s of a clock that never jumps; ``speed`` is the share of full stick."""

    def __init__(self):
        self.speed, self._pressed_s, self._touched_s = 0.5, {}, float('-inf')

    def press(self, key: str, now_s: float) -> None:
        """Take a key; one that means nothing holds the dead-man button all the same."""
        self._touched_s = now_s
        if key in (FASTER, SLOWER):
            factor = FACTOR if key == FASTER else 1 / FACTOR
            self.speed = min(1.0, max(LEAST, self.speed * factor))
        for pair in PAIRS:  # a key ends its opposite, which may still count as held
            if key in pair:
                self._pressed_s.pop(pair[1 - pair.index(key)], None)
        self._pressed_s[key] = now_s

    def joy(self, now_s: float) -> tuple[list[float], list[int]]:
        """Return axes and buttons as they are now."""
        held = {key for key, since_s in self._pressed_s.items() if now_s - since_s <= PRESSED_S}
        axes = [self.speed * ((plus in held) - (minus in held)) for plus, minus in PAIRS]
        return axes, [int(now_s - self._touched_s <= HANDS_ON_S), int(MODE_KEY in held)]

    def let_go(self) -> None:
        """Let go of everything."""
        self._pressed_s, self._touched_s = {}, float('-inf')
