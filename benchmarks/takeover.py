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
How smoothly a person takes over and gives back, and how fast the arm is told what they ask for.

    python -m benchmarks.takeover steps [--takeovers 300]
    python -m benchmarks.takeover latency [--seconds 60]

The first plays a policy and a person at one arm (``benchmarks.duet``): takeovers at any
moment, plans under way or not, messages late as drawn. The second is the teleop node in a process
of its own, in real time, so leave the machine alone meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
import tempfile
import time

import numpy as np
import tyro

from benchmarks.duet import Arrived, Duet, MS
from trimodal_ros.command.stick import Mapping
from trimodal_ros.evaluate.statistics import percentile, summarize_ms
from trimodal_ros.paths import share_dir, shipped
from trimodal_ros.progress import progress_bar
from trimodal_ros.spec import NS_PER_S, RobotSpec

ROBOT = shipped().robot
KEYBOARD = share_dir() / 'config' / 'keyboard.yaml'
CAMERA_PX = 16
THINKS_MS, DELAY_MS = (3.0, 80.0), (0.3, 1.0)   # uniform; least, and mean of what is added
RESTS = 50                                     # Joy messages, at first
PUSHES_S, RESTS_S = (0.1, 1.2), (1.0, 2.5)


@dataclass(frozen=True)
class Switch:
    """The first trajectory of whoever commands now, at the controller."""

    kind: str
    step_rad: float
    step_rad_s: float
    after_ms: float        # the stick was moved, or since the robot was given back


def make_duet(seed: int) -> Duet:
    """Return the shipped robot with a small camera, a policy that sways and a person at keys."""
    robot = RobotSpec.from_yaml(ROBOT)
    robot = replace(robot, cameras=tuple(
        replace(camera, width=CAMERA_PX, height=CAMERA_PX) for camera in robot.cameras[:1]))
    rng = np.random.default_rng([seed, 1])
    return Duet(robot, Mapping.from_yaml(KEYBOARD, robot),
                lambda: round(rng.uniform(*THINKS_MS) * MS),
                lambda: round((DELAY_MS[0] + rng.exponential(DELAY_MS[1])) * MS), seed)


def play(duet: Duet, takeovers: int) -> list[tuple[int, int]]:
    """Let a policy command and a person take over; return when they pushed and let go."""
    duet.run_for(0.5)
    assert duet.commander.start(), 'the policy does not start'
    duet.commander.on_instruction('sway')
    duet.run_for(2.0)
    rng, times_ns = duet.rng, []
    for _ in progress_bar(range(takeovers), desc='takeovers', unit='takeover'):
        pushed_ns = duet.now_ns
        for _ in range(rng.integers(1, 4)):
            duet.push(rng.uniform(-1, 1, len(duet.axes)))
            duet.run_for(rng.uniform(*PUSHES_S))
        duet.let_go()
        times_ns.append((pushed_ns, duet.now_ns))
        duet.run_for(rng.uniform(*RESTS_S))
    return times_ns


def switches(duet: Duet, times_ns: list[tuple[int, int]]) -> list[Switch]:
    """Return each takeover's and each give-back's first trajectory."""
    found, ends_ns = [], [pushed_ns for pushed_ns, _ in times_ns[1:]] + [duet.now_ns]
    for (pushed_ns, let_go_ns), end_ns in zip(times_ns, ends_ns):
        for kind, by, from_ns, to_ns in (('takeover', 'person', pushed_ns, let_go_ns),
                                         ('give-back', 'policy', let_go_ns, end_ns)):
            first = next((each for each in duet.arrived if each.by == by
                          and from_ns < each.at_ns <= to_ns), None)
            if first is not None:
                found.append(_switch(kind, first, from_ns))
    return found


def _switch(kind: str, arrived: Arrived, since_ns: int) -> Switch:
    before, after = arrived.before, arrived.after
    return Switch(kind, float(np.abs(after.position_J - before.position_J).max()),
                  float(np.abs(after.velocity_J - before.velocity_J).max()),
                  (arrived.at_ns - since_ns) / MS)


def shares(duet: Duet) -> tuple[float, float]:
    """Return the largest velocity and acceleration of all, as shares of the limits."""
    time_s = np.array([sample.time_ns for sample in duet.samples]) / NS_PER_S
    velocity_SJ = np.array([sample.velocity_J for sample in duet.samples])
    gained_SJ = np.abs(np.diff(velocity_SJ, axis=0)) / np.diff(time_s)[:, None]
    return (float((np.abs(velocity_SJ) / duet.robot.velocity_J).max()),
            float((gained_SJ / duet.robot.acceleration_J).max()))


