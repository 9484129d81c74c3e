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

"""A thread that does one thing whenever it is woken."""

from __future__ import annotations

from collections.abc import Callable
import threading
import traceback

PATIENCE_S = 2.0  # for what is being done to return once the worker is told to end


class Worker:
    """Calls ``work`` in a thread of its own, once for any number of ``wake`` meanwhile."""

    def __init__(self, work: Callable[[], None], name: str):
        self._work, self._name = work, name
        self._due, self._ends = threading.Event(), threading.Event()
        self._thread, self._is_working = None, False

    @property
    def is_due(self) -> bool:
        return self._due.is_set()

    @property
    def is_busy(self) -> bool:
        """Tell whether it is at work or about to be."""
        return self.is_running and (self._due.is_set() or self._is_working)

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Start; an earlier run must have ended."""
        self._due.clear()
        self._ends, self._is_working = threading.Event(), False
        self._thread = threading.Thread(
            target=self._run, args=[self._ends], name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._due.set()

    def calm(self) -> None:
        """Take back a ``wake`` that has not been heeded yet; not that it is to end."""
        self._due.clear()
        if self._ends.is_set():
            self._due.set()

    def end(self) -> bool:
        """Tell the thread to end and wait for it; False if it doesn't within ``PATIENCE_S``."""
        self._ends.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            if self._thread.is_alive():
                return False
        self._thread = None
        return True

    def _run(self, ends: threading.Event) -> None:
        while True:
            self._due.wait()
            self._is_working = True   # before it is due no more: in between nobody is told idle
            self._due.clear()
            if ends.is_set():
                return
            try:
                self._work()
            except Exception:  # noqa: B902 - without this thread a node only looks alive
                traceback.print_exc()
            self._is_working = False
