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
import time

from .decider import Decider, STRAY
from .helm import Helm
from .interlock import Interlock, NO_INSTRUCTION, StopTopic
from .jump import JUMPED_BACK, JumpWatch
from .others import Others
from .outlet import Outlet, Thinker
from .pilot import Pilot
from .schedule import Schedule
from .takeover import SILENT, Takeover
from .worker import PATIENCE_S
from ..observe.image import ImageError
from ..observe.instruction import InstructionError
from ..observe.joints import JointStateError
from ..observe.observer import NotReady
from ..spec import SpecError


class Commander:
    """
    Commands a robot by a policy between ``start`` and ``stop``.

    With ``dry_run`` everything goes on as if, but nothing counts as commanded: each plan begins
    where the arm is, or with ``follows_others`` where others command it to be. ``steady`` is a
    clock in ns that never jumps.
    """

    def __init__(self, pilot: Pilot, policy: Thinker, outlet: Outlet, interlock: Interlock,
                 replan_s: float, dry_run: bool = False,
                 steady: Callable[[], int] = time.monotonic_ns, follows_others: bool = False):
        self.pilot, self.outlet, self.interlock, self.steady = pilot, outlet, interlock, steady
        self.schedule = Schedule(replan_s)
        self.helm = Helm(pilot, interlock, self.schedule, outlet, dry_run, follows_others)
        self.decider = Decider(policy, self.helm)
        self._jumps = JumpWatch(pilot.clock(), pilot.rules.freshness.max_age_s)
        self._unusable = ''     # what is wrong with what the robot was told last
        self._stop_topic = StopTopic()
        self.takeover = Takeover()
        self.others = Others(pilot.robot)

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
            self._jumps.look(self.pilot.clock())
            self.helm.begin()
        self.decider.worker.start()
        return True

    def stop(self, reason: str) -> None:
        """Brake if active, as the last that is sent; the model may still be thinking."""
        self.helm.end(reason)

    def end_worker(self) -> bool:
        """Wait for the worker of a start that is over; say so when it doesn't return."""
        ended = self.decider.worker.end()
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
        """Store joints; hold at once for values that can't be."""
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
                self.decider.tell(after)
        if after != before:
            self.outlet.tell('info', f'instruction {after!r}')
            self.decider.worker.wake()  # it reads it, and plans for it on the next images

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
                self.helm.stop_by(topic.name, asks_on=True)

    def on_takeover(self, is_on: bool) -> None:
        """Give way to somebody who commands by hand, or go on from where they left off."""
        with self.pilot.lock:
            if self.takeover.hear(is_on):
                self.helm.give_way() if is_on else self.helm.take_back()

    def on_trajectory(self, message) -> None:
        """Note what somebody else commands: what is sent next goes on from there."""
        with self.pilot.lock:
            try:
                trajectory = self.others.trajectory_of(message, self.pilot.clock())
            except SpecError as error:
                self.outlet.tell('throttled error', f'joint_trajectory of another: {error}')
                return
            if trajectory is not None:
                self.helm.overhear(trajectory)

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

    # -- what is due, and what is stale

    def _decide_if_due(self) -> None:
        """Wake the worker, once, when a complete set of images is there to plan from."""
        stamp = self.pilot.observer.image_stamp_ns
        if not self.helm.is_active or stamp is None or not self.pilot.observer.instruction:
            return
        if self.interlock.reason and self.schedule.is_new(stamp):
            self._count_good()
        if self.schedule.is_due(stamp) and self.interlock.may_plan:
            self.schedule.take(stamp)
            self.decider.worker.wake()

    def _count_good(self) -> None:
        try:
            self.pilot.observer.check_alive(self.pilot.clock())
        except NotReady:
            return
        self.interlock.good()

    def supervise(self) -> None:
        """Hold when an input is missing or stale, the chunk has run out or the clock went back."""
        with self.pilot.lock:
            if self._notice_jump():
                return
            self._notice_lost_takeover()
            topic = self._stop_topic
            silent = self.helm.is_active and topic.is_silent(self.steady())
            if silent and not self.interlock.stopped_by:
                self.helm.stop_by(f'{topic.name}: silent')
            elif not self.pilot.observer.instruction:
                self.helm.hold(NO_INSTRUCTION, self._unusable)
            else:
                self._hold_unless_alive()

    def _notice_lost_takeover(self) -> None:
        """Stop when whoever had taken over fell silent: nobody has given back."""
        if self.takeover.is_silent(self.steady()):
            self.takeover.is_on = False
            self.helm.take_back()
            self.helm.stop_by(SILENT, details=f'for {self.takeover.max_silence_s} s')

    def _notice_jump(self, stamps_went_back: bool = False) -> bool:
        """Hold, and return True, when the clock jumped by more than an image may be old."""
        jump = self._jumps.look(self.pilot.clock())
        if jump == JUMPED_BACK:
            self._start_again(self._jumps.before_ns)
        elif stamps_went_back:
            self.helm.hold(JUMPED_BACK, 'of a camera')
            self.pilot.observer.clear()
            self.schedule.begin()
        elif jump:
            self.helm.hold(jump, self._jumps.details)
        return bool(jump) or stamps_went_back

    def _hold_unless_alive(self) -> None:
        try:
            self.pilot.observer.check_alive(self.pilot.clock())
        except NotReady as error:
            self.helm.hold(error.what, error.reason)
            return
        if self.helm.dry_run:
            return   # what is commanded is others', and theirs to look after
        is_commanding = self.helm.is_active and not self.interlock.is_taken
        stray = self.pilot.stray() if is_commanding else ''
        if stray and not self.interlock.stopped_by:
            self.helm.stop_by(STRAY, details=stray)
        elif not self.interlock.reason and self.pilot.commanded and not self.pilot.is_moving:
            self.helm.hold('chunk exhausted', 'no new plan came before its end')

    def _start_again(self, seen_ns: int) -> None:
        """Forget all stamps after a jump back: until they are reached again they mislead."""
        hold = self.pilot.forget(seen_ns)
        self.schedule.begin()
        if self.helm.is_active and not self.interlock.is_taken and hold is not None:
            self.helm.send(hold, is_hold=True)
        self.helm.hold(JUMPED_BACK)
