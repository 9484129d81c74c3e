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
One decision: observe, plan, and what of it may be commanded now.

The live node and the lockstep simulator decide with this same class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .arm import Arm, Check
from .binary import BinaryGrippers
from .blend import Blender
from .chunk import ExpiredError, join_chunk, lead_in
from .clamp import clamp_chunk
from .decision import Decision, Outcome, Reason, Refusal, Rules, STAGES
from .guard import Guard, GuardError
from .limits import check_first_step, LimitError, with_start
from .ramp import ramp_in
from ..observe.observer import Joined, NotReady
from ..spec import NS_PER_S, Observation, RobotSpec, SpecError, Trajectory
from ..stopwatch import Stopwatch

PUBLISH_S = 0.005    # at least, for a plan to reach the controller before its bridge begins
Planner = Callable[[Observation], 'Trajectory | None']


class Pilot(Arm):
    """An arm that is commanded by a planner."""

    def __init__(self, robot: RobotSpec, planner: Planner, clock: Callable[[], int],
                 rules: Rules | None = None, guard: Guard | None = None,
                 stopwatch: Stopwatch | None = None, check: Check = lambda trajectory: None):
        self.rules, self.guard = rules or Rules(), guard or Guard()
        super().__init__(robot, clock, self.rules.freshness, self.rules.max_tracking_error_rad,
                         check)
        self.planner, self.stopwatch = planner, stopwatch or Stopwatch()
        self._blender = Blender(self.rules.blending, self.rules.prefix_steps)
        self._binary = BinaryGrippers(robot)
        self.ramps_from_ns: int | None = -NS_PER_S * 3600  # None: from the first plan that is sent
        self._planned_for = ''

    def begin(self) -> None:
        """Ramp in from the first plan that is sent: reading and thinking may take longer."""
        with self.lock:
            self.ramps_from_ns = None

    def take_over(self, planner: Planner, stopwatch: Stopwatch) -> None:
        """Let another plan from now on: chunks and scores of the one before say nothing of it."""
        with self.lock:
            self.planner, self.stopwatch = planner, stopwatch
            self._blender.forget()
            self.guard.forget()

    def decide(self) -> Decision:
        """
        Observe, plan and check.

        Raises NotReady or ImageError when there is nothing to decide on, or no instruction;
        whatever the planner raises goes through. A plan that is late is dropped; one that is
        outside the limits, not finite or for an arm that has left its command becomes a hold.
        """
        started_ns = self.clock()
        self.stopwatch.start()
        with self.lock:
            if not self.observer.instruction:
                raise NotReady('no instruction')
            joined = self.join()
        observation = joined.observation()
        self.stopwatch.lap('convert')
        return self.judge(observation, joined.received_ns, started_ns)

    def judge(self, observation: Observation, received_ns: int, started_ns: int) -> Decision:
        """Plan from an observation and check, as ``decide`` does; it started at ``started_ns``."""
        try:
            planned = self.planner(observation)
        except SpecError as error:  # not finite, or of another shape
            held = self._held('not a plan', error)
            return self._decided(observation, received_ns, started_ns, held)
        if planned is None:
            return self._decided(observation, received_ns, started_ns, Outcome())
        self.stopwatch.lap('decode')  # what is left of it
        outcome = self._command(planned, observation)
        self.stopwatch.lap('check')
        return self._decided(observation, received_ns, started_ns, outcome, planned)

    def join(self) -> Joined:
        """Join the newest inputs with what is commanded. Raises NotReady."""
        now_ns = self.clock()
        with self.lock:
            if not self.stray():
                self.begin_where_the_arm_rests(now_ns)
            return self.observer.join(now_ns, self.commanded.position_at)

    def _decided(self, observation: Observation, received_ns: int, started_ns: int,
                 outcome: Outcome, planned: Trajectory | None = None) -> Decision:
        stages_ms = {**dict.fromkeys(STAGES, 0.0),
                     'transport': (received_ns - observation.stamp_ns) / 1e6,
                     'wait': (started_ns - received_ns) / 1e6, **self.stopwatch.laps_ms}
        return Decision(observation, outcome.trajectory, outcome.refusal, stages_ms,
                        bool(outcome.refusal) and outcome.trajectory is not None,
                        outcome.begins_ns, {} if planned is None else planned.alignment, planned,
                        started_ns, outcome.clamped)

    def _command(self, planned: Trajectory, observation: Observation) -> Outcome:
        now_ns = self.clock()
        late = self.lateness(observation, now_ns)
        if late:
            return Outcome(refusal=Refusal('late', late))
        try:
            self._guard(planned, observation.instruction)
            with self.lock:
                stray = self.stray()
                if stray:
                    return self._held('arm is elsewhere', stray)
                return self._within_limits(planned, observation, now_ns)
        except ExpiredError as error:
            return Outcome(refusal=Refusal('expired', str(error)))
        except LimitError as error:
            self.limit_events[error.joint, error.kind] += 1
            if error.kind == 'workspace':
                return self._held('workspace', error)
            return self._held('limits', error, error.joint)
        except GuardError as error:
            return self._held('guard', error)

    def _held(self, reason: Reason, why: str | Exception, joint: str = '') -> Outcome:
        return Outcome(*self._hold(), Refusal(reason, str(why), joint))

    def in_time(self, decision: Decision) -> Decision:
        """Return what of a decision may be sent now: no late plan, and a late hold made anew."""
        late = decision.trajectory is not None and self._too_late(decision)
        if not late:
            return decision
        if decision.holds:
            return replace(decision, trajectory=self.hold())
        return replace(decision, trajectory=None, refusal=Refusal('late', late))

    def _too_late(self, decision: Decision) -> str:
        now_ns = self.clock()
        behind_s = (now_ns - decision.begins_ns) / NS_PER_S + PUBLISH_S
        return self.lateness(decision.observation, now_ns) or (
            f'late: by {behind_s:.3f} s, to begin its bridge' if behind_s > 0 else '')

    def lateness(self, observation: Observation, now_ns: int) -> str:
        """Return why a command for an observation is too late now, '' if it isn't."""
        freshness = self.rules.freshness
        left_s = {name: freshness.max_age_of(name) - (now_ns - stamp_ns) / NS_PER_S
                  for name, stamp_ns in observation.stamps_ns.items()}
        name = min(left_s, key=left_s.get)
        most_s = freshness.max_age_of(name)
        return '' if left_s[name] >= 0 else (
            f'late: {name!r} is {most_s - left_s[name]:.3f} s old, at most {most_s} s is allowed')

    def _guard(self, planned: Trajectory, instruction: str) -> None:
        if instruction != self._planned_for:
            self.guard.forget()
            self._planned_for = instruction
        self.guard.check(planned.alignment)

    def _within_limits(self, planned: Trajectory, observation: Observation,
                       now_ns: int) -> Outcome:
        rules = self.rules
        measured_J = self.observer.newest_position_J(now_ns)
        measured_J = observation.position_J if measured_J is None else measured_J
        planned = replace(planned, robot=self.robot)  # whose limits count, not the checkpoint's
        check_first_step(planned, measured_J, now_ns, rules.max_first_step_rad)
        planned = self._blender.blend(planned, observation.instruction, self.commanded, now_ns)
        begins_ns = now_ns if self.ramps_from_ns is None else self.ramps_from_ns
        planned = ramp_in(planned, now_ns, begins_ns, rules.ramp_s)
        lead = lead_in(self.commanded, now_ns, measured_J)
        planned = self._binary.snap(planned, lead)
        if rules.on_limit == 'clamp':
            trajectory, clamped = self._clamp(planned, lead)
        else:
            trajectory, clamped = join_chunk(planned, lead), ''
        self.check(with_start(trajectory, lead[0]))
        return Outcome(trajectory, lead[-1].time_ns, clamped=clamped)

    def _clamp(self, planned: Trajectory, lead) -> tuple[Trajectory, str]:
        """Return what of a plan is within the limits, and what was not, '' where all is."""
        try:
            return join_chunk(planned, lead), ''
        except LimitError as error:
            trajectory, events = clamp_chunk(planned, lead)
            self.limit_events.update({(event.joint, event.kind) for event in (error, *events)})
            return trajectory, str(error)

    def sent(self, trajectory: Trajectory, is_hold: bool = False) -> None:
        """Note that a trajectory was published now."""
        with self.lock:
            super().sent(trajectory, is_hold)
            self._blender.sent(is_hold)
            if is_hold:
                self._binary.forget()
            elif self.ramps_from_ns is None:
                self.ramps_from_ns = self.clock()

    def overheard(self, trajectory: Trajectory) -> None:
        """Note what somebody else published now: plans of before are not blended with it."""
        with self.lock:
            super().overheard(trajectory)
            self._blender.forget()
            self._binary.forget()

    def forget(self, seen_ns: int) -> Trajectory | None:
        """Forget all that bears a stamp, the instruction not; return a hold as an Arm does."""
        with self.lock:
            self.begin()  # of the time before, the ramp's beginning would stretch it
            self._blender.forget()
            self._binary.forget()
            self.guard.forget()
            return super().forget(seen_ns)
