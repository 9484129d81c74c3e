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

"""How the episodes of a session ended, and which one is taken back by a discard."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, wait
from dataclasses import dataclass

from .durable import move_to_trash
from .scribe import in_thread


@dataclass(eq=False)
class Ended:
    """How an episode ended, and the future of its path; None where the disk ended it."""

    outcome: str
    whole: Future | None = None


class Endings:
    """
    Counts episodes by outcome, 'failed' or 'discarded'; knows the last, that can be discarded.

    Lock outside.
    """

    def __init__(self):
        self.counts: Counter[str] = Counter()
        self._last: Ended | None = None

    def add(self, outcome: str) -> Ended:
        """Count an episode that ends now."""
        self.counts[outcome] += 1
        self._last = Ended(outcome)
        return self._last

    def change(self, ended: Ended, outcome: str) -> None:
        """Count an episode as one that ended otherwise than was thought."""
        self.counts.update({ended.outcome: -1, outcome: 1})
        ended.outcome = outcome

    def fail(self, ended: Ended) -> None:
        """Note that an episode could not be finished: it is left to a recovery."""
        self.change(ended, 'failed')
        ended.whole = None

    def discard_last(self) -> Future | None:
        """
        Move the last episode to the trash as soon as it is whole; None where there is none.

        One, until another has ended: a key held down must not take one after another. The future
        has its place in the trash.
        """
        if self._last is None or self._last.whole is None:
            return None
        last, self._last = self._last, None
        self.change(last, 'discarded')
        whole = last.whole
        return in_thread(lambda: move_to_trash(whole.result()), 'discard')

    def wait(self) -> None:
        """Return once the last episode is whole, or has failed."""
        whole = None if self._last is None else self._last.whole
        if whole is not None:
            wait([whole])
