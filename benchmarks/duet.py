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
A policy and a person at one arm, on a clock of the program's own, with messages under way.

The commander, the teleoperator and the controller's rules are those that run on a robot; only the
worker's thread and the middleware are played: a plan takes as long as is told, and whatever was
sent arrives as much later as is drawn, at each listener by itself, in the order it was sent in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import heapq
import itertools

import numpy as np

from trimodal_ros.command.arm import Arm
from trimodal_ros.command.commander import Commander
from trimodal_ros.command.decision import Rules
from trimodal_ros.command.interlock import Interlock
from trimodal_ros.command.message import to_message
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.command.playback import JointReference
from trimodal_ros.command.steering import Steering
from trimodal_ros.command.stick import Mapping
from trimodal_ros.command.teleoperator import Teleoperator
from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.sim.controller import Refused, TrajectoryController
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory
from trimodal_ros.stopwatch import Stopwatch

MS = NS_PER_S // 1000
START_NS = 1_000 * NS_PER_S
JOINTS_NS, IMAGES_NS, JOY_NS = 10 * MS, 50 * MS, 50 * MS
SUPERVISE_NS, TICK_NS = 20 * MS, 10 * MS
SWAY_RAD_S, SWAY_HZ, PULL_PER_S = 1.2, 0.4, 1.0   # of the policy's motion, and back to the middle
REPLAN_S, RAMP_S = 0.4, 0.3
CLEAR_RAD = 0.05     # of the joints' limits, the policy stays


@dataclass
class Arrived:
    """A trajectory at the controller: what it played just before and what after."""

    at_ns: int
    by: str
    before: JointReference
    after: JointReference
    refused: str = ''


@dataclass
class Party:
    """One that commands: what it sends reaches the controller and both, itself too."""

    name: str
    duet: Duet
    told: list[str] = field(default_factory=list)
    others: object = None

    def send(self, trajectory: Trajectory) -> None:
        """Let a trajectory be under way."""
        message = to_message(trajectory, BAG_TYPES)
        self.others.note_own(message)
        self.duet.publish(self.name, message)

    def take_over(self, is_on: bool) -> None:
        """Let it be under way who commands."""
        self.duet.takeovers.append((self.duet.now_ns, is_on))
        self.duet.later('takeover', lambda: self.duet.commander.on_takeover(is_on))

    def tell(self, level: str, text: str) -> None:
        self.told.append(text)

    def report(self, decision, told) -> None: ...


class SyncWorker:
    """Stands in for the commander's thread: works as soon as the clock goes on."""

    is_due = is_running = False

    def __init__(self, work: Callable[[], None], duet: Duet):
        self._work, self._duet, self._wakes = work, duet, 0

    def start(self) -> None: ...

    def end(self) -> bool:
        return True

    def wake(self) -> None:
        self._wakes += 1
        number = self._wakes
        self._duet.at(self._duet.now_ns + 1, lambda: number == self._wakes and self._work())

    def calm(self) -> None:
        self._wakes += 1


