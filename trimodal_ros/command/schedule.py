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

"""Which images are planned from."""

from __future__ import annotations

from ..spec import NS_PER_S


class Schedule:
    """
    Plans are due once in ``period_s``, by the stamps of complete sets of images.

    Not locked, lock outside.
    """

    def __init__(self, period_s: float):
        self._period_ns = round(period_s * NS_PER_S)
        self.begin()

    def begin(self) -> None:
        """Plan from whatever comes next, as after a clock jump."""
        self.from_ns = 0      # images stamped earlier are not planned from
        self._newest_ns = 0

    def is_new(self, stamp_ns: int) -> bool:
        """Tell, once, whether images are newer than all before."""
        if stamp_ns <= self._newest_ns:
            return False
        self._newest_ns = stamp_ns
        return True

    def is_due(self, stamp_ns: int) -> bool:
        """Tell whether images are to be planned from."""
        return stamp_ns >= self.from_ns

    def take(self, stamp_ns: int) -> None:
        """Note that images are planned from: the next ones are a period later."""
        self.from_ns = stamp_ns + self._period_ns

    def skip(self, stamp_ns: int | None) -> None:
        """Plan from the images after those at hand, which have aged."""
        self.from_ns = (stamp_ns or 0) + 1
