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
One episode without ROS: the world waits for the policy, one decision step after another.

Messages go in and out as on the robot, through the Observer and the command room; only the
transport and the waiting are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .layout import Layout
from .robot import SimulatedRobot
from ..command.decision import Decision, Rules
from ..command.message import to_messages
from ..command.pilot import Pilot, Planner
from ..record.messages import BAG_TYPES
from ..spec import NS_PER_S, RobotSpec

START_NS = 1_000 * NS_PER_S
Sink = Callable[[str, int, object], None]


@dataclass
class EpisodeResult:
    """How an episode ended: ``steps`` decision steps, why plans were not sent."""

    success: bool
    steps: int
    refusals: list[str] = field(default_factory=list)


def run_episode(simulated: SimulatedRobot, robot: RobotSpec, layout: Layout | None,
                instruction: str, planner: Planner, max_steps: int = 100, linger_steps: int = 0,
                sink: Sink = lambda topic, time_ns, message: None,
                rules: Rules | None = None) -> EpisodeResult:
    """
    Run until ``linger_steps`` after the layout's task is done, or for ``max_steps``.

    Without a layout there is no task.

    ``planner`` is asked at every step and returns a chunk, or None to go on with the last.
    ``sink`` is given every message: topic, time and the message in BAG_TYPES.
    """
    simulated.reset(layout, START_NS)
    pilot = Pilot(robot, planner, lambda: simulated.now_ns, rules)
    pilot.observer.set_instruction(instruction)
    sink('instruction', START_NS, BAG_TYPES.String(data=instruction))
    result = EpisodeResult(False, max_steps)
    for step in range(max_steps):
        _sense(simulated, pilot, sink)
        decision = pilot.decide()
        if decision.refusal:
            result.refusals.append(decision.refusal.text)
        if decision.trajectory is not None:
            _send(simulated, pilot, decision, sink)
        simulated.advance(START_NS + (step + 1) * robot.step_ns)
        if simulated.is_done() and not result.success:
            result.success, result.steps = True, step + 1
        if result.success and step + 1 >= result.steps + linger_steps:
            return result
    return result


def _sense(simulated: SimulatedRobot, pilot: Pilot, sink: Sink) -> None:
    joints = simulated.joint_state()
    pilot.observer.add_joints(joints)
    sink('joint_states', simulated.now_ns, joints)
    for camera in pilot.robot.cameras:
        image = simulated.image(camera.name)
        pilot.observer.add_image(camera.name, image)
        sink(camera.topic, simulated.now_ns, image)


def _send(simulated: SimulatedRobot, pilot: Pilot, decision: Decision, sink: Sink) -> None:
    messages = to_messages(decision.trajectory, BAG_TYPES)
    for topic, message in messages.items():
        simulated.command(topic, message)
    pilot.sent(decision.trajectory, decision.holds)
    for topic, message in messages.items():
        sink(topic, simulated.now_ns, message)
