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

"""What a check found: how bad it is, what was got and expected, why it matters, what to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal['error', 'warning', 'note', 'ok']
MARKS = {'error': 'ERROR', 'warning': 'WARN', 'note': 'note', 'ok': 'ok'}


@dataclass(frozen=True)
class Finding:
    """
    One thing that was looked at.

    'error': the policy would hold, or the robot move as it must not. 'warning': it would work,
    worse or less safely. 'note': could not be looked at, or is good to know.
    """

    severity: Severity
    part: str          # of the robot: 'camera front', 'joints', 'controller left'
    about: str         # what was looked at: 'publisher', 'rate', 'stamps'
    found: str
    expected: str = ''
    reason: str = ''
    change: str = ''

    def to_dict(self) -> dict:
        """Plain data."""
        return asdict(self)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether any is an error."""
    return any(finding.severity == 'error' for finding in findings)


def table(findings: Iterable[Finding]) -> str:
    """
    Return a line for each finding, and below it, but for what is well, why and what to change.

    >>> print(table([Finding('ok', 'joints', 'rate', '50.0 Hz')]))
    ok     joints  rate  50.0 Hz
    """
    rows = list(findings)
    part, about = (max((len(getattr(row, name)) for row in rows), default=0)
                   for name in ('part', 'about'))
    lines = []
    for row in rows:
        expected = f'; expected {row.expected}' if row.expected and row.severity != 'ok' else ''
        lines.append(f'{MARKS[row.severity]:5}  {row.part:{part}}  {row.about:{about}}  '
                     f'{row.found}{expected}')
        if row.severity != 'ok':
            lines += [f'       {what}: {text}' for what, text in (
                ('why', row.reason), ('change', row.change)) if text]
    return '\n'.join(lines)


def summary(findings: Iterable[Finding]) -> str:
    """Return how many there are of each severity."""
    rows = [finding.severity for finding in findings]
    return ', '.join(f'{rows.count(severity)} {name}' for severity, name in (
        ('error', 'errors'), ('warning', 'warnings'), ('note', 'notes'), ('ok', 'ok')))
