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

"""Whether the robot may be commanded, and if not, why and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args, Literal

from ..spec import NS_PER_S

Resume = Literal['auto', 'service']
GiveBack = Literal['release', 'service']
NO_INSTRUCTION = 'no instruction'
TAKEN_OVER = 'taken over'    # by somebody who commands by hand
IDLE = ('', NO_INSTRUCTION)  # nothing is wrong


@dataclass
class StopTopic:
    """
    A topic that asks for a stop, or says that it doesn't, again and again; '' for none.

    Times are of a clock that never jumps.
    """

    name: str = ''
    max_silence_s: float = 0.0
    heard_ns: int | None = None

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether it has not been heard for longer than it may be."""
        heard_ns = self.heard_ns
        return bool(self.name) and (
            heard_ns is None or now_ns - heard_ns > self.max_silence_s * NS_PER_S)


class Stop:
    """A stop that somebody must end; it outlives the configuration of a node."""

    def __init__(self):
        self.by = ''                      # who stopped the robot last
        self._asking: set[str] = set()    # who still asks for it

    def ask(self, who: str, asks_on: bool = False) -> None:
        """Stop; ``asks_on`` when who stops says so until it says otherwise."""
        self.by = who
        if asks_on:
            self._asking.add(who)

    def ask_no_more(self, who: str) -> None:
        """Note that who stopped the robot doesn't ask for it any more; it stays stopped."""
        self._asking.discard(who)

    def end(self) -> None:
        """End it. Raises ValueError while somebody asks for it."""
        if self._asking:
            raise ValueError(f'still stopped by {", ".join(sorted(self._asking))}')
        self.by = ''


class Interlock:
    """
    Holds, which end, and stops, which somebody must end; not locked, lock outside.

    A hold ends by itself after ``resume_after`` good observations in a row, or with resume
    'service' by ``resume``; having no instruction ends with one. A stop ends by ``resume`` alone,
    and not while whoever asked for it still does. A robot that was taken over is held until it is
    given back, and with give_back 'service' until ``resume`` after that.
    """

    def __init__(self, resume: Resume = 'auto', resume_after: int = 3,
                 stopped: Stop | None = None, give_back: GiveBack = 'release'):
        _check_choice('resume', resume, Resume)
        _check_choice('give_back', give_back, GiveBack)
        self.resume_by, self.resume_after, self.give_back_by = resume, resume_after, give_back
        self.is_taken = False             # over, by somebody who commands by hand
        self.reason = ''                  # what the robot is held for; '' while it is commanded
        self.details = ''                 # its numbers, which may change
        self.stopped = stopped or Stop()
        self._good = 0
        self._waits = False               # for ``resume``

    def begin(self) -> None:
        """Let go of every hold, as when the robot is activated; not of a robot taken over."""
        self.reason, self.details = TAKEN_OVER if self.is_taken else '', ''
        self._good, self._waits = 0, False

    def hold(self, what: str, details: str = '') -> bool:
        """Hold; tell whether that is for something else than before."""
        is_new = what != self.reason
        if what not in IDLE and self.resume_by == 'service':
            self._waits = True
        self.reason, self.details, self._good = what, details, 0
        return is_new

    def take(self) -> None:
        """Hold for somebody who commands by hand, until ``give_back``."""
        self.is_taken = True
        self.reason, self.details, self._good = TAKEN_OVER, '', 0

    def give_back(self) -> None:
        """Let that hold end as others do, or with give_back 'service' by ``resume``."""
        self.is_taken, self._good = False, 0
        self._waits = self._waits or self.give_back_by == 'service'

    def good(self) -> None:
        """Count a complete and fresh observation."""
        self._good += 1

    @property
    def stopped_by(self) -> str:
        """Who stopped the robot; '' for nobody."""
        return self.stopped.by

    def stop(self, who: str, asks_on: bool = False) -> None:
        """Stop until ``resume``; ``asks_on`` as for a Stop."""
        self.stopped.ask(who, asks_on)

    def ask_no_more(self, who: str) -> None:
        """Note that who stopped the robot doesn't ask for it any more."""
        self.stopped.ask_no_more(who)

    def resume(self) -> None:
        """End the stop and let a hold end. Raises ValueError while somebody asks for the stop."""
        self.stopped.end()
        self._waits = False
        if self.is_taken:
            self.reason, self.details = TAKEN_OVER, ''

    @property
    def may_plan(self) -> bool:
        """Tell whether a plan may be made and sent, if nothing new is wrong."""
        if self.stopped_by or self.is_taken or self._waits:
            return False
        return self.reason in IDLE or self._good >= self.resume_after

    def command(self) -> bool:
        """Note that the robot is commanded; tell whether it was held before."""
        was_held = bool(self.reason)
        self.reason = self.details = ''
        return was_held


def _check_choice(name: str, value: str, choices) -> None:
    if value not in get_args(choices):
        raise ValueError(f'{name} {value!r} is not one of {", ".join(get_args(choices))}')
