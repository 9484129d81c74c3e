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

"""What the policy node tells on /diagnostics once a second, and at its end as a table."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np

from .decision_message import status
from .ros import ROS_TYPES
from ..command.commander import Commander
from ..command.decision import Decision
from ..command.interlock import NO_INSTRUCTION
from ..command.shadow import Shadow
from ..evaluate.statistics import summarize_ms
from ..observe.observer import NotReady
from ..spec import NS_PER_S

DECISIONS = 10_000  # of which the times are kept
FIGURES = ('p50', 'p99', 'max')


class PolicyDiagnostics:
    """Keeps the times of the newest decisions, and counts all of them."""

    def __init__(self, hardware: str):
        self.hardware = hardware
        self.decisions = self.refused = 0
        self._times_ms: dict[str, np.ndarray] = {}  # rings of DECISIONS
        self._newest: Decision | None = None
        self.complaints: dict[str, str] = {}  # of the graph, by topic

    def note(self, decision: Decision, age_ms: float) -> None:
        """Count a decision."""
        self.decisions += 1
        self.refused += bool(decision.refusal)
        self._newest = decision
        for stage, value in {'age': age_ms, **decision.stages_ms}.items():
            if stage not in self._times_ms:
                self._times_ms[stage] = np.full(DECISIONS, np.nan)
            self._times_ms[stage][(self.decisions - 1) % DECISIONS] = value

    def message(self, commander: Commander, node: str, listeners: int) -> DiagnosticArray:
        """Return everything as it is now; ``listeners`` subscribe to the command."""
        parts = {'state': self._state(commander), 'inputs': self._inputs(commander),
                 'timing': self._timing(), 'engine': self._engine(commander),
                 'limits': self._limits(commander),
                 'alignment': self._alignment(), 'graph': self._graph(commander, listeners)}
        if commander.decider.shadow is not None:
            parts['shadow'] = self._shadow(commander.decider.shadow)
        statuses = [status(f'{node}: {part}', *told) for part, told in parts.items()]
        for told in statuses:
            told.hardware_id = self.hardware
        return DiagnosticArray(header=ROS_TYPES.header(commander.pilot.clock()), status=statuses)

    def _state(self, commander: Commander):
        interlock, told = commander.interlock, commander.decider.told
        policy = commander.decider.policy
        values = {'dry_run': str(commander.helm.dry_run).lower(), 'instruction': told.sentence,
                  'instruction_id': str(told.number),
                  'instruction_since_ns': str(told.since_ns),
                  'checkpoint': policy.content_hash, 'held_for': interlock.reason,
                  'stopped_by': interlock.stopped_by, 'decisions': str(self.decisions),
                  'refused': str(self.refused)}
        if not commander.helm.is_active:
            return DiagnosticStatus.OK, 'inactive', values
        if interlock.stopped_by:
            return DiagnosticStatus.ERROR, f'stopped by {interlock.stopped_by}', values
        if interlock.reason:
            idle = interlock.reason == NO_INSTRUCTION and not interlock.details
            is_fine = idle or interlock.is_taken
            level = DiagnosticStatus.OK if is_fine else DiagnosticStatus.ERROR
            return level, f'holding: {NotReady(interlock.reason, interlock.details)}', values
        return DiagnosticStatus.OK, 'commanding', values

    @staticmethod
    def _inputs(commander: Commander):
        wrong, now_ns = commander.why_not_ready(), commander.pilot.clock()
        with commander.pilot.lock:
            stamps_ns = commander.pilot.observer.newest_stamps_ns()
            counts = dict(commander.pilot.observer.counts)
        values = {f'{name}_age_ms': f'{1e3 * (now_ns - stamp_ns) / NS_PER_S:.1f}'
                  for name, stamp_ns in stamps_ns.items()}
        values.update({f'{name}_count': str(count) for name, count in counts.items()})
        level = DiagnosticStatus.WARN if wrong else DiagnosticStatus.OK
        return level, wrong or 'all alive', values

    def _timing(self):
        values = {f'{stage}_{figure}_ms': f'{summary[figure]:.3f}'
                  for stage, summary in self._summaries().items() for figure in FIGURES}
        return DiagnosticStatus.OK, f'of the last {self._kept}', values

    @staticmethod
    def _engine(commander: Commander):
        policy = commander.decider.policy
        level = DiagnosticStatus.WARN if policy.fall_back else DiagnosticStatus.OK
        return level, policy.fall_back or 'as asked', {'runs_on': policy.runs_on}

    def _summaries(self) -> dict[str, dict[str, float]]:
        kept = self._kept
        return {stage: summarize_ms(times[:kept]) for stage, times in self._times_ms.items()}

    @property
    def _kept(self) -> int:
        return min(self.decisions, DECISIONS)

    @staticmethod
    def _limits(commander: Commander):
        events = commander.pilot.limit_events.total()
        level = DiagnosticStatus.WARN if events else DiagnosticStatus.OK
        return level, f'{events} events', commander.pilot.limit_values

    def _alignment(self):
        alignment = {} if self._newest is None else self._newest.alignment
        return DiagnosticStatus.OK, 'of the newest plan', {
            name: f'{value:.4f}' for name, value in alignment.items()}

    @staticmethod
    def _shadow(shadow: Shadow):
        values = {'checkpoint': shadow.policy.content_hash, **{
            name: str(getattr(shadow, name)) for name in
            ('decisions', 'refused', 'skipped', 'failed', 'failure')}}
        if shadow.failed:
            return DiagnosticStatus.WARN, f'failed {shadow.failed} times: {shadow.failure}', values
        return DiagnosticStatus.OK, f'{shadow.decisions} decisions beside', values

    def _graph(self, commander: Commander, listeners: int):
        values = {'listeners': str(listeners)}
        if self.complaints:
            return DiagnosticStatus.ERROR, '; '.join(self.complaints.values()), values
        if not listeners and not commander.helm.dry_run:
            topics = ' or '.join(group.topic for group in commander.pilot.robot.groups)
            return DiagnosticStatus.WARN, (f'nobody subscribes to {topics}: is it remapped to the '
                                           "controller's?"), values
        return DiagnosticStatus.OK, 'no complaints', values

    def table(self) -> str:
        """Return the times of the stages as lines of text, '' before the first decision."""
        rows = [f'{stage:12}' + ''.join(f'{summary[figure]:10.2f}' for figure in FIGURES)
                for stage, summary in self._summaries().items()]
        if not rows:
            return ''
        heading = f'{"ms":12}' + ''.join(f'{figure:>10}' for figure in FIGURES)
        return '\n'.join([f'{self.decisions} decisions, {self.refused} refused', heading, *rows])
