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

"""The order of receipt, from pieces of a file that lie in about that order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path

from .episode import EpisodeError
from .piece import DamageError, Piece, RawMessage
from ..spec import NS_PER_S

MAX_STEP_BACK_NS = NS_PER_S  # several threads write in any order, but within this
_received = attrgetter('received_ns')


def in_order(pieces: Sequence[Piece],
             load: Callable[[Piece], list[RawMessage]]) -> Iterator[RawMessage]:
    """Yield all messages by time of receipt; loads a piece when its first one is due."""
    pending: list[RawMessage] = []
    for piece in sorted(pieces, key=attrgetter('first_ns')):
        due = bisect_left(pending, piece.first_ns, key=_received)
        yield from pending[:due]
        pending = sorted(pending[due:] + load(piece), key=_received)
    yield from pending


def check_order(path: Path, times_ns: Sequence[int]) -> None:
    """Raise EpisodeError where receipt goes back in time: to sort would mix what was apart."""
    step_ns = step_back_ns(times_ns)
    if step_ns > MAX_STEP_BACK_NS:
        raise EpisodeError(f'{path}: times of receipt go back by {step_ns / NS_PER_S:.3f} s, '
                           f'expected at most {MAX_STEP_BACK_NS / NS_PER_S:g} s: a clock was set '
                           'while it was recorded')


def step_back_ns(times_ns: Sequence[int]) -> int:
    """Return how far, at most, a time lies before one that comes before it."""
    latest_ns, step_ns = 0, 0
    for time_ns in times_ns:
        latest_ns = max(latest_ns, time_ns)
        step_ns = max(step_ns, latest_ns - time_ns)
    return step_ns


def check_times(piece: Piece, messages: Sequence[RawMessage]) -> None:
    """Raise DamageError for messages that were received at other times than their piece tells."""
    times_ns = [message.received_ns for message in messages]
    if times_ns and (min(times_ns), max(times_ns)) != (piece.first_ns, piece.last_ns):
        raise DamageError('a chunk with other times than its head tells')
