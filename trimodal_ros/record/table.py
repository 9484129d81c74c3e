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

"""A table of episodes, a line each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
import math
from pathlib import Path

from .episode import (
    EpisodeError,
    EpisodeInfo,
    find_episodes,
    METADATA_FILE,
    PARTIAL_SUFFIX,
    read_info,
    read_metadata,
)
from .leftovers import find_leftovers
from .lock import is_being_written, locked, LockedError
from ..spec import NS_PER_S

HEADER = ('episode', 'seconds', 'MB', 'source', 'operator', 'outcome', 'interventions', 'health',
          'instruction')
NUMBERS = ('seconds', 'MB')
DAMAGED, UNFINISHED, WRITTEN = 'damaged', 'unfinished', 'being written now'


def episode_table(root: Path) -> Iterator[str]:
    """
    Yield the lines of a table of the episodes at or below ``root``, and what to recover.

    One that can't be read, or was never finished, has its line too. Raises EpisodeError where
    there is none.
    """
    leftovers = {path: _state(path) for path in find_leftovers(root, thorough=False,
                                                               show_progress=False)}
    rows = [_row(path, root, leftovers.get(path, '')) for path in _all(root, leftovers)]
    table = [HEADER, *(row for row in rows if not isinstance(row, str))]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        yield '  '.join(text.rjust(width) if name in NUMBERS else text.ljust(width)
                        for text, width, name in zip(row, widths, HEADER)).rstrip()
    yield from (row for row in rows if isinstance(row, str))
    if {DAMAGED, UNFINISHED} & set(leftovers.values()):
        yield (f'python -m trimodal_ros.record recover {root} makes whole episodes of what is '
               f'{DAMAGED} or {UNFINISHED}')


def _all(root: Path, leftovers: Collection[Path]) -> list[Path]:
    try:
        return sorted({*find_episodes(root), *leftovers})
    except EpisodeError:   # there is no whole one
        if not leftovers:
            raise
        return list(leftovers)


def _state(path: Path) -> str:
    """Return what a leftover is."""
    if not path.name.endswith(PARTIAL_SUFFIX) and (path / METADATA_FILE).is_file():
        return DAMAGED
    try:
        with locked(path, wait=False):
            is_written = any(map(is_being_written, path.glob('*.mcap')))
    except LockedError:
        is_written = True
    return WRITTEN if is_written else UNFINISHED


def _row(path: Path, root: Path, state: str) -> tuple[str, ...] | str:
    """Return the cells of an episode, or why there are none; ``state`` is a leftover's."""
    if state in (UNFINISHED, WRITTEN):
        return f'{path.relative_to(root)}: {state}'
    try:
        info, metadata = read_info(path), read_metadata(path)
        seconds = metadata['duration']['nanoseconds'] / NS_PER_S
    except EpisodeError as error:
        return str(error)
    except (KeyError, TypeError) as error:
        return f'{path}: damaged metadata.yaml: {error!r}'
    size = sum(file.stat().st_size for file in path.iterdir())
    return (str(path.relative_to(root)), f'{seconds:.1f}', f'{size / 1e6:.1f}', info.source,
            info.operator or '-', info.outcome, _interventions(info),
            state or info.health.get('verdict', '-'), info.instruction)


def _interventions(info: EpisodeInfo) -> str:
    from_ns, to_ns = (info.part_of.get(name, other) for name, other in (
        ('from_ns', -math.inf), ('to_ns', math.inf)))
    spans_ns = [min(end, to_ns) - max(start, from_ns) for start, end in info.interventions
                if start < to_ns and end > from_ns]
    return f'{len(spans_ns)} ({sum(spans_ns) / NS_PER_S:.1f} s)' if spans_ns else '-'
