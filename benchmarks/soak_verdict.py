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

"""What an hour of simulated operation says of memory, threads, files and holds."""

from __future__ import annotations

import numpy as np

from trimodal_ros.evaluate.statistics import slope_interval, summarize_ms

SETTLED_AFTER = 0.25        # of the time: caches fill, the allocator finds its size
BLOCKS = 10                 # neighbouring samples are alike: their means are what is fitted
MOST_MB_PER_HOUR = 1.0      # is called none


def judge(samples: list[dict], figures: dict) -> dict:
    """Return whether memory, threads and files stayed, and whether a hold was missed."""
    missed = sum(hold['ms'] is None for hold in figures['holds'])
    verdict = {'holds_due': len(figures['holds']), 'holds_missed': missed,
               'holds_met': not missed and not figures['not_resumed']}
    begin = SETTLED_AFTER * samples[-1]['seconds'] if samples else 0.0
    early = [sample for sample in samples if sample['seconds'] < begin]
    late = [sample for sample in samples if sample['seconds'] >= begin]
    if not early or len(late) < BLOCKS:
        return {**verdict, 'too_short': True}
    hours, mb = (block_means([sample[name] for sample in late]) for name in ('seconds', 'own_mb'))
    slope, half = slope_interval([value / 3600 for value in hours], mb)
    return {**verdict, 'mb_per_hour': slope, 'mb_per_hour_half': half,
            'memory_met': slope - half <= 0 or slope + half < MOST_MB_PER_HOUR,
            **{f'{name}_{when}': max(sample[name] for sample in part)
               for name in ('threads', 'files')
               for when, part in (('early', early), ('late', late))}}


def block_means(values: list[float]) -> list[float]:
    """Return the means of neighbouring values, in BLOCKS groups of about one size."""
    return [float(np.mean(block)) for block in np.array_split(values, BLOCKS)]


def describe(figures: dict) -> str:
    """Return the figures as lines of text."""
    verdict, samples = figures['verdict'], figures['samples']
    held_ms = [hold['ms'] for hold in figures['holds'] if hold['ms'] is not None]
    lines = [
        f'{figures["minutes_done"]:.1f} min, {figures["tasks_done"]} of '
        f'{figures["tasks_given"]} tasks done, {samples[-1]["decisions"] if samples else 0} '
        f'decisions, {samples[-1]["refused"] if samples else 0} refused',
        f'holds: {verdict["holds_due"]} due, {verdict["holds_missed"]} missed; not moving again '
        f'after: {", ".join(figures["not_resumed"]) or "none"}; stopped by itself: '
        f'{", ".join(figures["stopped"]) or "never"}']
    if held_ms:
        times = summarize_ms(held_ms)
        lines.append(f'from the fault to the hold, silence counted from its beginning: p50 '
                     f'{times["p50"]:.0f} ms, max {times["max"]:.0f} ms')
    if 'too_short' in verdict:
        return '\n'.join([*lines, 'too short to tell whether memory grows'])
    return '\n'.join([*lines, (
        f'memory of its own: {samples[-1]["own_mb"]:.0f} MB, {verdict["mb_per_hour"]:+.2f} ± '
        f'{verdict["mb_per_hour_half"]:.2f} MB/h after the first quarter: '
        f'{"no growth" if verdict["memory_met"] else "GROWS"}'), *(
        f'{name}: at most {verdict[f"{name}_early"]} in the first quarter, '
        f'{verdict[f"{name}_late"]} after: '
        f'{"none leaked" if verdict[f"{name}_late"] <= verdict[f"{name}_early"] else "LEAKED"}'
        for name in ('threads', 'files'))])
