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

"""How far a policy node has got with what came in; whoever plays a recording waits for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
import json

from std_srvs.srv import Trigger

SERVICE = 'progress'


@dataclass(frozen=True)
class Progress:
    """
    What a policy node has taken in and decided since it was configured.

    ``taken`` are messages by the full name of their topic; ``time_ns`` is its clock. It is
    ``idle`` when nothing that was taken in is still thought about. ``not_ready`` is the input
    that is missing or wrong, '' when it may be activated; ``held_for`` what the robot is held for.
    """

    time_ns: int
    idle: bool = True
    active: bool = False
    not_ready: str = ''
    held_for: str = ''
    decisions: int = 0
    taken: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Progress:
        return cls(**json.loads(text))


class ProgressService:
    """
    ``~/progress`` (std_srvs/Trigger) of a policy node: a Progress, as JSON.

    Before it answers, it looks after the robot once as the node does every few milliseconds. So a
    clock that stands still shows the same to everybody who waits for the answer.
    """

    def __init__(self, node):
        self._node, self._taken = node, Counter()
        node.create_service(Trigger, f'~/{SERVICE}', self._on_ask)

    def begin(self) -> None:
        """Count from now on."""
        self._taken.clear()

    def counted(self, topic: str, callback: Callable) -> Callable:
        """Return a subscription's callback that is counted once it has returned."""
        name = self._node.resolve_topic_name(topic)
        self._taken[name] = 0

        def take(message) -> None:
            callback(message)
            self._taken[name] += 1
        return take

    def _on_ask(self, request, response):
        commander = self._node.commander
        if commander is None:
            response.success, response.message = False, 'not configured'
            return response
        commander.supervise()
        response.success = True
        response.message = Progress(
            commander.pilot.clock(), not commander.decider.worker.is_busy,
            commander.helm.is_active, commander.why_not_ready(), commander.interlock.reason,
            self._node.diagnostics.decisions, dict(self._taken)).to_json()
        return response
