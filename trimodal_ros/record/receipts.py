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

"""What the middleware notes with a message: when it came, and its number."""

from __future__ import annotations

from collections.abc import Callable
import time

from ..spec import NS_PER_S

SET_BACK_NS = NS_PER_S // 2   # of a clock, between two looks: less is NTP at its work


class Receipts:
    """
    Times of receipt, in order: what was received until a look is fetched right after it.

    ``set_back_ns`` is by how much the clock was set back between the last two looks, else 0;
    ``steady`` is a clock in ns that is never set.
    """

    def __init__(self, clock: Callable[[], int], simulated: bool,
                 steady: Callable[[], int] = time.monotonic_ns):
        self._clock, self._simulated, self._steady = clock, simulated, steady
        self._before_ns = self._now_ns = self._steady_ns = self.set_back_ns = 0

    def look(self) -> None:
        """Look at the clock: it is not taken for set back where this thread was held up."""
        began_ns = self._steady()
        now_ns = self._clock()
        passed_ns = 0 if self._simulated else began_ns - self._steady_ns   # at least
        back_ns = self._now_ns + passed_ns - now_ns
        self.set_back_ns = back_ns if self._now_ns and back_ns > SET_BACK_NS else 0
        self._before_ns = now_ns if self.set_back_ns else self._now_ns
        self._now_ns, self._steady_ns = now_ns, self._steady()

    def of(self, noted_ns: int) -> int:
        """
        Return when a message was received that the middleware noted at ``noted_ns``.

        That is not before the last look, after which all until then were fetched: the middleware
        may hold one back. Where time is simulated, and the middleware notes another, it is now.
        """
        return self._now_ns if self._simulated else max(noted_ns, self._before_ns)

    def is_due(self, received_ns: int) -> bool:
        """Tell whether nothing is to come any more that was received before."""
        return received_ns <= self._now_ns


class Numbers:
    """A topic's messages as their publisher numbers them: one that is left out got lost."""

    def __init__(self):
        self._newest: int | None = None
        self._skipped, self._publishers = 0, []

    def follow(self, number: int | None) -> None:
        """Note the number of a message; None where the middleware has none."""
        if self._newest is not None and number is not None:
            self._skipped += max(0, number - self._newest - 1)
        self._newest = number

    def lost(self, publishers: list) -> int:
        """
        Return how many messages got lost on the way since this was asked last.

        ``publishers`` are those there now, by their identity: numbers tell only of a single one,
        who was alone the last time too.
        """
        known, skipped = self._publishers, self._skipped
        self._publishers, self._skipped = publishers, 0
        return skipped if known == publishers and len(publishers) == 1 else 0
