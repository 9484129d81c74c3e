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
A person's command without ROS: when they take over, what goes out, when it is given back.

Callbacks store and ``step``; ``tick``, called every few milliseconds, sends the next piece of
motion, and notices what is stale. All that is sent ends at rest, within the limits.
"""

from __future__ import annotations

from collections.abc import Callable
import time

from .arm import Arm
from .chunk import lead_in
from .hand import Hand, HandRules
from .jog import jog
from .jump import JUMPED_BACK, JumpWatch
from .limits import check_limits, LimitError, with_start
from .others import Others
from .outlet import TeleopOutlet
from .steering import LEADER, Steering
from .stick import Mapping
from .stops import Stops
from .takeover import HEARTBEAT_S
from ..observe.observer import NotReady
from ..spec import NS_PER_S, SpecError, Trajectory

APART_NS = 9_000_000      # two commands, whatever the person does,
RENEW_NS = 40_000_000     # and where they go on as before;
CROSSING_NS = 60_000_000  # so long after another's was heard, both may still be on their way


class Teleoperator:
    """
    Commands ``arm`` as a person asks; ``is_on`` while they do, and nobody else is to.

    They take over by asking, from whatever is commanded, and give back by letting go, once the
    arm rests. Whatever is wrong brakes and keeps the arm where it is, and the stick must be let go
    before it counts again. ``steady`` is a clock in ns that never jumps.
    """

    def __init__(self, arm: Arm, steering: Steering, mapping: Mapping, outlet: TeleopOutlet,
                 rules: HandRules | None = None, steady: Callable[[], int] = time.monotonic_ns):
        self.arm, self.steering, self.outlet, self.steady = arm, steering, outlet, steady
        self.hand = Hand(mapping, rules or HandRules(), arm.clock, steady)
        self.others = Others(arm.robot)
        self.stops = Stops(steady)
        self.is_on = False
        self.reason, self.details = '', ''  # what the robot is held for, if they command
        self._rested_ns = self._told_ns = 0  # steady
        self._sent_ns, self._heard_ns = -APART_NS, -CROSSING_NS
        self._must_rest = True
        self._jumps = JumpWatch(arm.clock(), arm.observer.freshness.max_age_s)

    # -- what comes in

    def on_joy(self, stamp_ns: int, axes, buttons) -> None:
        """Take over what the stick asks for, and act on it."""
        with self.arm.lock:
            if self.hand.feel(stamp_ns, axes, buttons):
                self.steering.next_mode()
                self._begin_steering()
                self.outlet.tell('info', f'mode {self.steering.mode}')
            self._step_after(APART_NS)

    def on_joints(self, message) -> None:
        """Store joints of the arm. Raises JointStateError, and then keeps nothing."""
        with self.arm.lock:
            self.arm.observer.add_joints(message)

    def on_leader(self, message) -> None:
        """Store joints of the leader. Raises JointStateError, and then keeps nothing."""
        with self.arm.lock:
            self.steering.leader.on_joints(message)
            if self.steering.mode == LEADER:
                self._step_after(APART_NS)

    def on_trajectory(self, message) -> None:
        """
        Note what somebody else commands, and go on from there at once, and for a moment often.

        One's own may have crossed with it, and which of both the controller plays isn't known.
        Both begin with the motion before them, for ``LEAD_S``: what is sent meanwhile goes over
        from either.
        """
        with self.arm.lock:
            try:
                trajectory = self.others.trajectory_of(message, self.arm.clock())
            except SpecError as error:
                self.outlet.tell('throttled error', f'joint_trajectory of another: {error}')
                return
            if trajectory is not None:
                self.arm.overheard(trajectory)
                self._heard_ns = self.steady()
                self.step()

    def on_stop_topic(self, asks: bool) -> None:
        """Stop, or note that this isn't asked for any more."""
        with self.arm.lock:
            self.stops.hear_topic(asks)
            self.step()

    def on_stopped(self, is_stopped: bool) -> None:
        """Stop as long as the policy is stopped: what stops that stops a person, too."""
        with self.arm.lock:
            self.stops.hear_policy(is_stopped)
            self.step()

    def stop(self, who: str) -> None:
        """Take over and keep the arm where it is, until ``resume``."""
        with self.arm.lock:
            self.stops.ask(who)
            self._take_over()
            hold = None if self.arm.is_known else self.arm.hold()
            if hold is not None:
                self._send(hold, is_hold=True)
            self.step()

    def resume(self) -> None:
        """
        End a stop, and give back what nobody holds.

        Raises ValueError while the stop is asked for.
        """
        with self.arm.lock:
            self.stops.end()
            if self.is_on and (self.hand.wrong() or not self.steering.is_asked(self.hand.stick)):
                self._give_back()

    # -- what is due, and what is wrong

    def tick(self) -> None:
        """Act on the stick as it is, and say who commands."""
        with self.arm.lock:
            is_crossing = self.steady() - self._heard_ns < CROSSING_NS
            self._step_after(APART_NS if is_crossing else RENEW_NS)
            if self.is_on and self.steady() - self._told_ns >= HEARTBEAT_S * NS_PER_S:
                self._tell_takeover()

    def step(self) -> None:
        """Send what the person asks for now, or a hold."""
        with self.arm.lock:
            self._step_after(0)

    def _step_after(self, apart_ns: int) -> None:
        """Do so, but for another motion that is so soon after the last."""
        if self._notice_jump():
            return
        try:
            self._check()
            self._command(self.steady() - self._sent_ns >= apart_ns)
        except NotReady as error:
            self._hold(error.what, error.reason)

    def _notice_jump(self) -> bool:
        jump = self._jumps.look(self.arm.clock())
        if jump == JUMPED_BACK:
            hold = self.arm.forget(self._jumps.before_ns)
            if self.is_on and hold is not None:
                self._send(hold, is_hold=True)
            self._hold(jump)
        elif jump:
            self._hold(jump, self._jumps.details)
        return bool(jump)

    def _check(self) -> None:
        """Raise NotReady for the first thing that is wrong."""
        arm, stopped_by = self.arm, self.stops.by
        if stopped_by:
            raise NotReady(f'stopped by {stopped_by}')
        arm.observer.check_joints(arm.clock())
        wrong = self.hand.wrong()
        if wrong:
            raise NotReady('joy', wrong)
        if not self.is_on:
            arm.forget_what_is_over()
        if not arm.is_known:
            raise NotReady('the arm moves', 'and nothing was heard of what it is commanded')
        stray = arm.stray()
        if stray:
            raise NotReady('an arm that is not where it is commanded', stray)

    # -- what goes out

    def _command(self, is_due: bool) -> None:
        is_asked = self.steering.is_asked(self.hand.stick)
        if self._must_rest and is_asked:
            raise NotReady('let go of the stick first')
        self._must_rest, self.reason, self.details = False, '', ''
        if is_asked:
            self._rested_ns = self.steady()
            is_due = is_due or not self.is_on
            self._take_over()
            if is_due:
                self._move()
        elif self.is_on:
            self._let_go()

    def _take_over(self) -> None:
        if not self.is_on:
            self.is_on = True
            self._begin_steering()
            self._tell_takeover()
            self.outlet.tell('info', f'taken over, mode {self.steering.mode}')

    def _begin_steering(self) -> None:
        arm = self.arm
        reference = arm.commanded.reference(arm.clock())
        position_J = (arm.observer.newest_position_J(arm.clock()) if reference is None
                      else reference.position_J)
        if position_J is not None:
            self.steering.begin(position_J)

    def _tell_takeover(self) -> None:
        self._told_ns = self.steady()
        self.outlet.take_over(self.is_on)

    def _move(self) -> None:
        try:
            trajectory = self._motion()
        except LimitError as error:
            self.arm.limit_events[error.joint, error.kind] += 1
            self.outlet.tell('throttled error', f'motion not sent: {error}')
            trajectory = None
        if trajectory is None:
            self._brake()
        else:
            self._send(trajectory, is_hold=False)

    def _motion(self) -> Trajectory | None:
        """Return what is asked for, None for rest. Raises LimitError and NotReady."""
        arm, now_ns = self.arm, self.arm.clock()
        measured_J = arm.observer.newest_position_J(now_ns)
        if measured_J is None and arm.commanded.reference(now_ns) is None:
            raise NotReady('joint_states', 'none at hand to begin at')
        lead = lead_in(arm.commanded, now_ns, measured_J)
        velocity_J = self.steering.velocity_J(self.hand.stick, lead, now_ns)
        if not velocity_J.any():
            return None
        trajectory, slowed = jog(arm.robot, lead, velocity_J, self.steering.pace,
                                 self.steering.together_J)
        check_limits(trajectory, lead[0])
        arm.check(with_start(trajectory, lead[0]))
        arm.limit_events.update((name, 'position') for name in slowed)
        return trajectory

    def _let_go(self) -> None:
        self._brake()
        if self.hand.has_rested(self._rested_ns) and not self.arm.is_moving:
            self._give_back()

    def _give_back(self) -> None:
        self.is_on = False
        self._tell_takeover()
        self.outlet.tell('info', 'given back')

    def _hold(self, what: str, reason: str = '') -> None:
        """Brake if the person commands; say why when it is for something else than before."""
        is_new, self._must_rest = what != self.reason, True
        self.reason, self.details = what, reason
        if self.is_on:
            self._brake()
        if is_new:
            level, doing = ('warning', 'holding') if self.is_on else ('info', 'not ready')
            self.outlet.tell(level, f'{doing}: {NotReady(what, reason)}')

    def _brake(self) -> None:
        if self.arm.is_moving and not self.arm.is_braking:
            trajectory = self.arm.hold()
            if trajectory is not None:
                self._send(trajectory, is_hold=True)

    def _send(self, trajectory: Trajectory, is_hold: bool) -> None:
        self._sent_ns = self.steady()
        self.outlet.send(trajectory)
        self.arm.sent(trajectory, is_hold)

    def close(self) -> None:
        """Brake, as the last that is sent; whoever yielded waits for ~/resume."""
        with self.arm.lock:
            if self.is_on:
                self._brake()
