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

"""The newest seconds of everything, so that they can be kept after the fact."""

from __future__ import annotations

from collections import deque
import threading

from .sample import Sample
from ..spec import NS_PER_S


class Ring:
    """
    Samples of the last ``seconds``, in memory, of at most ``max_bytes``; any thread may add.

    Of topics that are ``latched`` the newest sample from before the ring's beginning is
    remembered too: it was still true then.
    """

    def __init__(self, seconds: float, max_bytes: int):
        self.seconds, self.max_bytes = seconds, max_bytes
        self.bytes = 0
        self._samples: deque[Sample] = deque()
        self._before: dict[str, Sample] = {}
        self._lock = threading.Lock()

    def add(self, sample: Sample, latched: bool = False) -> None:
        """Take a sample and let go of those that are too old or too many."""
        with self._lock:
            if latched:  # stands for the topic once it is the oldest
                self._before.setdefault(sample.topic, sample)
            self._samples.append(sample)
            self.bytes += len(sample.data)
            oldest_ns = sample.received_ns - round(self.seconds * NS_PER_S)
            while self._samples and (self.bytes > self.max_bytes
                                     or self._samples[0].received_ns < oldest_ns):
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        sample = self._samples.popleft()
        self.bytes -= len(sample.data)
        if sample.topic in self._before:
            self._before[sample.topic] = sample

    @property
    def length_s(self) -> float:
        """Time from the oldest sample to the newest."""
        with self._lock:
            if not self._samples:
                return 0.0
            return (self._samples[-1].received_ns - self._samples[0].received_ns) / NS_PER_S

    def forget(self, topic: str) -> None:
        """Drop all of a topic."""
        with self._lock:
            self._samples = deque(each for each in self._samples if each.topic != topic)
            self.bytes = sum(len(each.data) for each in self._samples)
            self._before.pop(topic, None)

    def take_all(self) -> list[Sample]:
        """
        Empty the ring and return what was in it, in order of receipt.

        In front are the latched samples from before, received as the ring began.
        """
        with self._lock:
            samples = sorted(self._samples, key=lambda sample: sample.received_ns)
            if not samples:
                return []
            begin_ns = samples[0].received_ns
            kept = set(map(id, samples))
            latched = [each._replace(received_ns=begin_ns) for each in self._before.values()
                       if id(each) not in kept]
            for sample in samples:
                if sample.topic in self._before:
                    self._before[sample.topic] = sample
            self._samples.clear()
            self.bytes = 0
            return latched + samples
