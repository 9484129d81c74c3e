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

HEARTBEAT_S = 0.2    # how often whoever commands by hand says so
SILENT = 'takeover: silent'


@dataclass
class Takeover:
    """
    What was heard last. Times are of a clock that never jumps.

    Once on, it must be heard at least every ``max_silence_s``.
    """

    max_silence_s: float = 1.0
    is_on: bool = False
    heard_ns: int = 0

    def hear(self, is_on: bool, now_ns: int) -> bool:
        """Note what was heard; tell whether that is new."""
        is_new, self.is_on, self.heard_ns = is_on != self.is_on, is_on, now_ns
        return is_new

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether whoever had taken over has not been heard for too long."""
        return self.is_on and now_ns - self.heard_ns > self.max_silence_s * NS_PER_S
