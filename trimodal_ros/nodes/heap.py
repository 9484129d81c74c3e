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

"""
Memory that a node has given up goes back to the system, where the C library is glibc.

Images and messages come and go for days. Free memory lies in pieces between what is still used:
without this a node takes some MB more each hour though nothing leaks (benchmarks/soak.py).
"""

from __future__ import annotations

import ctypes
import time

M_ARENA_MAX = -8    # malloc.h of glibc
TRIM_EVERY_S = 60.0   # takes 0.3 to 0.9 ms


def share_one_heap() -> None:
    """Have all threads of this process allocate from one heap, where each of DDS's had its own."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


class HeapTrim:
    """Gives free pages of the heap back, once a minute; ``tick`` is called as often as may be."""

    def __init__(self):
        self._trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
        self._last_s = time.monotonic()

    def tick(self) -> None:
        if self._trim is not None and time.monotonic() - self._last_s >= TRIM_EVERY_S:
            self._trim(0)
            self._last_s = time.monotonic()
