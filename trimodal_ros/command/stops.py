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

"""What stops a person who commands: their own word, a stop topic, a policy that was stopped."""

from __future__ import annotations

from collections.abc import Callable

from .interlock import Stop, StopTopic

POLICY = 'the policy'


class Stops:
    """``steady`` is a clock in ns that never jumps; not locked, lock outside."""

    def __init__(self, steady: Callable[[], int]):
        self.topic, self._stop, self._steady = StopTopic(), Stop(), steady

    @property
    def by(self) -> str:
        """Who stops; '' for nobody."""
        if self.topic.is_silent(self._steady()):
            self._stop.ask(f'{self.topic.name}: silent')
        return self._stop.by

    def ask(self, who: str) -> None:
        """Stop until ``end``."""
        self._stop.ask(who)

    def end(self) -> None:
        """End it. Raises ValueError while somebody asks for it."""
        self._stop.end()

    def hear_topic(self, asks: bool) -> None:
        """Note what the stop topic says; silence stops as well, and ``end`` ends both."""
        self.topic.heard_ns = self._steady()
        self._hear(self.topic.name, asks)

    def hear_policy(self, is_stopped: bool) -> None:
        """Stop as long as the policy is stopped, whoever has stopped that."""
        self._hear(POLICY, is_stopped)
        if not is_stopped and self._stop.by == POLICY:
            self._stop.by = ''

    def miss_policy(self) -> None:
        """Let ``end`` end what a policy that isn't there any more was stopped for."""
        self._stop.ask_no_more(POLICY)

    def _hear(self, who: str, asks: bool) -> None:
        if asks:
            self._stop.ask(who, asks_on=True)
        else:
            self._stop.ask_no_more(who)
