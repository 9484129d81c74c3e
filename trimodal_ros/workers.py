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
import os
import threading


def worker_pool(workers: int, start: Callable | None = None, *arguments) -> ProcessPoolExecutor:
    """
    Return a pool of processes, each of which calls ``start(*arguments)`` at first.

    They are spawned, as forking a process with threads or a GL context isn't safe.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context('spawn'), _begin,
                               (start, arguments))


def _begin(start: Callable | None, arguments: tuple) -> None:
    threading.Thread(target=_end_with_parent, name='parent', daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """Idle workers of a killed process would wait forever for its next job."""
    multiprocessing.parent_process().join()
    os._exit(1)
