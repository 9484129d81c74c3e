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

"""The training log: a CSV a person can plot."""

from __future__ import annotations

from collections.abc import Mapping
import csv
from pathlib import Path


class TrainingLog:
    """
    ``log.csv``: a row a save; rows after the step resumed from are dropped.

    ``last`` is the newest row, with the numbers that were written, or read back.
    """

    def __init__(self, path: Path, first: int):
        self.path, self.last = path, {}
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        if path.exists():
            with path.open() as file:
                kept = [row for row in map(_numbers, csv.DictReader(file)) if row['step'] <= first]
            path.unlink()
        for row in kept:
            self.write(row)

    def write(self, row: Mapping) -> None:
        self.last = dict(row)
        fresh = not self.path.exists()
        with self.path.open('a', newline='') as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)


def _numbers(row: Mapping[str, str]) -> dict[str, int | float]:
    """
    Return a row as it was written.

    >>> _numbers({'step': '250', 'loss': '0.5'})
    {'step': 250, 'loss': 0.5}
    """
    return {name: int(text) if name == 'step' else float(text) for name, text in row.items()}
