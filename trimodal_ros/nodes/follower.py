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

"""Waits for a policy node to have taken in, and decided on, what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
import threading
import time

from rclpy.node import Node
from std_srvs.srv import Trigger

from .policy_progress import Progress, SERVICE
from .private_graph import GraphError

PATIENCE_S = 60.0
PAUSE_S = 0.0005   # between two questions


class FollowError(GraphError):
    """A policy node that doesn't get on; the message says with what."""


class Stopped(Exception):
    """Whoever waits was told to end."""


class Follower:
    """
    Asks a policy node, by a node that is spun elsewhere, how far it is.

    ``stop``: an event that ends every wait, by raising Stopped. ``patience_s`` is how long the
    policy may be silent or get nowhere before FollowError is raised.
    """

    def __init__(self, node: Node, policy: str, stop: threading.Event,
                 patience_s: float = PATIENCE_S):
        self._policy, self._stop, self._patience_s = policy, stop, patience_s
        self._client = node.create_client(Trigger, f'{policy}/{SERVICE}')
        self._taken_before: Counter[str] = Counter()

    def begin(self, published: Mapping[str, int]) -> Progress:
        """Wait for the policy to be there and configured; count from what was published."""
        self._wait(self._client.service_is_ready, f'{self._policy!r} is not there: its service '
                   f'{SERVICE!r} did not appear')
        self._wait(lambda: self._answer().success,
                   f'{self._policy!r} is not configured: ros2 lifecycle set it')
        progress = self.ask()
        self._taken_before = Counter({name: count - published.get(name, 0)
                                      for name, count in progress.taken.items()})
        return progress

    def ask(self) -> Progress:
        """Return how far the policy is now. Raises FollowError for one that isn't configured."""
        answer = self._answer()
        if not answer.success:
            raise FollowError(f'{self._policy!r}: {answer.message}')
        return Progress.from_json(answer.message)

    def catch_up(self, time_ns: int, published: Mapping[str, int]) -> Progress:
        """Wait until it is that time to the policy and nothing it was sent is undecided."""
        newest = []

        def is_up() -> bool:
            newest[:] = [self.ask()]
            return self._is_up(newest[0], time_ns, published)
        self._wait(is_up, lambda: self._complaint(newest[0], time_ns, published))
        return newest[0]

    def _is_up(self, progress: Progress, time_ns: int, published: Mapping[str, int]) -> bool:
        return (progress.idle and progress.time_ns == time_ns
                and not self._missing(progress, published))

    def _missing(self, progress: Progress, published: Mapping[str, int]) -> list[str]:
        """Return the topics of which the policy has not taken all; others are not for it."""
        return [name for name, count in progress.taken.items()
                if count < published.get(name, 0) + self._taken_before[name]]

    def _complaint(self, progress: Progress, time_ns: int, published: Mapping[str, int]) -> str:
        missing = self._missing(progress, published)
        if missing:
            return (f'{self._policy!r} has not taken a message on {", ".join(missing)}: does the '
                    'recorded QoS match, and is somebody else publishing there?')
        if progress.time_ns != time_ns:
            return (f'{self._policy!r} has another time, {progress.time_ns} ns instead of '
                    f'{time_ns} ns: start it with -p use_sim_time:=true, and no other /clock')
        return f'{self._policy!r} has not come to a decision'

    # -- waiting

    def _answer(self) -> Trigger.Response:
        done = threading.Event()
        future = self._client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: done.set())
        self._wait(lambda: done.wait(0.1), f'{self._policy!r} does not answer', pause_s=0.0)
        return future.result()

    def _wait(self, condition, complaint, pause_s: float = PAUSE_S) -> None:
        deadline = time.monotonic() + self._patience_s
        while not condition():
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                text = complaint if isinstance(complaint, str) else complaint()
                raise FollowError(f'{text}; waited {self._patience_s:g} s')
            time.sleep(pause_s)
