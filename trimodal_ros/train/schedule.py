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

"""The learning rate from step to step, and where the time goes."""

from __future__ import annotations

from collections.abc import Iterator
import math
import time

from .batches import Batch

WARMUP_STEPS = 100


def learning_rate_factor(step: int, steps: int) -> float:
    """
    Return the share of the peak learning rate: linear warm-up, then cosine to zero.

    >>> [round(learning_rate_factor(step, 1100), 2) for step in (49, 99, 600, 1100)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return 0.5 * (1 + math.cos(math.pi * progress))


class Clock:
    """How long a run took, and how much of that it waited for data."""

    def __init__(self):
        self.started, self.waited_s = time.perf_counter(), 0.0

    def watch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            self.waited_s += time.perf_counter() - asked
            if batch is None:
                return
            yield batch

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started

    def waited_share(self) -> float:
        return self.waited_s / self.elapsed_s()
