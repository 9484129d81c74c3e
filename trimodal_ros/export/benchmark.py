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
"""How long a plan takes on this machine, by everything here that can make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
import time

import numpy as np

from .compare import TOLERANCE
from ..evaluate.statistics import summarize_ms
from ..plan.engine import Engine, open_policy
from ..plan.runtime import available_providers, ModelError, ProviderError
from ..progress import progress_bar
from ..spec import NS_PER_S, Observation, RobotSpec

REMOTE = ('AzureExecutionProvider',)  # sends images to somebody else's computer
WARM_UP = 5


def measure(checkpoint: Path, exported: Path, plans: int, threads: int,
            compiled: bool = True) -> list[dict]:
    """
    Return a row for each way: its name, p50, p99 and max in ms, or why it can't be had.

    ``off_rad`` is how far its plans are from those of PyTorch, eager, at most.
    Every way plans for the same observations, ``plans`` of them after some to warm up, with
    ``threads`` of the CPU; the sentence is read before. Ways take turns of a few plans, so that
    what else the machine does falls on all of them.
    """
    rows, ways, off_rad, expected = [], {}, {}, None
    for name, open_way in _ways(checkpoint, exported, threads, compiled):
        try:
            policy = open_way()
            if policy.fall_back:
                raise ProviderError(policy.fall_back)
            ways[name] = policy
            plans_NTJ = [policy.plan(seen).position_TJ
                         for seen in _observations(policy.robot, WARM_UP)]
            expected = plans_NTJ if expected is None else expected
            off_rad[name] = float(np.abs(np.subtract(plans_NTJ, expected)).max())
        except (ProviderError, ModelError, ValueError) as error:
            rows.append({'way': name, 'missing': str(error).splitlines()[0]})
    times_ms = {name: [] for name in ways}
    for _ in progress_bar(range(-(-plans // WARM_UP)), desc='benchmark', unit='turn'):
        for name, policy in ways.items():
            times_ms[name] += _plan(policy, WARM_UP)
    measured = [{'way': name, 'off_rad': off_rad[name], **summarize_ms(np.array(times))}
                for name, times in times_ms.items()]
    return sorted(measured, key=lambda row: row['p50']) + rows


def _ways(checkpoint: Path, exported: Path, threads: int,
          compiled: bool) -> Iterator[tuple[str, Callable]]:
    torch_engine = Engine(threads=threads)
    yield 'PyTorch, eager', lambda: open_policy(checkpoint, engine=torch_engine)
    if compiled:
        yield 'PyTorch, compiled', lambda: open_policy(
            checkpoint, engine=replace(torch_engine, compiling='on'))
    for provider in available_providers():
        if provider not in REMOTE:
            engine = Engine(provider=provider, threads=threads)
            yield provider, lambda engine=engine: open_policy(exported, engine=engine)


def _plan(policy, count: int) -> list[float]:
    """Plan for so many observations; return the times in ms."""
    times_ms = []
    for seen in _observations(policy.robot, count):
        started = time.perf_counter()
        policy.plan(seen)
        times_ms.append(1e3 * (time.perf_counter() - started))
    return times_ms


def _observations(robot: RobotSpec, count: int) -> list[Observation]:
    return [replace(Observation.make_example(robot, seed), stamp_ns=(seed + 1) * NS_PER_S)
            for seed in range(count)]


def table(rows: list[dict]) -> str:
    """Return rows as lines of text, the fastest first; that of equal plans is named at the end."""
    headings = ('p50', 'p99', 'max', 'off rad')
    lines = [f'{"ms a plan":28}' + ''.join(f'{name:>9}' for name in headings)]
    for row in rows:
        figures = ('  ' + row['missing'] if 'missing' in row else
                   ''.join(f'{row[name]:9.2f}' for name in headings[:3])
                   + f'{row["off_rad"]:9.0e}' + ('' if is_equal(row) else '  not equal'))
        lines.append(f'{row["way"]:28}{figures}')
    fastest = [row['way'] for row in rows if is_equal(row)][:1]
    return '\n'.join([*lines, f'fastest here: {"".join(fastest) or "nothing"}'])


def is_equal(row: dict) -> bool:
    """Tell whether a way that is there plans the same as PyTorch, eager."""
    return 'missing' not in row and row['off_rad'] <= TOLERANCE
