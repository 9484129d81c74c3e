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

"""
Two ways to run the same layouts: how much more often the second succeeds.

    python -m benchmarks.paired --first A.json [MORE.json] --second B.json [MORE.json]

The files are those of ``evaluate rollout --json``. The layouts are the same, so a pair tells more
than two rates.
"""

from __future__ import annotations

import json
from pathlib import Path

import tyro

from trimodal_ros.evaluate.statistics import sign_test, wilson_interval, Z_95


def run(first: list[Path], second: list[Path]) -> None:
    """
    Print both rates, and the difference with its 95 % interval.

    :param first: JSON files of one way.
    :param second: JSON files of the other way, on the same layouts.
    """
    scenes = {str(json.loads(path.read_text())['scene']) for path in (*first, *second)}
    if len(scenes) > 1:
        raise SystemExit(f'error: of different scenes: {", ".join(sorted(scenes))}')
    one, other = (_successes(files) for files in (first, second))
    if one.keys() != other.keys():
        raise SystemExit(f'error: {len(one.keys() ^ other.keys())} layouts are in one only')
    for name, successes in (('first', one), ('second', other)):
        count = sum(successes.values())
        low, high = wilson_interval(count, len(successes))
        print(f'{name}: {count} of {len(successes)} ({100 * low:.1f}-{100 * high:.1f} %)')
    wins = sum(other[seed] and not one[seed] for seed in one)
    losses = sum(one[seed] and not other[seed] for seed in one)
    difference, half = difference_interval(wins, losses, len(one))
    print(f'only the second: {wins}, only the first: {losses}; difference '
          f'{100 * difference:+.1f} points ({100 * (difference - half):+.1f} to '
          f'{100 * (difference + half):+.1f}), p = {sign_test(wins, losses):.2g}')


def _successes(files: list[Path]) -> dict[int, bool]:
    return {trial['seed']: trial['success'] for path in files
            for trial in json.loads(path.read_text())['trials']}


def difference_interval(wins: int, losses: int, pairs: int) -> tuple[float, float]:
    """
    Return the difference of two paired rates and half its 95 % interval (Agresti 2013, 11.1.1).

    >>> [round(number, 4) for number in difference_interval(30, 10, 100)]
    [0.2, 0.1176]
    """
    difference = (wins - losses) / pairs
    variance = ((wins + losses) / pairs - difference ** 2) / pairs
    return difference, Z_95 * variance ** 0.5


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
