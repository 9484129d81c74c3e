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

"""A result as lines a person reads in a terminal."""

from __future__ import annotations

from .catalogue import MEASURES
from .junit import told
from .result import Compared, Comparison, Figure, Result

SIGNS = {'better': '+', 'worse': '-', 'no difference shown': ' '}


def describe(result: Result) -> str:
    """Return what was replayed, every measure, what was too bad and what was wrong."""
    judged = len(result.episodes) - len([each for each in result.faults if not each.decisions])
    speed = '' if result.real_time is None else f', {result.real_time:.1f} times real time'
    lines = [f'checkpoint {result.checkpoint}: {result.decisions} decisions in {judged} of '
             f'{len(result.episodes)} recordings, {result.duration_s:.0f} s{speed}', '']
    lines += _measures(result)
    lines += [f'threshold missed: {told(passed)}' for passed in result.failures]
    lines += [f'could not be judged{" to its end" * bool(episode.decisions)}: {episode.fault}'
              for episode in result.faults]
    return '\n'.join(lines)


def _measures(result: Result) -> list[str]:
    comparison = result.comparison
    head = f'{"measure":26}{"value":>12}'
    if comparison is not None:
        head += f'{"baseline":>12}{"difference":>12}  95 % interval'
    rows = [head]
    for name, figure in result.figures.items():
        compared = comparison.measures.get(name) if comparison else None
        rows.append(f'{MEASURES[name].title:26}{number(figure)}'
                    + _compared(compared) + f'  {MEASURES[name].unit}')
    others = {'standing still': result.still, f'the baseline {result.baseline}': comparison}
    return [*rows, '', *(_verdict(*each) for each in others.items() if each[1] is not None)]


def number(figure: Figure) -> str:
    return f'{"-":>12}' if figure.value is None else f'{figure.value:12.4g}'


def _compared(compared: Compared | None) -> str:
    if compared is None:
        return ''
    within = ('' if compared.low is None
              else f'  {compared.low:+.3g} to {compared.high:+.3g} {SIGNS[compared.verdict]}')
    return f'{compared.baseline:12.4g}{compared.difference:+12.3g}{within:24}'


def _verdict(other: str, comparison: Comparison) -> str:
    words = {'better': 'is better than', 'worse': 'is worse than',
             'no difference shown': 'shows no difference from'}[comparison.verdict]
    return (f'By {MEASURES[comparison.primary].title.lower()} the checkpoint {words} '
            f'{other} (paired, over {comparison.clusters} {comparison.resampled}).\n')
