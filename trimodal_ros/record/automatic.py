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

"""Episodes that begin and end with the instruction."""

from __future__ import annotations

START, END, NOTHING = 'start', 'end', ''


class Automatic:
    """
    A new instruction begins an episode; another, or an empty one, ends it.

    Instructions are told apart by a number that counts them. An episode that somebody ended is
    not begun again with the instruction it had.
    """

    def __init__(self):
        self._done = 0

    def decide(self, instruction: str, number: int, recorded: int | None) -> str:
        """
        Return what is to be done: 'start', 'end' or ''.

        ``recorded`` is the number of the episode under way, None while there is none.

        >>> Automatic().decide('put it there', 1, None)
        'start'
        """
        if recorded is not None:
            self._done = recorded
            return END if number != recorded else NOTHING
        return START if instruction and number != self._done else NOTHING
