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

"""What commanding needs from a policy, and where its commands, records and words go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .decision import Decision
from ..spec import Trajectory
from ..stopwatch import Stopwatch


class Thinker(Protocol):
    """A policy, as far as commanding needs it."""

    content_hash: str
    stopwatch: Stopwatch
    runs_on: str    # device, precision, compiled or not; or the provider
    fall_back: str  # what it was asked to run on and can't, and why; '' for nothing
    plan: Callable
    sentences: object  # with ``tokens(sentence)``, slow the first time, then kept


class Outlet(Protocol):
    """Where commands, records and words go."""

    def send(self, trajectory: Trajectory) -> None: ...
    def report(self, decision: Decision, told: Told) -> None: ...
    def tell(self, level: str, text: str) -> None: ...


class ShadowOutlet(Protocol):
    """Where the records of a policy that commands nothing, and words, go."""

    def report(self, decision: Decision, told: Told, age_ms: float) -> None: ...
    def tell(self, level: str, text: str) -> None: ...


class TeleopOutlet(Protocol):
    """Where a person's commands, whether they command, and words go."""

    def send(self, trajectory: Trajectory) -> None: ...
    def take_over(self, is_on: bool) -> None: ...
    def tell(self, level: str, text: str) -> None: ...


@dataclass(frozen=True)
class Told:
    """An instruction: ``number`` counts them, ``since_ns`` is when its first command went out."""

    sentence: str = ''
    number: int = 0
    since_ns: int = 0
