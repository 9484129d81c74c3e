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

"""A clock that jumps, as when it is set or a bag is played anew: what came before misleads."""

from __future__ import annotations

from ..spec import NS_PER_S

JUMPED_BACK, JUMPED_AHEAD = 'clock jumped back', 'clock jumped ahead'


class JumpWatch:
    """
    Is told a clock's time again and again; more than ``most_s`` to either side is a jump.

    ``before_ns`` is what it was before, ``ahead_s`` what has gone by since.
    """

    def __init__(self, now_ns: int, most_s: float):
        self.most_s = most_s
        self.now_ns = self.before_ns = now_ns

    @property
    def ahead_s(self) -> float:
        return (self.now_ns - self.before_ns) / NS_PER_S

    @property
    def details(self) -> str:
        """Say what a jump ahead may be as well."""
        return f'or nothing went on here for {self.ahead_s:.3f} s'

    def look(self, now_ns: int) -> str:
        """Return JUMPED_BACK, JUMPED_AHEAD, or '' where it did neither."""
        self.before_ns, self.now_ns = self.now_ns, now_ns
        if self.ahead_s < -self.most_s:
            return JUMPED_BACK
        return JUMPED_AHEAD if self.ahead_s > self.most_s else ''
