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

"""A commander with inputs and a clock that a test moves."""


import queue
import threading
import time

import numpy as np
import pytest

from trimodal_ros.command.commander import Commander
from trimodal_ros.command.interlock import Interlock
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import NS_PER_S, RobotSpec, Trajectory
from trimodal_ros.stopwatch import Stopwatch

SENTENCE = 'put the red cube on the plate'
PATIENCE_S = 20.0
STEP_NS, REPLAN_NS, SUPERVISE_NS = NS_PER_S // 20, NS_PER_S // 5, NS_PER_S // 50
ROBOT = RobotSpec.make_example()
CONTROL_NS = ROBOT.step_ns
STOP = 'emergency_stop'


class SlowlyTurning:
    """A policy whose plans turn all joints; ``read`` are the sentences it has embedded."""

    def __init__(self, content_hash: str = 'first', speed_rad_s: float = 0.1):
        self.content_hash, self.stopwatch = content_hash, Stopwatch()
        self.speed_rad_s, self.read, self.sentences = speed_rad_s, [], self

    def tokens(self, sentence: str) -> None:
        self.read.append(sentence)

    def plan(self, observation):
        time_s_T = (1 + np.arange(ROBOT.horizon)) / ROBOT.rate_hz
        return Trajectory.of_chunk(
            observation.robot, observation.stamp_ns,
            observation.command_J + self.speed_rad_s * time_s_T[:, None])


class Bench:
    """A commander with inputs and a clock that go on by ``step``; it is its own outlet."""

    def __init__(self, policy=None, interlock=None, **options):
        self.now_ns, self.steady_ns, self.shade = 1_000 * NS_PER_S, 0, 0
        self.sent, self.reports, self.told = [], queue.Queue(), []
        self.pilot = Pilot(ROBOT, None, lambda: self.now_ns)
        policy = policy or SlowlyTurning()
        self.pilot.planner = policy.plan
        self.commander = Commander(self.pilot, policy, self, interlock or Interlock(),
                                   REPLAN_NS / NS_PER_S, steady=lambda: self.steady_ns, **options)
        decider = self.commander.decider
        self._decide, decider._decide = decider._decide, self._decide_busily
        self.is_busy = threading.Lock()

    def _decide_busily(self):
        with self.is_busy:
            self._decide()

    def send(self, trajectory):
        self.sent.append(trajectory)

    def report(self, decision, told):
        self.reports.put((decision, told, self.commander.decider.policy.content_hash))

    def tell(self, level, text):
        self.told.append(text)

    def joints(self):
        position_J = self.pilot.commanded.position_at(self.now_ns)
        position_J = (ROBOT.lower_J + ROBOT.upper_J) / 2 if position_J is None else position_J
        self.commander.on_joints(joint_state_message(
            ROBOT.joint_names, position_J, [], self.now_ns, BAG_TYPES))

    def image(self):
        camera, self.shade = ROBOT.cameras[0], (self.shade + 1) % 256
        pixels = np.full((camera.height, camera.width, 3), self.shade, np.uint8)
        self.commander.on_image(camera.name, image_message(
            pixels, self.now_ns, camera.name, BAG_TYPES))

    def step(self, times: int = 1, image: bool = True):
        """Let time go on and look after the robot."""
        for _ in range(times):
            self.now_ns += STEP_NS
            self.steady_ns += STEP_NS
            self.joints()
            if image:
                self.image()
            self.commander.supervise()

    def decision(self):
        """Go on until a decision is reported; return it, what was told and whose it was."""
        for _ in range(100):
            self.step()
            self.let_decide()
            if not self.reports.empty():
                return self.reports.get()
        pytest.fail('nothing was decided')

    def let_decide(self):
        """Wait while a decision is made, or due on the newest image: the clock stands still."""
        due, deadline = self.now_ns + REPLAN_NS, time.monotonic() + PATIENCE_S
        while self.is_busy.locked() or (
                self.commander.schedule.from_ns == due and self.reports.empty()):
            assert time.monotonic() < deadline, 'the worker is stuck'
            time.sleep(1e-3)

    def settle(self):
        """Wait until the worker has nothing to do, and forget what it decided."""
        self.commander.decider.worker.calm()
        while not self.reports.empty():
            self.reports.get()