class Duet:
    """
    ``think_ns`` and ``delay_ns`` draw how long a plan and a message take.

    ``arrived`` is every trajectory at the controller, ``takeovers`` when it was told who
    commands. The person's stick is ``axes`` and whether its button is held, ``deadman``. What is
    ``silent`` sends nothing: 'joints', 'images', 'joy', or 'person' for their whole process; an
    arm that is blocked stays at ``blocked_J``.
    """

    def __init__(self, robot: RobotSpec, mapping: Mapping, think_ns: Callable[[], int],
                 delay_ns: Callable[[], int], seed: int = 0):
        self.robot, self.now_ns, self.think_ns, self.delay_ns = robot, START_NS, think_ns, delay_ns
        self.rng, self._events, self._order = np.random.default_rng(seed), [], itertools.count()
        self.controller, self.arrived, self.takeovers = TrajectoryController(
            robot.joint_names), [], []
        self.middle_J = (robot.lower_J + robot.upper_J) / 2
        self.controller.start(self.middle_J, self.now_ns)
        self.axes, self.deadman, self.samples, self.silent = np.zeros(8), False, [], set()
        self.content_hash, self.stopwatch, self.sentences = 'sway', Stopwatch(), self
        self.blocked_J, self._links = None, {}
        self._open_policy()
        self._open_person(mapping)
        for period_ns, what in ((JOINTS_NS, self._joints), (IMAGES_NS, self._images),
                                (SUPERVISE_NS, self.commander.supervise), (JOY_NS, self._joy),
                                (TICK_NS, self._tick), (4 * MS, self._sample)):
            self._repeat(int(self.rng.integers(period_ns)), period_ns, what)

    def _open_policy(self) -> None:
        outlet = Party('policy', self)
        pilot = Pilot(self.robot, self.plan, lambda: self.now_ns, Rules(ramp_s=RAMP_S))
        self.commander = Commander(pilot, self, outlet, Interlock(), REPLAN_S,
                                   steady=lambda: self.now_ns)
        outlet.others = self.commander.others
        decider = self.commander.decider
        decider.worker = SyncWorker(decider._work, self)
        self.policy = outlet

    def _open_person(self, mapping: Mapping) -> None:
        outlet = Party('person', self)
        arm = Arm(self.robot, lambda: self.now_ns, Freshness(), Rules.max_tracking_error_rad)
        self.teleoperator = Teleoperator(arm, Steering(self.robot), mapping, outlet,
                                         steady=lambda: self.now_ns)
        outlet.others = self.teleoperator.others
        self.person = outlet

    # -- the policy's model

    def tokens(self, sentence: str) -> None: ...

    def plan(self, observation) -> Trajectory:
        """Sway about the middle of all joints; time goes on meanwhile."""
        self.run(self.now_ns + self.think_ns())
        robot = self.robot
        time_s_T = (1 + np.arange(robot.horizon)) / robot.rate_hz
        phase = 2 * np.pi * SWAY_HZ
        began_s = (observation.stamp_ns - START_NS) / NS_PER_S
        sway_TJ = SWAY_RAD_S / phase * (
            np.sin(phase * (began_s + time_s_T[:, None]) + np.arange(len(robot.joints)))
            - np.sin(phase * began_s + np.arange(len(robot.joints))))
        pull_TJ = (1 - np.exp(-PULL_PER_S * time_s_T))[:, None] * (
            self.middle_J - observation.command_J)
        return Trajectory.of_chunk(observation.robot, observation.stamp_ns, np.clip(
            observation.command_J + sway_TJ + pull_TJ, robot.lower_J + CLEAR_RAD,
            robot.upper_J - CLEAR_RAD))

    # -- time

    def at(self, time_ns: int, what: Callable[[], object]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._events, (time_ns, next(self._order), what))

    def later(self, link: str, what: Callable[[], object]) -> None:
        """Let a message arrive, after those that were sent before on the same link."""
        arrives_ns = max(self.now_ns + self.delay_ns(), self._links.get(link, 0))
        self._links[link] = arrives_ns
        self.at(arrives_ns, what)

    def _repeat(self, after_ns: int, period_ns: int, what: Callable[[], object]) -> None:
        def again() -> None:
            what()
            self.at(max(due[0] + period_ns, self.now_ns), again)
            due[0] += period_ns
        due = [self.now_ns + after_ns]
        self.at(due[0], again)

    def run(self, until_ns: int) -> None:
        """Let time go on; what is thinking meanwhile calls this itself."""
        while self._events and self._events[0][0] <= until_ns:
            time_ns, _, what = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, time_ns)
            what()
        self.now_ns = max(self.now_ns, until_ns)

    def run_for(self, seconds: float) -> None:
        self.run(self.now_ns + round(seconds * NS_PER_S))

    # -- what is under way

    def publish(self, by: str, message) -> None:
        """Let a trajectory be under way to the controller and to both who command."""
        self.later(f'{by} to controller', lambda: self._accept(by, message))
        self.later(f'{by} to policy', lambda: self.commander.on_trajectory(message))
        self.to_person(by, lambda: self.teleoperator.on_trajectory(message))

    def to_person(self, by: str, what: Callable[[], object]) -> None:
        """Let a message arrive at the person's process, if it lives then."""
        self.later(f'{by} to person', lambda: 'person' in self.silent or what())

    def _tick(self) -> None:
        if 'person' not in self.silent:
            self.teleoperator.tick()

    def _accept(self, by: str, message) -> None:
        arrived = Arrived(self.now_ns, by, self.controller.reference(self.now_ns), None)
        try:
            self.controller.accept(message, self.now_ns, None)
        except Refused as reason:
            arrived.refused = str(reason)
        arrived.after = self.controller.reference(self.now_ns)
        self.arrived.append(arrived)

    def _sample(self) -> None:
        self.samples.append(self.controller.reference(self.now_ns))

    def _joints(self) -> None:
        if 'joints' in self.silent:
            return
        position_J = (self.controller.reference(self.now_ns).position_J
                      if self.blocked_J is None else self.blocked_J)
        message = joint_state_message(
            self.robot.joint_names, position_J, [], self.now_ns, BAG_TYPES)
        self.later('joints to policy', lambda: self.commander.on_joints(message))
        self.to_person('joints', lambda: self.teleoperator.on_joints(message))

    def _images(self) -> None:
        for camera in () if 'images' in self.silent else self.robot.cameras:
            pixels = self.rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
            message = image_message(pixels, self.now_ns, camera.name, BAG_TYPES)
            self.later(camera.name, lambda camera=camera, message=message:
                       self.commander.on_image(camera.name, message))

    def _joy(self) -> None:
        stamp_ns, axes, buttons = self.now_ns, tuple(self.axes), (int(self.deadman), 0)
        if 'joy' not in self.silent:
            self.to_person('joy', lambda: self.teleoperator.on_joy(stamp_ns, axes, buttons))

    def push(self, axes, deadman: bool = True) -> None:
        """Move the stick, and let that be told at once."""
        self.axes, self.deadman = np.asarray(axes, dtype=np.float64), deadman
        self._joy()

    def let_go(self) -> None:
        """Let go of the stick and its button."""
        self.push(np.zeros(8), deadman=False)
