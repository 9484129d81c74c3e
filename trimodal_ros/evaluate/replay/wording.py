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
from pathlib import Path
from typing import Literal, NamedTuple

from .catalogue import MEASURES, PRIMARY, STILL
from .result import Compared, Comparison, Episode, Figure, Passed, Result
from .values import apart, counted, digits, duration, with_unit

Tone = Literal['good', 'bad', 'even']
SIGNS = {'good': '✓', 'bad': '✗', 'even': '•'}
TONES = {'better': 'good', 'worse': 'bad', 'no difference shown': 'even'}
VERDICTS = {'better': 'Better than the baseline', 'worse': 'Worse than the baseline',
            'no difference shown': 'No difference from the baseline shown'}
ANSWERS = {'better': 'Yes', 'worse': 'No, worse', 'no difference shown': 'No difference shown'}
NO_VERDICT = 'What the policy would have done'
BESIDE_STILL = {'better': 'Better than standing still', 'worse': 'Worse than standing still',
                'no difference shown': 'No better than standing still, by what was shown'}
MEANS = {'better': 'Its plans are closer to what was recorded than never moving is.',
         'worse': 'Never moving would have been closer to what was recorded.',
         'no difference shown': 'These recordings do not show that it does better than a policy '
                                'that never moves.'}
NAMED = 6   # recordings in a sentence


class Answer(NamedTuple):
    """What a person asks first, answered."""

    question: str
    answer: str
    why: str
    tone: Tone

    @property
    def sign(self) -> str:
        return SIGNS[self.tone]


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
    if thresholds:
        return f'{_all(thresholds, "threshold")} kept'
    return NO_VERDICT if result.still is None else BESIDE_STILL[result.still.verdict]


def _all(number: int, name: str) -> str:
    return f'The one {name}' if number == 1 else f'All {counted(number, name)}'


def answers(result: Result) -> Iterator[Answer]:
    """Yield the answers to what is asked first."""
    if result.comparison is not None:
        yield _against_baseline(result.comparison)
    if result.still is not None:
        yield _against_still(result, result.still)
    if result.thresholds:
        yield _thresholds(result)
    yield _refusals(result)
    yield _recordings(result)


def _against_baseline(comparison: Comparison) -> Answer:
    verdict = comparison.verdict
    return Answer('Better than the baseline?', ANSWERS[verdict], compared_in_words(comparison),
                  TONES[verdict])


def _against_still(result: Result, still: Comparison) -> Answer:
    drawn = (f'{counted(result.decisions, "decision")}, {still.clusters} {still.resampled} drawn '
             'again and again.')
    return Answer('Better than standing still?', ANSWERS[still.verdict], ' '.join(filter(None, (
        MEANS[still.verdict], compared_in_words(still), drawn, _further_off(result)))),
        TONES[still.verdict])


def _further_off(result: Result) -> str:
    worse, judged = worse_than_still(result), [each for each in result.episodes if each.decisions]
    if not worse:
        return ''
    names = ', '.join(Path(each.path).name for each in worse[:NAMED])
    more = f' and {len(worse) - NAMED} more' if len(worse) > NAMED else ''
    return (f'By its mean it is further off in {len(worse)} of '
            f'{counted(len(judged), "recording")}: {names}{more}.')


def worse_than_still(result: Result) -> list[Episode]:
    """Return the recordings in which the action error is above that of never moving."""
    return [episode for episode in result.episodes
            if None not in (errors := [value_of(episode.figures, name)
                                       for name in (PRIMARY, STILL)]) and errors[0] > errors[1]]


def compared_in_words(comparison: Comparison) -> str:
    """Return how the measure that decides came out, in words."""
    compared, unit = comparison.measures[comparison.primary], MEASURES[comparison.primary].unit
    return (f'{MEASURES[comparison.primary].title} {with_unit(compared.value, unit)} against '
            f'{with_unit(compared.baseline, unit)}: {interval(compared, unit)}.')


def interval(compared: Compared, unit: str) -> str:
    """Return a difference with its interval."""
    if compared.difference is None:
        return 'no difference could be measured'
    side = 'lower' if compared.difference < 0 else 'higher'
    by = f'{apart(abs(compared.difference), unit)} {side}' if compared.difference else 'equal'
    if compared.low is None or compared.high is None:
        return f'{by}; too little for an interval'
    return (f'{by} (95 % interval {digits(compared.low, unit, True)} to '
            f'{digits(compared.high, unit, True)})')


def _thresholds(result: Result) -> Answer:
    question, count = 'Within the thresholds?', len(result.thresholds)
    if not result.failures:
        return Answer(question, 'Yes', f'{_all(count, "threshold")} kept.', 'good')
    missed = '; '.join(map(threshold_in_words, result.failures[:3]))
    more = len(result.failures) - 3
    return Answer(question, f'No, {len(result.failures)} of {count} missed',
                  missed + (f'; and {more} more.' if more > 0 else '.'), 'bad')


def threshold_in_words(passed: Passed) -> str:
    """Return what was measured and what was allowed."""
    if passed.bound in ('min', 'max'):
        return f'{title(passed.measure)}: {measured(passed)}, allowed is {allowed(passed)}'
    beside = f'{title(passed.measure)} beside the baseline: '
    if passed.value is None:
        return beside + 'not measured'
    return beside + measured(passed) + (
        f', allowed is {apart(passed.threshold, passed.unit)}' if passed.bound == 'margin' else '')


def measured(passed: Passed) -> str:
    """
    Return what was measured, beside a bound of it.

    >>> measured(Passed('jerk', 'not_worse', 0.0, 1.5, False))
    'worse by at least 1.50 rad/s³'
    >>> measured(Passed('within_tolerance', 'margin', 0.1, -0.02, True))
    'better by at least 2.0 points'
    """
    unit, value = passed.unit, passed.value
    if passed.bound in ('min', 'max') or value is None:
        return with_unit(value, unit)
    if not value:
        return 'no difference'
    end = 'at most' if (value > 0) == (passed.bound == 'margin') else 'at least'
    return f'{"worse" if value > 0 else "better"} by {end} {apart(abs(value), unit)}'


def allowed(passed: Passed) -> str:
    """
    Return what a bound asks for.

    >>> allowed(Passed('jerk', 'max', 80.0, 72.0, True))
    'at most 80.0 rad/s³'
    >>> allowed(Passed('within_tolerance', 'margin', 0.1, None, False))
    'worse by at most 10.0 points'
    """
    if passed.bound == 'not_worse':
        return 'not shown worse'
    if passed.bound == 'margin':
        return f'worse by at most {apart(passed.threshold, passed.unit)}'
    return f'{passed.allows} {with_unit(passed.threshold, passed.unit)}'


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
