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
The policy node without ROS, at the times of a recording.

What it makes of the recorded messages is what the node makes of them in a dry run that follows
commands and steps through the recording (nodes/player.py): the same Commander, in simulated time,
thinking takes no time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
import threading
from typing import NamedTuple

from ...command.commander import Commander
from ...command.decision import Decision, Rules
from ...command.interlock import Interlock
from ...command.outlet import Thinker, Told
from ...command.pilot import Pilot
from ...command.worker import Worker
from ...observe.observer import Joined
from ...record.image_topics import image_topics
from ...spec import Observation, RobotSpec, Trajectory

HOLDING = 'holding: '           # how a Helm tells of a hold,
FAILED = 'the policy failed'    # and a Decider of a policy that raised something


class PolicyFailed(RuntimeError):
    """A policy that raised what it must not: on a robot it would be held."""


class Received(NamedTuple):
    """A message as it was recorded."""

    topic: str
    time_ns: int
    message: object


@dataclass(frozen=True)
class Settings:
    """How the node is set: as its parameters of these names."""

    replan_period_s: float = 0.6
    rules: Rules = Rules()


class Inline(Worker):
    """Does what is due when told, in the thread that tells; before ``start`` nothing."""

    def start(self) -> None:
        """Nothing is due yet."""
        self._due.clear()
        self._thread = threading.current_thread()

    def end(self) -> bool:
        """Nothing to wait for."""
        self._thread = None
        return True

    def run(self) -> None:
        """Do what is due."""
        if self.is_running and self._due.is_set():
            self._due.clear()
            self._work()


@dataclass(frozen=True, eq=False)
class Remembered(Joined):
    """Inputs whose observation is made once, whoever asks: images are decoded in it."""

    memory: dict

    def observation(self) -> Observation:
        key = (*(id(sample.message) for sample in self.samples.values()), self.joint_stamp_ns,
               self.position_J.tobytes(), self.command_J.tobytes(), self.instruction)
        if key not in self.memory:
            self.memory[key] = super().observation()
        return self.memory[key]


class RememberingPilot(Pilot):
    """A pilot that shares what it has observed with whoever has the same ``memory``."""

    memory: dict

    def join(self) -> Joined:
        return Remembered(**vars(super().join()), memory=self.memory)


class Station:
    """
    A policy in a dry run: fed with what was recorded, it tells ``on_decision``.

    ``holds`` counts what it was held for. Observations are kept in ``memory``. With
    ``supervised`` it looks for what is missing or stale at every message, as the node does.
    """

    def __init__(self, robot: RobotSpec, policy: Thinker, settings: Settings,
                 on_decision: Callable[[Decision], None], memory: dict, supervised: bool = True):
        self.now_ns, self.holds, self._on_decision = 0, Counter(), on_decision
        self._supervised = supervised
        self.pilot = RememberingPilot(robot, policy.plan, lambda: self.now_ns, settings.rules,
                                      stopwatch=policy.stopwatch)
        self.pilot.memory = memory
        self.commander = Commander(
            self.pilot, policy, self, Interlock(), settings.replan_period_s, dry_run=True,
            steady=lambda: self.now_ns, follows_others=True)
        decider = self.commander.decider
        self._worker = decider.worker = Inline(decider._work, 'decide')
        self._take = {
            'joint_states': lambda topic, message: self.commander.on_joints(message),
            'instruction': lambda topic, message: self.commander.on_instruction(message.data),
            **dict.fromkeys((group.topic for group in robot.groups), self._take_trajectory)}
        self._cameras = {camera.topic: camera.name for camera in robot.cameras}
        self._take.update(dict.fromkeys(self._cameras, self._take_image))

    def use_compressed(self, topics: Collection[str]) -> None:
        """Take a camera's compressed images where only they were recorded."""
        self._cameras = image_topics(self.pilot.robot, topics)
        self._take.update(dict.fromkeys(self._cameras, self._take_image))

    @property
    def topics(self) -> list[str]:
        """Topics it listens to."""
        return list(self._take)

    def _take_trajectory(self, topic: str, message) -> None:
        self.commander.on_trajectory(message)

    def _take_image(self, topic: str, message) -> None:
        self.commander.on_image(self._cameras[topic], message)

    def reach(self, time_ns: int) -> None:
        """Let it be that time."""
        self.now_ns = time_ns
        self._supervise()

    def _supervise(self) -> None:
        if self._supervised:
            self.commander.supervise()

    def feed(self, received: Received) -> None:
        """Take one message, decide if that is due; what it listens to, nothing else."""
        self._take[received.topic](received.topic, received.message)
        self._worker.run()
        self._supervise()
        if not self.commander.helm.is_active and not self.commander.why_not_ready():
            self.commander.start()

    def go_on_from(self, other: Station) -> None:
        """Plan when another one would, that was fed the same and has decided otherwise."""
        for mine, its in ((self.commander.schedule, other.commander.schedule),
                          (self.commander.interlock, other.commander.interlock)):
            vars(mine).update(vars(its))

    # -- the commander's outlet

    def send(self, trajectory: Trajectory) -> None:
        """Leave out what would be published: the decision tells of it, and a hold moves nobody."""

    def report(self, decision: Decision, told: Told) -> None:
        self._on_decision(decision)

    def tell(self, level: str, text: str) -> None:
        if text.startswith(FAILED):
            raise PolicyFailed(text)
        if level == 'warning' and text.startswith(HOLDING):
            self.holds[text.removeprefix(HOLDING).partition(': ')[0]] += 1
