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

"""How one topic comes in: rate, gaps, stamps, repeated images."""

from __future__ import annotations

from dataclasses import dataclass

from .sample import Sample
from ..observe.observer import MAX_AHEAD_S
from ..spec import NS_PER_S


@dataclass(frozen=True)
class Limits:
    """
    What is too much, in seconds.

    ``max_late_s`` from stamp to receipt, ``max_skew_s`` behind the newest stamp of the other
    streams, ``other_clock_s`` from stamp to receipt that no delay explains, ``frozen_camera_s``
    of the same pixels (0: for ever). ``max_repeated_share`` of the images may repeat the one
    before, as those of a driver do that sends faster than its camera.
    """

    max_late_s: float = 0.25
    max_skew_s: float = 0.25
    other_clock_s: float = 10.0
    frozen_camera_s: float = 0.5
    max_repeated_share: float = 0.1


class StreamHealth:
    """
    Counts what is wrong with the samples of a topic, one after another.

    ``max_gap_s`` is 0 for a topic that speaks when it likes, with the stamps it likes: a plan has
    its image's. Gaps and stamps are judged of streams. A gap is between stamps, where there are
    any, so that a recorder that was held up doesn't take its own delay for lost frames.
    """

    def __init__(self, max_gap_s: float, min_rate_hz: float, limits: Limits):
        self.max_gap_s, self.min_rate_hz, self.limits = max_gap_s, min_rate_hz, limits
        self.count = self.bytes = self.dropped = self.lost = 0
        self.newest_ns = self.newest_stamp_ns = None
        self.gaps = self.zero_stamps = self.backward_stamps = self.foreign_stamps = 0
        self.late = self.duplicates = 0
        self.longest_gap_ns = self.latest_ns = self.skew_ns = self.frozen_ns = 0
        self._digest, self._same_since_ns = None, 0

    @property
    def is_stream(self) -> bool:
        return self.max_gap_s > 0

    def note(self, sample: Sample) -> None:
        """Take one sample."""
        self.count += 1
        self.bytes += len(sample.data)
        if self.is_stream and sample.stamp_ns is not None:
            self._note_stamp(sample.stamp_ns, sample.received_ns)
        elif self.is_stream:
            self._note_gap(self.newest_ns, sample.received_ns)
        if sample.digest is not None:
            self._note_content(sample.digest, sample.received_ns)
        self.newest_ns = sample.received_ns

    def _note_gap(self, before_ns: int | None, now_ns: int) -> None:
        if before_ns is not None:
            gap_ns = now_ns - before_ns
            self.longest_gap_ns = max(self.longest_gap_ns, gap_ns)
            self.gaps += gap_ns > self.max_gap_s * NS_PER_S

    def _note_stamp(self, stamp_ns: int, received_ns: int) -> None:
        age_ns = received_ns - stamp_ns
        age_s = age_ns / NS_PER_S
        if stamp_ns == 0:
            self.zero_stamps += 1
        elif not -MAX_AHEAD_S <= age_s <= self.limits.other_clock_s:
            self.foreign_stamps += 1
        else:
            self.latest_ns = max(self.latest_ns, age_ns)
            self.late += age_s > self.limits.max_late_s
        back_ns = 0 if self.newest_stamp_ns is None else self.newest_stamp_ns - stamp_ns
        if back_ns > MAX_AHEAD_S * NS_PER_S:
            self.backward_stamps += 1
        elif back_ns > 0:   # of another publisher of the topic
            return
        else:
            self._note_gap(self.newest_stamp_ns, stamp_ns)
        self.newest_stamp_ns = stamp_ns

    def _note_content(self, digest: int, received_ns: int) -> None:
        if digest != self._digest:
            self._digest, self._same_since_ns = digest, received_ns
            return
        self.duplicates += 1
        self.frozen_ns = max(self.frozen_ns, received_ns - self._same_since_ns)

    def silent_ns(self, now_ns: int, since_ns: int) -> int:
        """Return how long nothing has come, of a stream; ``since_ns`` is when it was awaited."""
        return now_ns - (since_ns if self.newest_ns is None else self.newest_ns)

    def findings(self, duration_s: float) -> list[str]:
        """Return what is wrong, '' left out: each with the number, the worst, and the limit."""
        limits = self.limits
        rate_hz = self.count / duration_s if duration_s > 0 else 0.0
        rules = (
            (self.dropped, f'{self.dropped} messages dropped: no room for them in the queue'),
            (self.lost, f'{self.lost} messages lost on the way here'),
            (self.gaps, f'{self.gaps} gaps over {self.max_gap_s:g} s, the longest '
                        f'{_s(self.longest_gap_ns)}'),
            (rate_hz < self.min_rate_hz,
             f'{rate_hz:.1f} Hz, expected at least {self.min_rate_hz:g} Hz'),
            (self.late, f'{self.late} messages older than {limits.max_late_s:g} s when they came, '
                        f'the oldest {_s(self.latest_ns)}'),
            (self.zero_stamps, f'{self.zero_stamps} stamps of zero'),
            (self.backward_stamps, f'{self.backward_stamps} stamps earlier than the one before'),
            (self.foreign_stamps,
             f'{self.foreign_stamps} stamps of another clock: ahead of their receipt, or more '
             f'than {limits.other_clock_s:g} s behind it'),
            (0 < limits.frozen_camera_s * NS_PER_S < self.frozen_ns,
             f'frozen: the same pixels for {_s(self.frozen_ns)}, at most '
             f'{limits.frozen_camera_s:g} s is allowed'),
            (self.duplicates > limits.max_repeated_share * self.count,
             f'{self.duplicates} of {self.count} images repeat the one before, at most '
             f'{limits.max_repeated_share:.0%} may'),
            (self.skew_ns > limits.max_skew_s * NS_PER_S,
             f'{_s(self.skew_ns)} behind the newest of the other streams, at most '
             f'{limits.max_skew_s:g} s is allowed'))
        return [text for is_wrong, text in rules if is_wrong]

    def figures(self, duration_s: float) -> dict:
        """Return the counts and the worst times, for the episode's metadata."""
        return {
            'count': self.count, 'bytes': self.bytes, 'dropped': self.dropped, 'lost': self.lost,
            'rate_hz': round(self.count / duration_s, 2) if duration_s > 0 else 0.0,
            'gaps': self.gaps, 'longest_gap_s': _round_s(self.longest_gap_ns),
            'late': self.late, 'oldest_s': _round_s(self.latest_ns),
            'skew_s': _round_s(self.skew_ns), 'duplicates': self.duplicates,
            'frozen_s': _round_s(self.frozen_ns), 'zero_stamps': self.zero_stamps,
            'backward_stamps': self.backward_stamps, 'foreign_stamps': self.foreign_stamps}


def _s(time_ns: int) -> str:
    return f'{time_ns / NS_PER_S:.2f} s'


def _round_s(time_ns: int) -> float:
    return round(time_ns / NS_PER_S, 4)
