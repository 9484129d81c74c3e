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

"""Whether an episode can begin, and if not, which topic is missing and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .selection import Wanted
from ..spec import NS_PER_S


@dataclass
class Seen:
    """
    What is known of a topic on the graph.

    ``complaint`` is about its types or QoS. ``type_name`` is the one that is recorded, '' as
    long as there is none. A ``latched`` topic is alive once something has come, and stays so.
    """

    wanted: Wanted
    type_name: str = ''
    publishers: list[str] = field(default_factory=list)   # names of nodes
    complaint: str = ''
    latched: bool = False
    newest_ns: int | None = None

    def is_alive(self, now_ns: int, alive_s: float) -> bool:
        return self.newest_ns is not None and (
            self.latched or now_ns - self.newest_ns <= alive_s * NS_PER_S)


def why_not_alive(seen: Seen, now_ns: int, alive_s: float) -> str:
    """
    Return what is known of a topic that isn't alive, '' of one that is.

    >>> why_not_alive(Seen(Wanted('joint_states')), 0, 1.0)
    'joint_states: nobody publishes it'
    """
    name = seen.wanted.name
    if seen.complaint:
        return f'{name}: {seen.complaint}'
    if seen.is_alive(now_ns, alive_s):
        return ''
    if not seen.publishers:
        return f'{name}: nobody publishes it'
    by = f'published by {", ".join(sorted(set(seen.publishers)))}'
    if seen.newest_ns is None:
        return f'{name}: {by}, but nothing has come yet'
    return (f'{name}: {by}, but silent for {(now_ns - seen.newest_ns) / NS_PER_S:.1f} s; '
            f'alive is once in {alive_s:g} s')


def missing(topics: list[Seen], now_ns: int, alive_s: float) -> list[str]:
    """Return what is missing of those that are required, one text each."""
    reasons = (why_not_alive(seen, now_ns, alive_s) for seen in topics if seen.wanted.required)
    return [reason for reason in reasons if reason]
