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

"""What is asked of every topic that is listened to: publisher, type, rate and stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from .finding import Finding
from .seen import Seen, Stream
from ..robot import NS_PER_S

ENOUGH = 0.95            # of a rate: timers are not exact
ANOTHER_CLOCK_S = 3600.0


@dataclass(frozen=True)
class Asked:
    """
    What a stream is asked for.

    ``least_hz`` is what the policy needs, ``told_hz`` what the YAML says it has, 0 if nothing;
    ``max_age_s`` and ``max_ahead_s`` are for its stamps.
    """

    part: str
    topic: str
    type: str
    least_hz: float
    told_hz: float
    max_age_s: float
    max_ahead_s: float


def judge_stream(asked: Asked, seen: Seen) -> Iterator[Finding]:
    """Yield what was found of publishers, type, rate and stamps; no more than there is to see."""
    publishers = seen.publishers.get(asked.topic, ())
    if not publishers:
        yield _unpublished(asked, seen)
        return
    wrong = sorted({each.type for each in publishers} - {asked.type})
    if wrong:
        yield _another_type(asked, wrong[0])
        return
    yield Finding('ok', asked.part, 'publisher',
                  f'{asked.topic} of {", ".join(sorted({each.node for each in publishers}))}')
    stream = seen.streams.get(asked.topic, Stream())
    if not stream.received_ns:
        yield Finding('error', asked.part, 'messages', f'none on {asked.topic} in '
                      f'{seen.seconds:.1f} s', 'some', 'the policy holds while it is silent',
                      'start the driver, or look at its log; give --timeout more for a slow one')
        return
    yield _rate(asked, stream, seen)
    yield from _stamps(asked, stream)


def _unpublished(asked: Asked, seen: Seen) -> Finding:
    there = seen.of_type(asked.type)
    close = get_close_matches(asked.topic, there, n=1, cutoff=0.4)
    change = (f'of that type there are {", ".join(there)}; name one in the YAML'
              f'{f", {close[0]} say" if close else ""}, or remap' if there else
              f'nobody publishes any {asked.type}: start the driver')
    return Finding('error', asked.part, 'publisher', f'nobody publishes {asked.topic}',
                   'a publisher', 'the policy holds without it', change)


def _another_type(asked: Asked, got: str) -> Finding:
    change = 'publish it as the expected type, or name another topic'
    if 'Image' in got and 'Image' in asked.type:
        value = 'true' if 'Compressed' in got else 'false'
        change = f'write compressed: {value} for this camera'
    return Finding('error', asked.part, 'type', f'{asked.topic} has {got}', asked.type,
                   'nothing arrives where types differ', change)


def _rate(asked: Asked, stream: Stream, seen: Seen) -> Finding:
    rate = stream.rate_hz
    told = f'{rate:.1f} Hz' if rate is not None else (
        f'{len(stream.received_ns)} messages in {seen.seconds:.1f} s')
    if rate is None or rate < ENOUGH * asked.least_hz:
        return Finding('error', asked.part, 'rate', told, f'at least {asked.least_hz:g} Hz',
                       "the policy decides at the YAML's rate_hz, on new samples only",
                       'raise its rate, or lower rate_hz and train for that')
    if rate < ENOUGH * asked.told_hz:
        return Finding('warning', asked.part, 'rate', told, f'{asked.told_hz:g} Hz as the YAML '
                       'says', 'samples are lost or come late',
                       'look for a full network or computer, and at large images with the default '
                       'shared memory of Fast DDS (config/fastdds.xml)')
    return Finding('ok', asked.part, 'rate', told)


def _stamps(asked: Asked, stream: Stream) -> Iterator[Finding]:
    part, age_s = asked.part, stream.age_s
    if 0 in stream.stamps_ns:
        yield Finding('error', part, 'stamps', 'a stamp is 0', 'the time of the measurement',
                      'what has no stamp has no age, and the policy holds',
                      'have the driver fill in header.stamp')
        return
    back_s = max((earlier - later) / NS_PER_S for earlier, later in
                 zip([0, *stream.stamps_ns], stream.stamps_ns))
    if back_s > asked.max_ahead_s:  # of two drivers on one topic one may be a bit behind
        yield Finding('error', part, 'stamps', f'a stamp went back by {back_s:.3f} s',
                      'stamps that grow', 'two publishers, or a clock that jumps, and the '
                      'policy holds', 'leave one publisher on the topic; set clocks by chrony')
    if abs(age_s) > ANOTHER_CLOCK_S:
        yield Finding('error', part, 'stamps', f'{abs(age_s):.0f} s in the '
                      f'{"past" if age_s > 0 else "future"}', 'the same clock',
                      'one of them goes by simulated time, or a recording is played',
                      'set use_sim_time alike everywhere; here with --use-sim-time')
    elif age_s < -asked.max_ahead_s:
        yield Finding('error', part, 'stamps', f'{-age_s:.3f} s in the future',
                      f'at most {asked.max_ahead_s} s', 'the policy holds: its age is not known',
                      'have the clocks of both computers agree (chrony, PTP)')
    elif age_s > asked.max_age_s:
        yield Finding('error', part, 'stamps', f'{age_s:.3f} s old on arrival',
                      f'at most {asked.max_age_s} s', 'the policy holds on input that is older '
                      'than max_age_s', 'have the clocks agree, shorten the way of the images '
                      '(smaller, or compressed), or raise max_age_s')
    else:
        yield Finding('ok', part, 'stamps', f'{1000 * age_s:.1f} ms old on arrival')
