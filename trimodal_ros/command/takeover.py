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

"""Whether somebody commands by hand, as told again and again on the topic ``takeover``."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec import NS_PER_S

TAKEOVER_TOPIC = 'takeover'   # std_msgs/Bool, latched
HEARTBEAT_S = 0.2    # how often whoever commands by hand says so
MOST_NS = 100_000_000  # of silence, between two looks: one's own standstill is nobody's silence
SILENT = 'takeover: silent'


@dataclass
class Takeover:
    """
    What was heard last. Times are of a clock that never jumps.

    Once on, it must be heard at least every ``max_silence_s``.
    """

    max_silence_s: float = 1.0
    is_on: bool = False
    _silent_ns: int = 0
    _looked_ns: int = 0

    def hear(self, is_on: bool) -> bool:
        """Note what was heard; tell whether that is new."""
        is_new, self.is_on, self._silent_ns = is_on != self.is_on, is_on, 0
        return is_new

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether whoever had taken over has not been heard for too long; ask often."""
        self._silent_ns += min(now_ns - self._looked_ns, MOST_NS)
        self._looked_ns = now_ns
        return self.is_on and self._silent_ns > self.max_silence_s * NS_PER_S
