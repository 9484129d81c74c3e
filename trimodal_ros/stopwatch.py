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

"""How long the stages of one decision take."""

from __future__ import annotations

import time


class Stopwatch:
    """Laps since ``start``, in ms by name; for one thread."""

    def __init__(self):
        self.start()

    def start(self) -> None:
        """Forget all laps; the next one begins now."""
        self.laps_ms, self._last = {}, time.perf_counter()

    def lap(self, name: str) -> None:
        """End the lap ``name``; laps of one name add up."""
        now = time.perf_counter()
        self.laps_ms[name] = self.laps_ms.get(name, 0.0) + 1e3 * (now - self._last)
        self._last = now
