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

"""Writes on a thread of its own, from a queue that has an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
import threading

from .recording import Recording
from .sample import Sample

PAUSE_S = 0.02  # between two looks at an empty queue: waking up for each message costs more


class Scribe:
    """
    Takes samples and jobs from any thread and does them in order.

    Samples beyond ``max_bytes`` or ``max_messages`` in the queue are refused.
    """

    def __init__(self, max_bytes: int, max_messages: int):
        self.max_bytes, self.max_messages = max_bytes, max_messages
        self.written_bytes = 0
        self._queue: deque = deque()
        self._put_bytes = self._taken_bytes = 0
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name='scribe', daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def queued_bytes(self) -> int:
        return self._put_bytes - self._taken_bytes

    def write(self, recording: Recording, sample: Sample) -> bool:
        """Queue a sample; returns False, and leaves it out, where there is no room."""
        size = len(sample.data)
        with self._lock:
            if self.queued_bytes + size > self.max_bytes or self.queued >= self.max_messages:
                return False
            self._put_bytes += size
            self._queue.append((recording, sample))
        return True

    def do(self, job: Callable[[], object]) -> Future:
        """Queue a job behind all that is queued; its result or error is the future's."""
        future = Future()
        self._queue.append((job, future))
        return future

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while self._queue:
            what, item = self._queue.popleft()
            if isinstance(item, Sample):
                what.write(item)
                self._taken_bytes += len(item.data)
                self.written_bytes += len(item.data)
            else:
                _complete(item, what)

    def close(self) -> None:
        """Do all that is queued, and end."""
        self._stop.set()
        self._thread.join()


def _complete(future: Future, job: Callable[[], object]) -> None:
    try:
        future.set_result(job())
    except Exception as error:  # noqa: B902 - whoever waits for the future is told
        future.set_exception(error)


def in_thread(job: Callable[[], object], name: str) -> Future:
    """Run a job on a thread of its own and return the future of its result."""
    future = Future()
    threading.Thread(target=_complete, args=[future, job], name=name, daemon=True).start()
    return future
