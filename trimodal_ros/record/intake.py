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

"""The way of a sample: compressed where it is to be, then to the disk or into the ring."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from .compress import Compressor
from .health import Health
from .recording import Recording
from .ring import Ring
from .sample import Sample
from .scribe import in_thread, Scribe
from .settings import Settings

Tell = Callable[[str, str], None]   # a level and a text, for the log


class Intake:
    """
    Stores samples: of an episode under way on the disk, of none in the ring.

    What there is no room for is counted as dropped by the health that the sample belongs to, and
    told at once.
    """

    def __init__(self, settings: Settings, tell: Tell):
        self._tell, self._has_ring = tell, settings.ring_s > 0
        self.ring = Ring(settings.ring_s, settings.ring_bytes)
        self.scribe = Scribe(settings.queue_bytes, settings.queue_messages)
        self._compressor = (Compressor(settings.jpeg_quality, settings.jpeg_workers)
                            if settings.jpeg_workers else None)

    def store(self, sample: Sample, recording: Recording | None, health: Health,
              latched: bool = False, jpeg: bool = False) -> None:
        """Pass a sample on; ``jpeg`` has an image compressed first."""
        if recording is None and not self._has_ring:
            return

        def pass_on(ready: Sample) -> None:
            if recording is None:
                self.ring.add(ready, latched)
            elif not self.scribe.write(recording, ready):
                drop('no room in the queue to the disk')

        def drop(reason: str) -> None:
            health.drop(sample.topic)
            self._tell('throttled error', f'{sample.topic}: {reason}; '
                       f'{health.streams[sample.topic].dropped} messages dropped so far')
        if not jpeg:
            pass_on(sample)
        elif not self._compressor.submit(sample, pass_on, drop):
            drop('the JPEG workers are too far behind')

    def after_all(self, job: Callable[[], Path]) -> Future:
        """Do a job behind all that was stored so far, images under compression included."""
        if self._compressor is None:
            return self.scribe.do(job)

        def settled() -> Path:
            self._compressor.settle()
            return self.scribe.do(job).result()
        return in_thread(settled, 'settle')

    def close(self) -> None:
        """Write all that is queued and end the threads."""
        if self._compressor is not None:
            self._compressor.close()
        self.scribe.close()
