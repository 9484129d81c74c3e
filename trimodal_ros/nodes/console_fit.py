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

"""Fits what the console shows into a terminal: what is typed and answered is never cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import io

from rich.console import Console, Group, RenderableType
from rich.segment import Segment, SegmentLines

Lines = list[list[Segment]]
Tables = Callable[[int], Iterator[list[RenderableType]]]   # those that may fit into so many lines
ROOMY = 20   # lines of a terminal, from which some are left empty


def lines_of(part: RenderableType, width: int) -> Lines:
    """Return the lines that a part takes at that width, one list of segments each."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    return console.render_lines(part, pad=False)


def fit(top: Sequence[Lines], tables: Tables, answers: Sequence[Lines], prompt: Lines,
        width: int, height: int) -> SegmentLines:
    """
    Return a screen of at most ``height`` lines: top, table, answers, and the prompt in full.

    The prompt is served first, then the beginning of ``top``, the answers, from the last one up
    to half of what is left, the rest of ``top``; the table is the first of ``tables`` that fits.
    """
    gap = [[]] if height >= ROOMY else []
    room = height - len(prompt) - 2 * len(gap)
    above = [line for part in top for line in part
             if gap or any(segment.text.strip() for segment in line)]
    below = _last(answers, max(1, (room - 1) // 2))
    above = above[:max(0, room - len(below) - 1)]
    table = _first(tables, width, room - len(below) - len(above))
    lines = [*above, *table, *gap, *below, *gap, *prompt][-height:]
    return SegmentLines(lines, new_lines=True)


def _last(answers: Sequence[Lines], room: int) -> Lines:
    """Return the newest answers that fit, whole; of the last one at least its beginning."""
    kept = answers[-1][:room] if answers else []
    for answer in reversed(answers[:-1]):
        if len(answer) + len(kept) > room:
            break
        kept = [*answer, *kept]
    return kept


def _first(tables: Tables, width: int, room: int) -> Lines:
    for table in tables(room):
        lines = lines_of(Group(*table), width)
        if len(lines) <= room:
            return lines
    return []