def crossed(duet: Duet, times_ns: list[tuple[int, int]]) -> int:
    """Return how many plans came to the controller after a person's first command."""
    return sum(each.by == 'policy' and first_ns < each.at_ns <= let_go_ns
               for pushed_ns, let_go_ns in times_ns for first_ns in [min(
                   (each.at_ns for each in duet.arrived if each.by == 'person'
                    and each.at_ns > pushed_ns), default=let_go_ns)] for each in duet.arrived)


def steps(takeovers: int = 300, seed: int = 0) -> None:
    """
    Print the largest steps of position and velocity that the controller makes.

    :param takeovers: How many.
    :param seed: Of everything that is drawn.
    """
    duet = make_duet(seed)
    times_ns = play(duet, takeovers)
    found = switches(duet, times_ns)
    print(f'{"":10}  count  step rad: max  rad/s: max   first command after ms: p50    p99')
    for kind in ('takeover', 'give-back'):
        of_kind = [each for each in found if each.kind == kind]
        after_ms = [each.after_ms for each in of_kind]
        print(f'{kind:10}  {len(of_kind):5}  {max(each.step_rad for each in of_kind):13.2e}  '
              f'{max(each.step_rad_s for each in of_kind):10.2e}   '
              f'{percentile(after_ms, 50):27.1f} {percentile(after_ms, 99):6.1f}')
    velocity, acceleration = shares(duet)
    refused = sum(bool(each.refused) for each in duet.arrived)
    print(f'of the limits, at most: velocity {100 * velocity:.0f} %, acceleration '
          f'{100 * acceleration:.0f} %; {len(duet.arrived)} trajectories, {refused} refused; '
          f"{crossed(duet, times_ns)} plans came after the person's first command")


def latency(seconds: float = 60.0, joy_hz: float = 50.0) -> None:
    """
    Print the time from a Joy's stamp until the arm has the trajectory made of it.

    :param seconds: How long.
    :param joy_hz: Joy messages a second, each with another deflection.
    """
    from trimodal_ros.nodes.private_graph import enter_private_graph, NodeProcesses
    enter_private_graph()
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as log_dir, \
            NodeProcesses(Path(log_dir)) as processes:
        processes.start('teleop', {'robot': ROBOT, 'mapping': 'keyboard.yaml'})
        times_ms, sent = _measure(processes, seconds, joy_hz)
    summary = summarize_ms(times_ms)
    print(f'{sent} Joy messages at {joy_hz:g} Hz, {len(times_ms)} answered at once: '
          f'p50 {summary["p50"]:.2f} ms, p99 {summary["p99"]:.2f} ms, '
          f'max {max(times_ms):.2f} ms')


def _measure(processes, seconds: float, joy_hz: float) -> tuple[list[float], int]:
    from trimodal_ros.nodes.conductor import Conductor
    conductor = Conductor(processes)
    try:
        hand = _Hand(conductor.node, joy_hz)
        bar = progress_bar(total=seconds, desc='latency', unit='s')
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            processes.check()
            bar.update(elapsed - bar.n)
            time.sleep(0.2)
        return hand.times_ms, hand.sent
    finally:
        conductor.close()


class _Hand:
    """Moves a stick without end, to and fro, and an arm that follows."""

    def __init__(self, node, joy_hz: float):
        from sensor_msgs.msg import Joy
        from trajectory_msgs.msg import JointTrajectory

        from benchmarks.rig import Arm
        from trimodal_ros.nodes.ros import HEAR_ALL_QOS, SENSOR_QOS
        self._node, self.times_ms, self.sent, self._asked_ns, self._met = node, [], 0, 0, 0
        self._joy_type = Joy
        self._arm = Arm(node, RobotSpec.from_yaml(ROBOT))
        self._joy = node.create_publisher(Joy, 'joy', SENSOR_QOS)
        node.create_subscription(JointTrajectory, 'joint_trajectory', self._on_trajectory,
                                 HEAR_ALL_QOS)
        node.create_timer(1 / joy_hz, self._move)

    def _move(self) -> None:
        from trimodal_ros.nodes.ros import ROS_TYPES
        self._met += self._joy.get_subscription_count() > 0
        # until the node has met it; and now and then: a machine that stood still holds the robot
        is_rest = self._met < RESTS or self._met % 100 < 5
        self.sent += not is_rest
        share = 0.0 if is_rest else 0.5 * float(np.sin(self.sent / 20))
        self._asked_ns = 0 if is_rest else time.time_ns()
        self._joy.publish(self._joy_type(
            header=ROS_TYPES.header(time.time_ns()), axes=[share] * 8,
            buttons=[0 if is_rest else 1, 0]))

    def _on_trajectory(self, message) -> None:
        """Count the first that comes after a Joy; those between are of the node's own tick."""
        if self._asked_ns:
            self.times_ms.append((time.time_ns() - self._asked_ns) / 1e6)
            self._asked_ns = 0


if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict({'steps': steps, 'latency': latency})
