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
"""What a result says, in plain words, and its numbers as people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
import math
from typing import Literal, NamedTuple

from markupsafe import Markup

from .catalogue import Measure, MEASURES, PRIMARY
from .result import Compared, Comparison, Figure, Passed, Result

Tone = Literal['good', 'bad', 'even']
# Shown; else as measured.
UNITS = {'m': 'mm', 'rad/s^3': 'rad/s³', 'share': '%', 'percent': '%', 'cosine': ''}
FACTORS = {'m': 1000.0, 'share': 100.0}
SIGNS = {'good': '✓', 'bad': '✗', 'even': '•'}
TONES = {'better': 'good', 'worse': 'bad', 'no difference shown': 'even'}
VERDICTS = {'better': 'Better than the baseline', 'worse': 'Worse than the baseline',
            'no difference shown': 'No difference from the baseline shown'}
NO_VERDICT = 'What the policy would have done'
MISSING = '–'


class Answer(NamedTuple):
    """What a person asks first, answered."""

    question: str
    answer: str
    why: str
    tone: Tone

    @property
    def sign(self) -> str:
        return SIGNS[self.tone]


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


def title(measure: str) -> str:
    """
    Return how a measure, or one joint's, is called.

    >>> title('action_error.elbow')
    'Action error, elbow'
    """
    name, _, joint = measure.partition('.')
    return MEASURES[name].title + (f', {joint}' if joint else '')


def headline(result: Result) -> str:
    """Return what a replay comes to, as the page's first words."""
    if not result.decisions:
        return 'Nothing could be judged'
    thresholds = len(result.thresholds)
    missed = f'{len(result.failures)} of {counted(thresholds, "threshold")} missed'
    if result.comparison is not None:
        return VERDICTS[result.comparison.verdict] + (f', {missed}' if result.failures else '')
    if result.failures:
        return missed
    return f'{_all(thresholds, "threshold")} kept' if thresholds else NO_VERDICT


def _all(number: int, name: str) -> str:
    return f'The one {name}' if number == 1 else f'All {counted(number, name)}'


def answers(result: Result) -> Iterator[Answer]:
    """Yield the answers to what is asked first."""
    yield _against_baseline(result)
    yield _thresholds(result)
    yield _refusals(result)
    yield _recordings(result)


def _against_baseline(result: Result) -> Answer:
    question = 'Better than the baseline?'
    if result.comparison is None:
        return Answer(question, 'Not asked', 'Name one with --baseline to compare with it.',
                      'even')
    verdict = result.comparison.verdict
    answer = {'better': 'Yes', 'worse': 'No, worse'}.get(verdict, 'No difference shown')
    return Answer(question, answer, compared_in_words(result.comparison), TONES[verdict])


def compared_in_words(comparison: Comparison) -> str:
    """Return how the measure that decides came out, in words."""
    compared, unit = comparison.measures[comparison.primary], MEASURES[comparison.primary].unit
    return (f'{MEASURES[comparison.primary].title} {_with_unit(compared.value, unit)} against '
            f'{_with_unit(compared.baseline, unit)}: {interval(compared, unit)}.')


def interval(compared: Compared, unit: str) -> str:
    """Return a difference with its interval."""
    if compared.difference is None:
        return 'no difference could be measured'
    side = 'lower' if compared.difference < 0 else 'higher'
    size = digits(abs(compared.difference), unit)
    name = 'points' if unit == 'share' else UNITS.get(unit, unit)
    by = f'{size} {name}'.rstrip() + f' {side}' if compared.difference else 'equal'
    if compared.low is None or compared.high is None:
        return f'{by}; too little for an interval'
    return (f'{by} (95 % interval {digits(compared.low, unit, True)} to '
            f'{digits(compared.high, unit, True)})')


def _with_unit(value: float | None, unit: str, signed: bool = False) -> str:
    return f'{digits(value, unit, signed)} {UNITS.get(unit, unit)}'.rstrip()


def _thresholds(result: Result) -> Answer:
    question, count = 'Within the thresholds?', len(result.thresholds)
    if not count:
        return Answer(question, 'None set', 'Give a file of them with --thresholds.', 'even')
    if not result.failures:
        return Answer(question, 'Yes', f'{_all(count, "threshold")} kept.', 'good')
    missed = '; '.join(map(threshold_in_words, result.failures[:3]))
    more = len(result.failures) - 3
    return Answer(question, f'No, {len(result.failures)} of {count} missed',
                  missed + (f'; and {more} more.' if more > 0 else '.'), 'bad')


def threshold_in_words(passed: Passed) -> str:
    """Return what was measured and what was allowed."""
    unit = MEASURES[passed.measure.partition('.')[0]].unit
    bound = {'max': 'at most', 'min': 'at least'}[passed.bound]
    return (f'{title(passed.measure)}: {_with_unit(passed.value, unit)}, allowed is {bound} '
            f'{_with_unit(passed.threshold, unit)}')


def _refusals(result: Result) -> Answer:
    question, reasons = 'Would its plans be sent?', refusals(result)
    total = reasons.total()
    if not result.decisions:
        return Answer(question, 'No plan was made', '', 'bad')
    if not total:
        return Answer(question, 'Yes, all', f'{counted(result.decisions, "plan")}, none refused.',
                      'good')
    share, [(reason, _)] = digits(total / result.decisions, 'share'), reasons.most_common(1)
    none_sent = total >= result.decisions
    return Answer(question, 'No, none' if none_sent else f'All but {total:,}',
                  f'{counted(total, "plan")} of {result.decisions:,} refused ({share} %), most '
                  f'often for: {reason}.', 'bad' if none_sent else 'even')


def refusals(result: Result) -> Counter[str]:
    """Count refused plans by reason."""
    return sum((Counter(episode.refusals) for episode in result.episodes), Counter())


def dropped(result: Result) -> Counter[str]:
    """Count moments that could not be decided on by reason."""
    return sum((Counter(episode.dropped) for episode in result.episodes), Counter())


def _recordings(result: Result) -> Answer:
    question, count = 'Could everything be judged?', len(result.episodes)
    left_out = dropped(result).total()
    why = (f'{counted(left_out, "moment")} had no usable input.' if left_out else
           f'{counted(result.decisions, "decision")} in {duration(result.duration_s)}.')
    if result.faults:
        return Answer(question, f'No, {len(result.faults)} of {counted(count, "recording")} not',
                      f'Not, or not to the end; the reasons are below. {why}', 'bad')
    return Answer(question, f'Yes, {counted(count, "recording")}', why, 'good')


def spread(result: Result, measure: str) -> tuple[float, float] | None:
    """Return the smallest and the largest of the episodes' figures; None of fewer than two."""
    values = [episode.figures[measure].value for episode in result.episodes
              if measure in episode.figures]
    values = [value for value in values if value is not None]
    return (min(values), max(values)) if len(values) > 1 else None


def value_of(figures, measure: str) -> float | None:
    """Return a figure's value, None where it was not measured."""
    return figures.get(measure, Figure(None, 0)).value


assert PRIMARY in MEASURES
