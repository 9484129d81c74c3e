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

"""One episode under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rosbags.interfaces import Qos

from .episode import EpisodeError, EpisodeInfo
from .health import Health
from .provenance import Provenance
from .sample import Sample
from .writer import EpisodeWriter


@dataclass(frozen=True)
class Kind:
    """What a bag has to know of a topic; as ``EpisodeWriter.add_topic`` takes it."""

    type_name: str
    qos: Sequence[Qos]
    definition: str | None = None
    type_hash: str = ''


class Recording:
    """
    Writer, health and provenance of one episode.

    ``note`` is for the thread that receives, ``write`` and ``finish`` for the one that writes.
    ``failure`` is '' as long as the disk takes everything.
    """

    def __init__(self, writer: EpisodeWriter, info: EpisodeInfo, provenance: Provenance,
                 health: Health, kind_of: Callable[[str], Kind]):
        self.writer, self.provenance, self.health = writer, provenance, health
        self.failure = ''
        self._info, self._kind_of = info, kind_of
        self._added, self._refused = set(), set()

    @property
    def instruction(self) -> str:
        """Return what the episode was begun with."""
        return self._info.instruction

    def note(self, sample: Sample) -> None:
        """Judge a sample; it is written on its own."""
        self.health.note(sample)
        self.provenance.feed(sample)

    def write(self, sample: Sample) -> None:
        """Write a sample, as long as that is possible; an error of the disk ends it."""
        if self.failure or sample.topic in self._refused:
            return
        try:
            if sample.topic not in self._added:
                self._add(sample.topic)
            self.writer.write(sample.topic, sample.received_ns, sample.data, sample.sent_ns)
        except EpisodeError as error:
            if self.writer.failure is not None:
                self.give_up(str(error))
            else:  # it is about this topic alone
                self._refused.add(sample.topic)
                self.health.find(str(error))

    def _add(self, topic: str) -> None:
        kind = self._kind_of(topic)
        self.writer.add_topic(topic, kind.type_name, kind.qos, kind.definition, kind.type_hash)
        self._added.add(topic)

    def give_up(self, failure: str) -> None:
        """Leave what was written for a recovery; nothing is written any more."""
        try:
            self.writer.close(self._info)  # releases it; what the disk refused it still refuses
        except EpisodeError:
            pass
        self.failure = failure

    def report(self, now_ns: int) -> dict:
        """Return the verdict by now, as EpisodeInfo has it."""
        return self.health.report(now_ns, self.provenance.finding)

    def info(self, now_ns: int, outcome: str = 'unknown', health: dict | None = None):
        """Return all that is known by now."""
        return replace(
            self._info, outcome=outcome, checkpoint=self.provenance.checkpoint,
            source=self.provenance.source(now_ns), health=health or {},
            interventions=self.provenance.interventions(now_ns))
