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

"""
When to decide and when to hold: the policy node without ROS.

Callbacks store; ``supervise``, called every few milliseconds, notices what is stale; one worker
thread decides. What is sent, and whether it may be, is settled under the pilot's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import time
import traceback

from .interlock import Interlock, NO_INSTRUCTION, StopTopic
from .outlet import Outlet, Thinker, Told
from .pilot import Decision, Pilot
from .worker import PATIENCE_S, Worker
from ..observe.image import ImageError
from ..observe.instruction import InstructionError
from ..observe.joints import JointStateError
from ..observe.observer import NotReady
from ..spec import NS_PER_S, Trajectory

STRAY = 'an arm that is not where it is commanded'


class Commander:
    """
    Commands a robot by a policy between ``start`` and ``stop``.

    With ``dry_run`` everything goes on as if, but nothing counts as commanded: each plan begins
    where the arm is. ``steady`` is a clock in ns that never jumps.
    """

    def __init__(self, pilot: Pilot, policy: Thinker, outlet: Outlet, interlock: Interlock,
                 replan_s: float, dry_run: bool = False,
                 steady: Callable[[], int] = time.monotonic_ns):
        self.pilot, self.policy, self.outlet, self.interlock = pilot, policy, outlet, interlock
        self.dry_run, self.told, self.steady = dry_run, Told(), steady
        self.is_active = False
        self._replan_ns = round(replan_s * NS_PER_S)
        self._worker = Worker(self._work, 'decide')
        self._plan_from_ns = 0  # images stamped earlier are not planned from
        self._counted_ns = 0    # images stamped later may count as good
        self._seen_ns = 0       # when the clock was looked at last
        self._read = None       # the sentence whose embedding is at hand
        self._unusable = ''     # what is wrong with what the robot was told last
        self._holds = 0         # a decision begun before the last one is not sent
        self._next = None       # the policy that takes over
        self._stop_topic = StopTopic()

    # -- begin and end

    def why_not_ready(self) -> str:
        """Return which input is missing or wrong, '' when all are there."""
        with self.pilot.lock:
            stopped = self.interlock.stopped_by
            return self._wrong_input() or (
                f'stopped by {stopped}; call ~/resume first' if stopped else '')

    def _wrong_input(self) -> str:
        try:
            self.pilot.observer.check_alive(self.pilot.clock())
        except NotReady as error:
            return str(error)
        topic = self._stop_topic
        silent = topic.is_silent(self.steady())
        return f'stop topic {topic.name!r}: silent' if silent else ''

    def start(self) -> bool:
        """Begin commanding; False while the model of an earlier start has not returned."""
        if not self.end_worker():
            return False
        with self.pilot.lock:
            if not self.pilot.is_moving or self.pilot.stray():  # else it brakes still
                self.pilot.commanded.clear()
            self.pilot.begin()
            self.interlock.begin()
            self._plan_from_ns, self._counted_ns = 0, 0
            self._seen_ns = self.pilot.clock()
            self.is_active = True
        self._worker.start()
        return True

    def stop(self, reason: str) -> None:
        """Brake if active, as the last that is sent; the model may still be thinking."""
        with self.pilot.lock:
            if self.is_active:
                self.is_active = False
                self._brake(reason)

    def end_worker(self) -> bool:
        """Wait for the worker of a start that is over; say so when it doesn't return."""
        ended = self._worker.end()
        if not ended:
            self.outlet.tell('error', (
                f'the model has not returned for {PATIENCE_S} s; what it returns is left out, and '
                'until then the node cannot be activated'))
        return ended

    # -- what comes in

    def on_image(self, camera: str, message) -> None:
        """Store an image, and decide when that makes a complete set that is due."""
        with self.pilot.lock:
            self._notice_jump(self.pilot.observer.is_from_before(camera, message))
            try:
                self.pilot.observer.add_image(camera, message, self.pilot.clock())
            except ImageError as error:
                self._refuse_input(error)
            self._decide_if_due()

    def on_joints(self, message) -> None:
        """Store joints; hold at once for values that can't be, not for joints left out."""
        try:
            with self.pilot.lock:
                self.pilot.observer.add_joints(message)
        except JointStateError as error:
            self._refuse_input(error)

    def _refuse_input(self, error: Exception) -> None:
        self.outlet.tell('throttled error', str(error))
        with self.pilot.lock:
            if self.pilot.observer.instruction:
                self._hold_unless_alive()

    def on_instruction(self, text: str) -> None:
        """Take over what the robot is told, on the next images; '' or an unusable one holds."""
        with self.pilot.lock:
            observer = self.pilot.observer
            before, self._unusable = observer.instruction, ''
            try:
                observer.set_instruction(text)
            except InstructionError as error:
                observer.set_instruction('')
                self._unusable = str(error)
                self.outlet.tell('error', f'instruction refused, holding: {error}')
            after = observer.instruction
            if after != before:
                self.told = Told(after, self.told.number + bool(after))
                self._read = None  # the images at hand have aged, even if it is the same again
        if after != before:
            self.outlet.tell('info', f'instruction {after!r}')
            self._worker.wake()  # it reads it, and plans for it on the next images

    def stop_by(self, who: str, asks_on: bool = False, details: str = '') -> None:
        """Stop whatever goes on, until ``resume``."""
        with self.pilot.lock:
            self.interlock.stop(who, asks_on)
            self._hold(f'stopped by {who}', details)

    def listen_to_stop(self, topic: str, max_silence_s: float) -> None:
        """Expect ``on_stop_topic`` at least so often from now on."""
        self._stop_topic = StopTopic(topic, max_silence_s)

    def on_stop_topic(self, asks: bool) -> None:
        """Stop, or note that this isn't asked for any more."""
        topic = self._stop_topic
        with self.pilot.lock:
            topic.heard_ns = self.steady()
            if not asks:
                self.interlock.ask_no_more(topic.name)
            elif self.interlock.stopped_by == topic.name:
                self.interlock.stop(topic.name, asks_on=True)  # as before, without a word
            else:
                self.stop_by(topic.name, asks_on=True)

    def resume(self) -> None:
        """
        Let the robot go on after a hold or a stop.

        Raises ValueError while that is asked for, or an input is missing or wrong: the hold for
        that would undo it at once.
        """
        with self.pilot.lock:
            wrong = self._wrong_input()
            if wrong:
                raise ValueError(f'not yet: {wrong}')
            self.interlock.resume()

    def take_over(self, policy: Thinker) -> None:
        """Change to another policy, before the next decision."""
        with self.pilot.lock:
            sentence = self.pilot.observer.instruction
        if sentence:
            policy.sentences.tokens(sentence)  # here and not between two decisions
        with self.pilot.lock:
            self._next = policy
            if not self.is_active:
                self._change_policy()

    @property
    def coming_hash(self) -> str:
        """Content hash of the policy that decides next."""
        return (self._next or self.policy).content_hash

    def _change_policy(self) -> None:
        if self._next is None:
            return
        self.policy, self._next = self._next, None
        self.pilot.planner, self.pilot.stopwatch = self.policy.plan, self.policy.stopwatch
        self._read = None
        self.outlet.tell('info', f'checkpoint {self.policy.content_hash} has taken over')

    # -- what is due, and what is stale

    def _decide_if_due(self) -> None:
        """Wake the worker, once, when a complete set of images is there to plan from."""
        stamp = self.pilot.observer.image_stamp_ns
        if not self.is_active or stamp is None or not self.pilot.observer.instruction:
            return
        if self.interlock.reason and stamp > self._counted_ns:
            self._counted_ns = stamp
            self._count_good()
        if stamp >= self._plan_from_ns and self.interlock.may_plan:
            self._plan_from_ns = stamp + self._replan_ns
            self._worker.wake()

    def _count_good(self) -> None:
        try:
            self.pilot.observer.check_alive(self.pilot.clock())
        except NotReady:
            return
        self.interlock.good()

    def _plan_soon(self) -> None:
        """Plan from the next complete set of images: those at hand have aged."""
        with self.pilot.lock:
            self._plan_from_ns = (self.pilot.observer.image_stamp_ns or 0) + 1
            self._worker.calm()

    def supervise(self) -> None:
        """Hold when an input is missing or stale, the chunk has run out or the clock went back."""
        with self.pilot.lock:
            if self._notice_jump():
                return
            topic = self._stop_topic
            silent = self.is_active and topic.is_silent(self.steady())
            if silent and not self.interlock.stopped_by:
                self.stop_by(f'{topic.name}: silent')
            elif not self.pilot.observer.instruction:
                self._hold(NO_INSTRUCTION, self._unusable)
            else:
                self._hold_unless_alive()

    def _notice_jump(self, stamps_went_back: bool = False) -> bool:
        """Hold, and return True, when the clock jumped by more than an image may be old."""
        seen_ns, self._seen_ns = self._seen_ns, self.pilot.clock()
        ahead_s = (self._seen_ns - seen_ns) / NS_PER_S
        most_s = self.pilot.rules.freshness.max_age_s
        if ahead_s < -most_s:
            self._start_again(seen_ns)
        elif stamps_went_back:
            self._hold('clock jumped back', 'of a camera')
            self.pilot.observer.clear()
            self._plan_from_ns, self._counted_ns = 0, 0
        elif ahead_s > most_s:
            self._hold('clock jumped ahead', f'or nothing went on here for {ahead_s:.3f} s')
        else:
            return False
        return True

    def _hold_unless_alive(self) -> None:
        try:
            self.pilot.observer.check_alive(self.pilot.clock())
        except NotReady as error:
            self._hold(error.what, error.reason)
            return
        stray = self.pilot.stray() if self.is_active else ''
        if stray and not self.interlock.stopped_by:
            self.stop_by(STRAY, details=stray)
        elif not self.interlock.reason and self.pilot.commanded and not self.pilot.is_moving:
            self._hold('chunk exhausted', 'no new plan came before its end')

    def _start_again(self, seen_ns: int) -> None:
        """Forget all stamps after a jump back: until they are reached again they mislead."""
        hold = self.pilot.forget(seen_ns)
        self._plan_from_ns, self._counted_ns = 0, 0
        if self.is_active and hold is not None:
            self._send(hold, is_hold=True)
        self._hold('clock jumped back')

    # -- the worker

    def _work(self) -> None:
        try:
            self._decide()
        except NotReady as error:
            self._plan_soon()
            self._hold(error.what, error.reason)
        except ImageError as error:
            self._plan_soon()
            self._hold('unreadable image', str(error))
        except InstructionError as error:
            self._hold('unreadable instruction', str(error))
        except Exception as error:  # noqa: B902 - the robot must be held whatever it does
            self._plan_soon()
            self._hold_after(error)

    def _hold_after(self, error: Exception) -> None:
        if self.is_active:
            self.outlet.tell('throttled error', f'the policy failed: {traceback.format_exc()}')
            self._hold('the policy failed', repr(error))

    def _decide(self) -> None:
        with self.pilot.lock:
            self._change_policy()
            instruction, holds = self.pilot.observer.instruction, self._holds
            may_plan = self.interlock.may_plan
            if self.interlock.reason:
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
            if not self.is_active:
                return
            asked = decision.observation.instruction == pilot.observer.instruction
            if holds != self._holds or not asked:
                self._plan_soon()
                return
            late = decision.trajectory is not None and pilot.too_late(decision)
            if late and decision.holds:
                decision = replace(decision, trajectory=pilot.hold())
            elif late:
                decision = replace(decision, trajectory=None, refusal=late)
            if decision.trajectory is not None:
                self._note_switch(decision)
                self._send(decision.trajectory, decision.holds)
            pilot.stopwatch.lap('publish')
            stages_ms = {**decision.stages_ms, 'publish': pilot.stopwatch.laps_ms['publish']}
            self._settle(replace(decision, stages_ms=stages_ms))

    def _note_switch(self, decision: Decision) -> None:
        if not self.told.since_ns and not decision.holds:
            self.told = replace(self.told, since_ns=self.pilot.clock())

    def _settle(self, decision: Decision) -> None:
        """Note whether the robot is commanded or held now, and report."""
        if decision.is_stray:
            self.stop_by(STRAY, details=decision.refusal)
        elif decision.holds:
            self.interlock.hold('plan not sent', decision.refusal)
        elif not decision.refusal and self.interlock.command():
            self.outlet.tell('info', 'commanding')
        if decision.refusal:
            self._plan_soon()
            self.outlet.tell('throttled error', f'plan not sent: {decision.refusal}')
        self.outlet.report(decision, self.told)

    # -- what is sent

    def _send(self, trajectory: Trajectory, is_hold: bool) -> None:
        self.outlet.send(trajectory)
        if not self.dry_run:
            self.pilot.sent(trajectory, is_hold)

    def _hold(self, what: str, reason: str = '') -> None:
        """Brake once; say why, when it is for something else than before."""
        with self.pilot.lock:
            if self.is_active:
                self._brake(what, reason)

    def _brake(self, what: str, reason: str = '') -> None:
        self._holds += 1
        if self.pilot.is_moving and not self.pilot.is_braking:
            trajectory = self.pilot.hold()
            if trajectory is not None:
                self._send(trajectory, is_hold=True)
        if self.interlock.hold(what, reason):
            self._plan_from_ns = min(self._plan_from_ns,
                                     (self.pilot.observer.image_stamp_ns or 0) + 1)
            self.outlet.tell('warning', f'holding: {NotReady(what, reason)}')
