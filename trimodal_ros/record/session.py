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

"""What a recorder does between its start and its end: episodes begun, ended, discarded, kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
import threading

from .endings import Ended, Endings
from .episode import EpisodeError, EpisodeInfo
from .health import Health, health_of
from .intake import Intake, Tell
from .naming import next_path
from .provenance import Provenance, provenance_of
from .recording import Kind, Recording
from .room import check_room, free_bytes
from .sample import Sample
from .scribe import in_thread
from .selection import Wanted
from .settings import MB, Settings
from .writer import EpisodeWriter
from ..spec import NS_PER_S

IDLE_NS = 5 * NS_PER_S   # the health between episodes is that of so long


class Session:
    """
    Takes samples from one thread and orders from another.

    ``kind_of`` tells what the bag has to know of a topic that a sample came from; ``tell`` logs:
    a level ('info', 'error' or 'throttled error') and a text. Times are by ``clock``, in ns.
    ``failure`` is why the last episode ended by itself, '' once another has begun.
    """

    def __init__(self, settings: Settings, kind_of: Callable[[str], Kind],
                 clock: Callable[[], int], tell: Tell):
        self.settings, self._kind_of, self._clock, self._tell = settings, kind_of, clock, tell
        self.lock = threading.RLock()
        self.recording: Recording | None = None
        self.recorded_number = 0            # of the instruction that the episode began with
        self.failure = ''
        self.live = Provenance(trajectories=settings.trajectories)  # of all that came
        self.ended = Endings()              # of the episodes of this session
        self.intake = Intake(settings, tell)
        self._wanted: dict[str, Wanted] = {}
        self._latched: dict[str, Sample] = {}
        self._noted: EpisodeInfo | None = None
        self._idle_health = self._fresh_health()

    @property
    def health(self) -> Health:
        """Return the health of the episode under way, or of the last seconds."""
        recording = self.recording
        return self._idle_health if recording is None else recording.health

    def expect(self, wanted: Wanted) -> None:
        """Take samples of a topic from now on, and miss them where they don't come."""
        with self.lock:
            self._wanted[wanted.name] = wanted
            self.health.expect(wanted.name, wanted)

    def _fresh_health(self) -> Health:
        return Health(self._clock(), self.settings.limits, self._wanted)

    def take(self, sample: Sample, latched: bool = False) -> None:
        """Judge a sample and pass it on: to the episode under way, or else to the ring."""
        with self.lock:
            self._fail_if_failed()
            recording, health = self.recording, self.health
            self.live.feed(sample)
            if latched:
                self._latched[sample.topic] = sample
            (health if recording is None else recording).note(sample)
            self.intake.store(sample, recording, health, latched,
                              self._wanted[sample.topic].jpeg)

    def set_back(self, by_ns: int) -> None:
        """End the episode as the clock was set back: one that has two times is of no use."""
        with self.lock:
            self.intake.ring.take_all()
            if self.recording is not None:
                self._stop(self.recording, f'the clock was set back by {by_ns / NS_PER_S:.1f} s')

    def lose(self, topic: str, count: int) -> None:
        """Count messages that the middleware lost on the way here."""
        with self.lock:
            self.health.streams[topic].lost += count
        self._tell('throttled error', f'{topic}: {count} messages lost on the way here')

    def forget(self, topic: str) -> None:
        """Drop what the ring and the memory of latched messages have of a topic."""
        with self.lock:
            self.intake.ring.forget(topic)
            self._latched.pop(topic, None)

    def start(self, missing: list[str], operator: str = '', name: str = '') -> Path:
        """
        Begin an episode and return where it is going to lie.

        Raises EpisodeError where one is under way, something is ``missing``, no instruction was
        given, the disk is too full, or the ``name`` can't be had.
        """
        with self.lock:
            if self.recording is not None:
                raise EpisodeError(f'already recording {self.recording.writer.path.name}; end it '
                                   'first')
            if missing:
                raise EpisodeError('not started: ' + '; '.join(missing))
            if not self.live.instruction:
                raise EpisodeError('not started: no instruction has been given, and an episode '
                                   'needs one; publish it on the topic instruction')
            check_room(self.settings)
            self._begin(operator, name)
            return self.recording.writer.path

    def _open(self, instruction: str, operator: str, name: str) -> tuple[EpisodeWriter,
                                                                        EpisodeInfo]:
        info = EpisodeInfo(instruction, self.settings.robot, 'unknown', operator=operator)
        writer = EpisodeWriter(next_path(self.settings.folder, name), info,
                               self.settings.compression, self.settings.sync_s)
        return writer, info

    def _begin(self, operator: str, name: str) -> None:
        writer, info = self._open(self.live.instruction, operator, name)
        now_ns = self._clock()
        health = self._fresh_health()
        provenance = Provenance(info.instruction, self.live.is_taken_over, now_ns,
                                self.settings.trajectories)
        self.recording = Recording(writer, info, provenance, health, self._kind_of)
        self.failure, self._noted, self.recorded_number = '', info, self.live.number
        self.intake.ring.take_all()   # no moment is in two episodes
        for sample in self._latched.values():
            known = sample._replace(received_ns=now_ns)
            self.recording.note(known)
            self.intake.store(known, self.recording, health)

    def end(self, outcome: str) -> Future:
        """End the episode; the future has its path once it is whole. Raises EpisodeError."""
        with self.lock:
            recording, now_ns, ended = self._leave(), self._clock(), self.ended.add(outcome)
            ended.whole = self.intake.after_all(self._closing(recording, ended, now_ns))
            return ended.whole

    def _closing(self, recording: Recording, ended: Ended, until_ns: int) -> Callable[[], Path]:
        """Return the job that closes an episode; what fails then is counted as failed."""
        outcome = ended.outcome

        def close() -> Path:
            try:
                if recording.failure:
                    raise EpisodeError(recording.failure)
                return recording.writer.close(recording.info(
                    until_ns, outcome, recording.report(until_ns)))
            except EpisodeError as error:
                with self.lock:
                    self.ended.fail(ended)
                    self.failure = f'not finished: {error}'
                self._tell('error', f'not finished: {error}')
                raise
        return close

    def _leave(self) -> Recording:
        """Take the episode under way out of the way. Raises EpisodeError where there is none."""
        self._fail_if_failed()
        recording = self.recording
        if recording is None:
            raise EpisodeError(self.failure or 'not recording')
        self.recording, self._idle_health = None, self._fresh_health()
        return recording

    def _fail_if_failed(self) -> None:
        """Note that the disk has ended the episode, where it has."""
        if self.recording is None or not self.recording.failure:
            return
        self.failure = f'recording stopped: {self.recording.failure}'
        self.recording, self._idle_health = None, self._fresh_health()
        self.ended.add('failed')
        self._tell('error', self.failure)

    def discard(self) -> Future:
        """
        Move the episode under way, or else the last one of this session, to the trash.

        Of finished ones one, until there is another. The future has its place in the trash.
        Raises EpisodeError where there is none.
        """
        with self.lock:
            self._fail_if_failed()
            if self.recording is not None:
                self.ended.counts['discarded'] += 1
                return self.intake.after_all(self._leave().writer.discard)
            moved = self.ended.discard_last()
            if moved is None:
                raise EpisodeError(self.failure or 'nothing to discard: no episode of this '
                                   'session is left')
            return moved

    def keep(self, operator: str = '', name: str = '') -> Future:
        """
        Make an episode of what is in the ring; the future has its path.

        Raises EpisodeError where there is nothing, or no instruction, or an episode under way.
        """
        with self.lock:
            if self.recording is not None:
                raise EpisodeError('recording is on: all since its start is in the episode; end '
                                   'it instead')
            if not self.settings.ring_s:
                raise EpisodeError('nothing is kept in memory: ring_s is 0')
            said = [text for text in self.live.instructions if text]
            if not said:
                raise EpisodeError('no instruction has been given, and an episode needs one; '
                                   'publish it, and keep then')
            if not self.intake.ring.bytes:
                raise EpisodeError('nothing has come since the last episode')
            check_room(self.settings, self.intake.ring.bytes)
            return self._keep(*self._open(said[-1], operator, name))

    def _keep(self, writer: EpisodeWriter, info: EpisodeInfo) -> Future:
        samples = self.intake.ring.take_all()
        wanted = {each.recorded_as: each for each in self._wanted.values()}
        recording = Recording(writer, info, provenance_of(samples, self.settings.trajectories),
                              health_of(samples, wanted, self.settings.limits), self._kind_of)
        ended = self.ended.add('unknown')
        close = self._closing(recording, ended, samples[-1].received_ns)

        def write() -> Path:
            for sample in samples:
                recording.write(sample)
            return close()
        ended.whole = in_thread(write, 'keep')
        return ended.whole

    def check(self) -> None:
        """Stop where the disk is too full; else keep what is known with the episode."""
        with self.lock:
            self._fail_if_failed()
            recording, now_ns = self.recording, self._clock()
            if recording is None:
                if now_ns - self.health.start_ns > IDLE_NS:
                    self._idle_health = self._fresh_health()
            elif recording.writer.failure is not None:  # a sync that nobody was waiting for
                self.intake.scribe.do(lambda: recording.give_up(str(recording.writer.failure)))
            elif (free := free_bytes(self.settings.folder)) < self.settings.floor_bytes:
                self._stop(recording, f'{free / MB:.0f} MB free, fewer than min_free_mb '
                                      f'{self.settings.floor_bytes / MB:.0f}; make room')
            else:
                self._note(recording, now_ns)

    def _stop(self, recording: Recording, text: str) -> None:
        """End the episode for a reason that makes it bad, and say so."""
        text = f'stopped: {text}'
        recording.health.find(text)
        self.end('unknown')
        self.failure = f'{recording.writer.path.name} {text}'
        self._tell('error', self.failure)

    def _note(self, recording: Recording, now_ns: int) -> None:
        """Tell the file what a recovery would want to know, where that is new."""
        info = recording.info(now_ns)
        if info != self._noted:
            self._noted = info
            self.intake.scribe.do(lambda: recording.writer.note(info))

    def close(self) -> None:
        """Finish the episode under way, or that is being kept, and end the threads."""
        if self.recording is not None:
            try:
                self._tell('info', f'{self.end("unknown").result()}')
            except EpisodeError as error:
                self._tell('error', str(error))
        self.ended.wait()
        self.intake.close()
