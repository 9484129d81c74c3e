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

"""Processes that share work, and end with the one that started them, however that ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
import os
import signal
import threading


def worker_pool(workers: int, start: Callable | None = None, *arguments) -> ProcessPoolExecutor:
    """
    Return a pool of processes, each of which calls ``start(*arguments)`` at first.

    They are spawned, as forking a process with threads or a GL context isn't safe. Ctrl-C is the
    caller's alone: an exception that leaves the pool's ``with`` ends them at once.
    """
    return _Pool(workers, _Spawn(), _begin, (start, arguments))


class _Deaf(SpawnProcess):
    """A process that Ctrl-C doesn't reach, not while it imports either."""

    def start(self) -> None:
        resource_tracker.ensure_running()   # which unblocks signals when it begins
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})   # is inherited
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Spawn(SpawnContext):
    """Knows the processes it started."""

    def __init__(self):
        super().__init__()
        self.started: list[_Deaf] = []

    def Process(self, *arguments, **named) -> _Deaf:  # noqa: N802 - as of any context
        self.started.append(_Deaf(*arguments, **named))
        return self.started[-1]


class _Pool(ProcessPoolExecutor):
    def __init__(self, workers: int, context: _Spawn, *others):
        super().__init__(workers, context, *others)
        self._context = context

    def __exit__(self, kind, *others) -> bool | None:
        if kind is not None:
            for process in self._context.started:
                if process.pid is not None:
                    process.kill()
            self.shutdown(cancel_futures=True)
        return super().__exit__(kind, *others)


def _begin(start: Callable | None, arguments: tuple) -> None:
    threading.Thread(target=_end_with_parent, name='parent', daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """Idle workers of a killed process would wait forever for its next job."""
    multiprocessing.parent_process().join()
    os._exit(1)
