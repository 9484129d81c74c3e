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

"""How well everything comes in while an episode is recorded, and the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from .sample import Sample
from .selection import Wanted
from .stream_health import Limits, StreamHealth
from ..spec import NS_PER_S

GOOD, BAD = 'good', 'bad'
NOTHING = MappingProxyType({})


class Health:
    """
    Watches from ``start_ns`` on; ``note`` takes every sample in order of receipt.

    ``wanted`` are the topics to watch from the start. ``findings`` are what was told of the whole,
    such as a disk that is full.
    """

    def __init__(self, start_ns: int, limits: Limits, wanted: Mapping[str, Wanted] = NOTHING):
        self.start_ns, self.limits = start_ns, limits
        self.streams: dict[str, StreamHealth] = {}
        self.findings: list[str] = []
        self._newest_stamp_ns = 0
        self._counted: tuple[int, dict[str, tuple[int, int]]] = (start_ns, {})
        for topic, each in wanted.items():
            self.expect(topic, each)

    def expect(self, topic: str, wanted: Wanted) -> None:
        """Watch a topic from now on; one that is known already is left as it is."""
        if topic not in self.streams:
            self.streams[topic] = StreamHealth(wanted.max_gap_s, wanted.min_rate_hz, self.limits)

    def note(self, sample: Sample) -> None:
        """Take one sample of a topic that is expected."""
        stream = self.streams[sample.topic]
        known = stream.foreign_stamps + stream.zero_stamps
        stream.note(sample)
        if not stream.is_stream or not sample.stamp_ns:
            return
        if stream.foreign_stamps + stream.zero_stamps == known:
            self._newest_stamp_ns = max(self._newest_stamp_ns, sample.stamp_ns)
        if sample.digest is not None:
            self._note_skew()

    def _note_skew(self) -> None:
        """At an image, measure how far each stream is behind the newest stamp of all."""
        for stream in self.streams.values():
            if stream.is_stream and stream.newest_stamp_ns and not stream.foreign_stamps:
                behind_ns = self._newest_stamp_ns - stream.newest_stamp_ns
                stream.skew_ns = max(stream.skew_ns, behind_ns)

    def drop(self, topic: str) -> None:
        """Count a message that there was no room for."""
        self.streams[topic].dropped += 1

    def find(self, finding: str) -> None:
        """Note what is wrong with the whole; once, however often it is told."""
        if finding not in self.findings:
            self.findings.append(finding)

    @property
    def dropped(self) -> int:
        return sum(stream.dropped for stream in self.streams.values())

    def rates(self, now_ns: int) -> dict[str, tuple[float, float]]:
        """Return messages and bytes a second of each topic since this was asked last."""
        then_ns, before = self._counted
        took_s = max(now_ns - then_ns, 1) / NS_PER_S
        counts = {name: (each.count, each.bytes) for name, each in self.streams.items()}
        self._counted = (now_ns, counts)
        return {name: tuple((now - then) / took_s
                            for now, then in zip(counts[name], before.get(name, (0, 0))))
                for name in counts}

    def stream_findings(self, now_ns: int) -> dict[str, list[str]]:
        """Return what is wrong with each topic by now, silence included."""
        duration_s = (now_ns - self.start_ns) / NS_PER_S
        return {name: each.findings(duration_s) + self._silence(each, now_ns)
                for name, each in self.streams.items()}

    def _silence(self, stream: StreamHealth, now_ns: int) -> list[str]:
        silent_s = stream.silent_ns(now_ns, self.start_ns) / NS_PER_S
        if not stream.is_stream or silent_s <= stream.max_gap_s:
            return []
        return [f'silent for {silent_s:.2f} s, at most {stream.max_gap_s:g} s is allowed']

    def report(self, now_ns: int, other: str = '') -> dict:
        """
        Return the verdict, as EpisodeInfo has it, with all findings and figures.

        ``other`` is a finding for now, '' for none.
        """
        duration_s = (now_ns - self.start_ns) / NS_PER_S
        findings = [*self.findings, *filter(None, [other]), *(
            f'{name}: {text}' for name, texts in self.stream_findings(now_ns).items()
            for text in texts)]
        return {'verdict': BAD if findings else GOOD, 'findings': findings,
                'duration_s': round(duration_s, 3), 'dropped': self.dropped,
                'topics': {name: stream.figures(duration_s)
                           for name, stream in self.streams.items()}}


def health_of(samples: Sequence[Sample], wanted: Mapping[str, Wanted], limits: Limits) -> Health:
    """Return the health of samples that came earlier, of topics by their name in the bag."""
    health = Health(samples[0].received_ns, limits)
    for sample in samples:
        health.expect(sample.topic, wanted[sample.topic])
        health.note(sample)
    return health
