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

"""ROS 2 executables: shells round the rooms before this one."""

import ctypes

M_ARENA_MAX = -8  # malloc.h of glibc


def share_one_heap() -> None:
    """
    Have the threads of this process allocate from one heap, where the C library is glibc.

    It gives them up to eight heaps a core, and each of those that DDS's threads use is cut up into
    pieces for itself: memory creeps up for hours though nothing leaks (benchmarks/soak.py).
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


share_one_heap()  # before libraries are imported, which start threads
