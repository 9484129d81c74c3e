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
"""Values as people are shown them: in handy units, with as many digits as they deserve."""

from __future__ import annotations

import math

from markupsafe import Markup

from .catalogue import Measure

# Shown; else as measured.
UNITS = {'m': 'mm', 'rad/s^3': 'rad/s³', 'share': '%', 'percent': '%', 'cosine': ''}
FACTORS = {'m': 1000.0, 'share': 100.0}
MISSING = '–'


def digits(value: float | None, unit: str, signed: bool = False) -> str:
    """
    Return a value in the unit it is shown in, without its name.

    >>> digits(0.031234, 'rad'), digits(0.0123, 'm'), digits(0.5, 'share'), digits(None, 'ms')
    ('0.0312', '12.3', '50.0', '–')
    >>> digits(-0.0004, 'rad', signed=True), digits(1234.5, 'rad/s^3')
    ('−0.0004', '1234')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    value *= FACTORS.get(unit, 1.0)
    places = _places(value, unit)
    return minus(f'{value:{"+" if signed else ""}.{places}f}')


def minus(number: str) -> str:
    """
    Return a number as it is set in print; 0 has no sign.

    >>> minus('-1.5'), minus('-0.00')
    ('−1.5', '0.00')
    """
    return number.replace('-', '−') if float(number) else number.lstrip('+-')


def _places(value: float, unit: str) -> int:
    """Return as many decimals as a unit deserves, fewer for large values."""
    if unit in ('rad', 'cosine'):
        return 4 if unit == 'rad' and abs(value) < 1 else 3
    return 2 if abs(value) < 10 and unit != 'share' else 1 if abs(value) < 1000 else 0


def figure(value: float | None, unit: str, signed: bool = False, named: bool = True) -> Markup:
    """Return a value as it is shown, for machines exactly; ``named`` with its unit."""
    text = digits(value, unit, signed)
    if text == MISSING:
        return Markup(MISSING)
    unit = UNITS.get(unit, unit) if named else ''
    return Markup('<data value="{}">{}{}</data>').format(
        repr(float(value)), text, unit and f'\N{NO-BREAK SPACE}{unit}')


def unit_of(measure: Measure) -> str:
    return UNITS.get(measure.unit, measure.unit)


def degrees(value_rad: float) -> str:
    """
    Return an angle for people.

    >>> degrees(0.03)
    '1.7°'
    """
    return f'{math.degrees(value_rad):.1f}°'


def duration(seconds: float) -> str:
    """
    Return a time for people.

    >>> duration(12.34), duration(754), duration(3600)
    ('12.3 s', '12 min 34 s', '1 h 0 min')
    """
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest} s' if minutes < 60 else f'{minutes // 60} h {minutes % 60} min'


def counted(number: int, name: str) -> str:
    """
    Return a number of things.

    >>> counted(1, 'recording'), counted(1200, 'plan')
    ('1 recording', '1,200 plans')
    """
    return f'{number:,} {name}{"" if number == 1 else "s"}'


def apart(value: float, unit: str) -> str:
    """Return how far two values are apart: shares in points of percent."""
    return (f'{digits(value, unit)} {"points" if unit == "share" else UNITS.get(unit, unit)}'
            ).rstrip()


def with_unit(value: float | None, unit: str, signed: bool = False) -> str:
    return f'{digits(value, unit, signed)} {UNITS.get(unit, unit)}'.rstrip()
