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

"""A second policy that decides beside the one that commands, and commands nothing."""

from __future__ import annotations

from dataclasses import replace
import os
import threading
import traceback

from .decision import Decision
from .helm import Helm
from .outlet import ShadowOutlet, Thinker, Told
from .pilot import Pilot
from .playback import CommandedMotion
from .worker import Worker

NICE = 10   # how much less than others its thread insists on a processor (man 2 setpriority)


class Shadow:
    """
    Decides, in a thread of its own, on what the commanding policy has decided on and sent.

    It judges its plans by the same rules, as if it had begun when the other did and what it sends
    were sent instead: its clock is behind by as much as it began later. What it is offered while
    it thinks is left out: ``skipped`` counts that. ``failed`` counts what it raised, ``failure``
    is the last of it; ``decisions`` and ``refused`` what came of the others.
    """

    def __init__(self, helm: Helm, policy: Thinker, outlet: ShadowOutlet):
        active = helm.pilot
        self.policy, self._helm, self._outlet = policy, helm, outlet
        self.decisions = self.refused = self.skipped = self.failed = 0
        self.failure = ''
        self._offered, self._behind_ns = None, 0
        self._pilot = Pilot(active.robot, policy.plan, self._clock, active.rules,
                            replace(active.guard), policy.stopwatch, active.check)
        self._pilot.observer, self._pilot.lock = active.observer, active.lock
        self._worker = Worker(self._work, 'shadow')
        self._worker.start()

    def _clock(self) -> int:
        return self._helm.pilot.clock() - self._behind_ns

    @property
    def is_busy(self) -> bool:
        """Tell whether it is thinking."""
        return self._worker.is_busy

    def offer(self, decision: Decision, commanded: CommandedMotion, told: Told) -> None:
        """Decide on it, too, unless it still thinks; ``commanded`` is what was until then."""
        if self._worker.is_busy:
            self.skipped += 1
            return
        self._offered = decision, commanded, told
        self._worker.wake()

    def close(self) -> None:
        """End; what it still thinks of is told nobody."""
        self._outlet = None
        self._worker.end()

    def _work(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        outlet = self._outlet
        try:
            self._decide(*self._offered)
        except Exception as error:  # noqa: B902 - whatever it does, the robot goes on
            self.failed, self.failure = self.failed + 1, repr(error)
            if outlet is not None:
                outlet.tell('throttled error', f'the shadow failed: {traceback.format_exc()}')

    def _decide(self, other: Decision, commanded: CommandedMotion, told: Told) -> None:
        pilot, observation = self._pilot, other.observation
        self._behind_ns = self._helm.pilot.clock() - other.started_ns
        pilot.commanded = commanded
        pilot.ramps_from_ns = self._helm.pilot.ramps_from_ns
        pilot.stopwatch.start()
        received_ns = observation.stamp_ns + round(1e6 * other.stages_ms['transport'])
        decision = pilot.in_time(pilot.judge(observation, received_ns, other.started_ns))
        if decision.trajectory is not None and not self._helm.dry_run:
            pilot.sent(decision.trajectory, decision.holds)   # as blending needs to know
        age_ms = (pilot.clock() - observation.stamp_ns) / 1e6
        self.decisions += 1
        self.refused += bool(decision.refusal)
        outlet = self._outlet
        if outlet is not None:
            outlet.report(decision, told, age_ms)
