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

"""What the recorder tells on /diagnostics once a second: its state, the disk, every topic."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from .decision_message import status
from .ros import ROS_TYPES
from ..record.gate import missing, Seen, why_not_alive
from ..record.room import free_bytes
from ..record.session import Session
from ..record.settings import MB
from ..spec import NS_PER_S

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class RecorderDiagnostics:
    """Makes the message; rates are those since the last one."""

    def __init__(self, node: str, alive_s: float, operator):
        self._node, self._alive_s, self._operator = node, alive_s, operator
        self._then = (0, 0)   # when it was made last, and bytes written by then

    def message(self, session: Session, topics: list[Seen], now_ns: int) -> DiagnosticArray:
        """Return everything as it is now."""
        with session.lock:
            health = session.health
            findings = health.stream_findings(now_ns)
            rates = health.rates(now_ns)
            parts = {'state': self._state(session, topics, now_ns),
                     'disk': self._disk(session, now_ns)}
            for seen in topics:
                name = seen.wanted.name
                parts[name] = self._topic(seen, session, findings.get(name, []),
                                          rates.get(name, (0.0, 0.0)), now_ns)
        return DiagnosticArray(header=ROS_TYPES.header(now_ns), status=[
            status(f'{self._node}: {part}', *told) for part, told in parts.items()])

    def _state(self, session: Session, topics: list[Seen], now_ns: int):
        recording, lacking = session.recording, missing(topics, now_ns, self._alive_s)
        values = {'instruction': session.live.instruction, 'operator': self._operator(),
                  'taken_over': str(session.live.is_taken_over).lower(),
                  'ring_s': f'{session.intake.ring.length_s:.1f}',
                  **{f'episodes_{name}': str(count) for name, count in session.ended.counts.items()
                     if count}}
        if recording is not None:
            seconds = (now_ns - recording.health.start_ns) / NS_PER_S
            values |= {'episode': str(recording.writer.path), 'seconds': f'{seconds:.1f}',
                       'recorded_instruction': recording.instruction}
            bad = recording.report(now_ns)['findings']
            return (WARN if bad else OK), 'recording' + (', with findings' if bad else ''), values
        if session.failure:
            return ERROR, session.failure, values
        if lacking:
            return WARN, 'not ready: ' + '; '.join(lacking), values
        return OK, 'ready', values

    def _disk(self, session: Session, now_ns: int):
        queued, queued_bytes, written = (
            session.intake.scribe.queued, session.intake.scribe.queued_bytes,
            session.intake.scribe.written_bytes)
        then_ns, before = self._then
        self._then = (now_ns, written)
        rate = (written - before) * NS_PER_S / max(now_ns - then_ns, 1)
        floor = session.settings.floor_bytes / MB
        try:
            free = free_bytes(session.settings.folder) / MB
        except OSError as error:
            return ERROR, str(error), {}
        values = {'free_mb': f'{free:.0f}', 'min_free_mb': f'{floor:.0f}',
                  'written_mb_s': f'{rate / MB:.2f}', 'queued_messages': str(queued),
                  'queued_mb': f'{queued_bytes / MB:.2f}', 'dropped': str(session.health.dropped)}
        if free < floor:
            return ERROR, f'{free:.0f} MB free, fewer than min_free_mb {floor:.0f}', values
        if session.health.dropped:
            return ERROR, f'{session.health.dropped} messages dropped', values
        return OK, f'{free:.0f} MB free', values

    def _topic(self, seen: Seen, session: Session, findings: list[str],
               rates: tuple[float, float], now_ns: int):
        values = {'rate_hz': f'{rates[0]:.1f}', 'mb_s': f'{rates[1] / MB:.3f}',
                  'type': seen.type_name, 'publishers': ', '.join(seen.publishers)}
        stream = session.health.streams.get(seen.wanted.name)
        if stream is not None:
            figures = stream.figures((now_ns - session.health.start_ns) / NS_PER_S)
            values |= {name: str(value) for name, value in figures.items() if name != 'rate_hz'}
        if seen.complaint:
            return ERROR, seen.complaint, values
        silent = why_not_alive(seen, now_ns, self._alive_s) if seen.wanted.required else ''
        if silent:
            return ERROR, silent, values
        if findings:
            return WARN, '; '.join(findings), values
        return OK, 'well' if seen.publishers else 'nobody publishes it', values
