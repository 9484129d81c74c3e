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

"""What the console shows: drawn by rich from what the recorder tells on /diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .console_fit import fit, lines_of

KEYS = {   # what they ask the recorder for
    's': 'start', 'y': 'success', 'n': 'failure', 'e': 'stop', 'd': 'discard', 'r': 'redo',
    'k': 'keep'}
SIMULATED_KEYS = {'t': 'table anew'}   # beside a simulated robot only
OTHER_KEYS = {'i': 'instruction', 'q': 'quit'}
STYLES = {DiagnosticStatus.OK: 'green', DiagnosticStatus.WARN: 'yellow'}
COLUMNS = {   # heading, value of the topic's status; in a narrow terminal the first of them
    'Hz': 'rate_hz', 'dropped': 'dropped', 'lost': 'lost', 'gaps': 'gaps',
    'longest s': 'longest_gap_s', 'skew s': 'skew_s', 'oldest s': 'oldest_s',
    'same': 'duplicates', 'MB/s': 'mb_s'}
TEXT_WIDTH = 24    # of topic and of health, at least; longer ones go on in the next line
ENDINGS = ('success', 'failure', 'unknown', 'discarded', 'failed')


@dataclass
class Shown:
    """
    All that is on the screen.

    ``statuses`` are the recorder's by part, empty before it was heard; ``typed`` is an
    instruction under way, None while none is; ``answers`` are the recorder's, the last one last;
    ``table`` is what a simulated robot tells of its table, None where there is none.
    """

    recorder: str
    statuses: Mapping[str, DiagnosticStatus] = field(default_factory=dict)
    answers: Sequence[str] = ()
    typed: str | None = None
    table: str | None = None


def draw(shown: Shown, width: int, height: int) -> RenderableType:
    """
    Return the screen, of ``width`` characters and ``height`` lines, none of them cut off below.

    Where room is short, topics go first, those without findings before the others.
    """
    prompt = lines_of(_prompt(shown, width), width)[-height:]
    answers = [lines_of(Text(line, 'red' if line.startswith('!') else ''), width)
               for line in shown.answers]
    if not shown.statuses:
        top, tables = [Text(f'nothing is heard of {shown.recorder!r} on /diagnostics: is it '
                            'running, on this ROS_DOMAIN_ID?', 'bold red')], lambda room: iter(())
    else:
        top = [_headline(shown), *_simulated(shown), _figures(shown)]

        def tables(room: int) -> Iterator[list[RenderableType]]:
            return _tables(shown, width, room)
    return fit([lines_of(part, width) for part in top], tables, answers, prompt, width, height)


def _values(status: DiagnosticStatus | None) -> dict[str, str]:
    return {} if status is None else {item.key: item.value for item in status.values}


def _headline(shown: Shown) -> Text:
    state = shown.statuses.get('state')
    values = _values(state)
    style = STYLES.get(state.level, 'bold red') if state else 'red'
    text = Text(state.message.upper() if state and 'episode' in values else
                state.message if state else '', f'bold {style}')
    if 'episode' in values:
        text.append(f'  {Path(values["episode"]).name}  {values["seconds"]} s', 'bold')
    if values.get('taken_over') == 'true':
        text.append('  TAKEN OVER', 'bold magenta')
    if 'episode' not in values and not values.get('instruction', 'unheard'):
        text.append('; press i to give an instruction', 'bold')
    return text


def _simulated(shown: Shown) -> list[Text]:
    """Return what the simulated robot tells of its table, one line or none."""
    return [] if shown.table is None else [Text(shown.table or 'table: not heard of yet', 'cyan')]


def _figures(shown: Shown) -> Text:
    state, disk = (_values(shown.statuses.get(part)) for part in ('state', 'disk'))
    counts = ', '.join(f'{values} {name}' for name in ENDINGS
                       if (values := state.get(f'episodes_{name}')))
    instruction = state.get('recorded_instruction') or state.get('instruction')
    return Text(
        f'instruction: {instruction or "none"}\n'
        f'operator: {state.get("operator") or "-"}   episodes: {counts or "none yet"}   '
        f'in memory: {state.get("ring_s", "?")} s\n'
        f'disk: {disk.get("free_mb", "?")} MB free, at least {disk.get("min_free_mb", "?")}   '
        f'writing {disk.get("written_mb_s", "?")} MB/s   queue: '
        f'{disk.get("queued_messages", "?")} messages, {disk.get("queued_mb", "?")} MB\n',
        ) + _trouble(shown.statuses.get('disk'))


def _trouble(disk: DiagnosticStatus | None) -> Text:
    """Return what is wrong with the disk, in red."""
    if disk is None or disk.level == DiagnosticStatus.OK:
        return Text()
    return Text(f'{disk.message}\n', 'bold red')


def _tables(shown: Shown, width: int, room: int) -> Iterator[list[RenderableType]]:
    """
    Yield all topics, then one fewer each time and how many are left out; the worst stay.

    What has more rows than there are lines of ``room`` is passed over.
    """
    topics = {part: status for part, status in shown.statuses.items()
              if part not in ('state', 'disk')}
    if len(topics) < room:
        yield [_topics(topics, width)]
    worst = sorted(topics.items(), key=lambda item: item[1].level, reverse=True)
    for count in range(min(len(worst) - 1, max(0, room - 2)), -1, -1):
        bad = sum(status.level != DiagnosticStatus.OK for _, status in worst[count:])
        left_out = Text(f'{len(worst) - count} topics not shown, {bad or "none"} with findings',
                        'bold yellow' if bad else 'dim')
        yield [_topics(dict(worst[:count]), width), left_out] if count else [left_out]


def _topics(topics: Mapping[str, DiagnosticStatus], width: int) -> Table:
    columns = _columns([_values(status) for status in topics.values()], width)
    table = Table(box=None, pad_edge=False, header_style='bold')
    table.add_column('topic', overflow='fold')
    for heading in columns:
        table.add_column(heading, justify='right', no_wrap=True)
    table.add_column('health', overflow='fold')
    for part, status in topics.items():
        values, text = _values(status), status.message.removeprefix(f'{part}: ')
        table.add_row(part, *(values.get(COLUMNS[heading], '') for heading in columns),
                      Text(text, STYLES.get(status.level, 'bold red')))
    return table


def _columns(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Return the headings of the figures there is room for, each in full."""
    left, chosen = width - 2 * TEXT_WIDTH, []
    for heading, name in COLUMNS.items():
        left -= 2 + max(len(heading), *(len(row.get(name, '')) for row in rows), 0)
        if left >= 0:
            chosen.append(heading)
    return chosen


def _prompt(shown: Shown, width: int) -> Text:
    if shown.typed is not None:
        return Text.assemble('instruction: ', (shown.typed, 'bold'), ('▏', 'blink'),
                             '   Enter gives it, Esc leaves it')
    text, left = Text(), width
    simulated = {} if shown.table is None else SIMULATED_KEYS
    for key, name in {**KEYS, **simulated, **OTHER_KEYS}.items():
        length = len(f' {key}  {name}')
        if length > left:   # a key and what it does stay together
            text.append('\n')
            left = width
        text.append(f' {key} ', 'reverse')
        text.append(f' {name}')
        left -= length + 2
        text.append('  ' if left > 0 else '')
    return text
