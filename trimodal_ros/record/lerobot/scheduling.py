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

"""What libraries do to a process's scheduling, undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os

TASKS = '/proc/self/task'


@contextmanager
def without_real_time() -> Iterator[None]:
    """
    Take threads that become real-time inside back to normal scheduling.

    The AV1 encoder SVT-AV1, used by root, makes its threads and the one that opens it SCHED_FIFO
    99: a robot's nodes beside it would stand still.
    """
    before = _real_time_threads()
    try:
        yield
    finally:
        for thread in _real_time_threads() - before:
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time_threads() -> set[int]:
    if not os.path.isdir(TASKS):  # not Linux
        return set()
    return {thread for thread in map(int, os.listdir(TASKS))
            if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR)}
