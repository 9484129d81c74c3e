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

"""The thread that decides: it reads what the robot is told, plans, and sends what may be sent."""

from __future__ import annotations

from dataclasses import replace
import traceback

from .decision import Decision
from .helm import Helm
from .outlet import Thinker, Told
from .shadow import Shadow
from .worker import Worker
from ..observe.image import ImageError
from ..observe.instruction import InstructionError
from ..observe.observer import NotReady

STRAY = 'an arm that is not where it is commanded'


class Decider:
    """
    Decides, once for each ``wake``, by a policy that another may take over.

    Whatever goes wrong in it holds the robot.
    """

    def __init__(self, policy: Thinker, helm: Helm):
        self.policy, self.helm = policy, helm
        self.pilot, self.outlet = helm.pilot, helm.outlet
        self.told = Told()
        self.worker = Worker(self._work, 'decide')
        self._read = None       # the sentence whose embedding is at hand
        self._next = None       # the policy that takes over
        self.shadow: Shadow | None = None  # another that decides on the same, and commands nothing

    def tell(self, sentence: str) -> None:
        """Note what the robot is told; it is read, and planned for on the images after."""
        self.told = Told(sentence, self.told.number + bool(sentence))
        self._read = None  # the images at hand have aged, even if it is the same again

    # -- the policy

    def take_over(self, policy: Thinker) -> None:
        """Change to another policy, before the next decision."""
        with self.pilot.lock:
            sentence = self.pilot.observer.instruction
        if sentence:
            policy.sentences.tokens(sentence)  # here and not between two decisions
        with self.pilot.lock:
            self._next = policy
            if not self.helm.is_active:
                self._change_policy()

    @property
    def coming_hash(self) -> str:
        """Content hash of the policy that decides next."""
        return (self._next or self.policy).content_hash

    def _change_policy(self) -> None:
        if self._next is None:
            return
        self.policy, self._next = self._next, None
        self.pilot.take_over(self.policy.plan, self.policy.stopwatch)
        self._read = None
        self.outlet.tell('info', f'checkpoint {self.policy.content_hash} has taken over')

    # -- the thread

    def _work(self) -> None:
        try:
            self._decide()
        except NotReady as error:
            self._hold(error.what, error.reason)
        except ImageError as error:
            self._hold('unreadable image', str(error))
        except InstructionError as error:
            self.helm.hold('unreadable instruction', str(error))
        except Exception as error:  # noqa: B902 - the robot must be held whatever it does
            if self.helm.is_active:
                self.outlet.tell('throttled error', f'the policy failed: {traceback.format_exc()}')
            self._hold('the policy failed', repr(error))

    def _hold(self, what: str, reason: str) -> None:
        self._plan_soon()
        self.helm.hold(what, reason)

    def _plan_soon(self) -> None:
        """Plan from the next complete set of images: those at hand have aged."""
        with self.pilot.lock:
            self.helm.schedule.skip(self.pilot.observer.image_stamp_ns)
            self.worker.calm()

    def _decide(self) -> None:
        interlock = self.helm.interlock
        with self.pilot.lock:
            self._change_policy()
            instruction, holds = self.pilot.observer.instruction, self.helm.holds
            may_plan = interlock.may_plan
            if interlock.reason:
                self.pilot.begin()  # from rest
        if instruction and instruction != self._read:
            self.policy.sentences.tokens(instruction)  # slow the first time, then kept
            self._read = instruction
            self._plan_soon()
        elif instruction and may_plan:
            self._publish(self.pilot.decide(), holds)

    def _publish(self, decision: Decision, holds: int) -> None:
        """Send what was decided, unless the robot was held or told otherwise meanwhile."""
        pilot = self.pilot
        with pilot.lock:
            if not self.helm.is_active:
                return
            asked = decision.observation.instruction == pilot.observer.instruction
            if holds != self.helm.holds or not asked:
                self._plan_soon()
                return
            decision = pilot.in_time(decision)
            before = pilot.commanded.copy()
            if decision.trajectory is not None:
                self._note_switch(decision)
                self.helm.send(decision.trajectory, decision.holds)
            pilot.stopwatch.lap('publish')
            stages_ms = {**decision.stages_ms, 'publish': pilot.stopwatch.laps_ms['publish']}
            self._settle(replace(decision, stages_ms=stages_ms))
        if self.shadow is not None:
            self.shadow.offer(decision, before, self.told)

    def _note_switch(self, decision: Decision) -> None:
        if not self.told.since_ns and not decision.holds:
            self.told = replace(self.told, since_ns=self.pilot.clock())

    def _settle(self, decision: Decision) -> None:
        """Note whether the robot is commanded or held now, and report."""
        if decision.refusal.reason == 'arm is elsewhere' and not self.helm.dry_run:
            self.helm.stop_by(STRAY, details=decision.refusal.text)
        elif decision.holds:
            self.helm.interlock.hold('plan not sent', decision.refusal.text)
        elif not decision.refusal and self.helm.interlock.command():
            self.outlet.tell('info', 'commanding')
        if decision.clamped and not decision.refusal:
            self.outlet.tell('throttled warning', f'plan clamped: {decision.clamped}')
        if decision.refusal:
            self._plan_soon()
            self.outlet.tell('throttled error', f'plan not sent: {decision.refusal.text}')
        self.outlet.report(decision, self.told)
