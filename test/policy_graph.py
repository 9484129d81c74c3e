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

"""The policy node beside a driver, the holds it makes, and whether what it sent was safe."""

from contextlib import contextmanager
from dataclasses import replace
import itertools
import threading

from conftest import so101_yaml
from driver import Driver
from graph import overrides, PATIENCE_S, spinning, wait_for
import numpy as np
from rclpy.lifecycle import TransitionCallbackReturn
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.nodes.policy import PolicyNode
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.sim.controller import TrajectoryController
from trimodal_ros.spec import NS_PER_S

SENTENCE = 'put the red cube on the left plate'
NUMBERS = itertools.count()
MORE_ROUNDS = 10   # of the driver, in which what is wrong would have been sent
HOLD_NS = round(0.3 * NS_PER_S)  # after which a robot that is held rests
LONGEST_NS = 20 * NS_PER_S  # motion sent at once, ramped in
SAMPLE_NS = 4_000_000
# A controller gets the first trajectory later than the policy takes it to, by the transport.
ROUNDING_RAD, ROUNDING_RAD_S = 1e-3, 2e-2
SUCCESS, FAILURE, ERROR = (getattr(TransitionCallbackReturn, name)
                           for name in ('SUCCESS', 'FAILURE', 'ERROR'))


def make_policy(checkpoint, **values) -> PolicyNode:
    """Return a node with a name of its own: others that were destroyed take the log with them."""
    return PolicyNode(
        cli_args=['--ros-args', '-r', f'__node:=policy_{next(NUMBERS)}'],
        parameter_overrides=overrides(**{
            'checkpoint': checkpoint, 'robot': so101_yaml(), 'replan_period_s': 0.1,
            'dry_run': False, **values}))


@contextmanager
def running(checkpoint, robot, keeps_time: bool = False, silent: str = '', **values):
    """Spin a driver, one input of it silent or none, and a policy that is configured."""
    driver = Driver(robot, keeps_time)
    driver.silent.add(silent)
    policy = make_policy(checkpoint, use_sim_time=keeps_time, **values)
    driver.listen_to(policy.get_name())
    with spinning(driver, policy):
        assert policy.trigger_configure() == SUCCESS
        yield driver, policy


@contextmanager
def commanding_policy(checkpoint, robot, keeps_time: bool = False, **values):
    """Spin a driver and a policy that commands the arm."""
    with running(checkpoint, robot, keeps_time, **values) as (driver, policy):
        activate(policy)
        wait_for(policy.listeners, 'the driver to be heard')
        driver.say(SENTENCE)
        wait_for(lambda: is_commanded(driver), 'a first plan')
        yield driver, policy


def activate(policy) -> None:
    wait_for(lambda: policy.trigger_activate() == SUCCESS, 'every input to be alive')


def end_of(message: JointTrajectory) -> int:
    """Return the time of the last point."""
    return stamp_ns(message.header.stamp) + stamp_ns(message.points[-1].time_from_start)


def is_hold(message: JointTrajectory) -> bool:
    """Tell whether the robot soon rests: a plan goes on for as long as its chunk."""
    last = message.points[-1]
    return stamp_ns(last.time_from_start) <= HOLD_NS and not any(last.velocities)


def is_commanded(driver) -> bool:
    """Tell whether a plan is what was sent last."""
    return bool(driver.trajectories) and not is_hold(driver.trajectories[-1])


def ran_out(driver) -> bool:
    """Tell whether what was sent last has come to its end."""
    return end_of(driver.trajectories[-1]) < driver.time_ns()


def wait_for_rounds(driver) -> None:
    """Wait until the driver has published several times more."""
    last = driver.rounds + MORE_ROUNDS
    wait_for(lambda: driver.rounds >= last, 'the driver')


def hold_after(driver, change, reason: str) -> JointTrajectory:
    """
    Return the hold that follows a change; nothing else comes after it, all was safe.

    It may be the plan itself, where the machine stood still until that had come to its end.
    """
    wait_for(lambda: is_commanded(driver), 'a plan under way')
    lines, rounds = len(driver.logged), driver.rounds
    change()

    def is_held():
        over = not is_commanded(driver) or (ran_out(driver) and driver.was_paused(rounds - 1))
        return over and any(line.startswith(reason) for line in driver.logged[lines:])
    while True:
        wait_for(is_held, f'a hold and {reason!r} in the log')
        first_round, count = driver.rounds, len(driver.trajectories)
        hold = driver.trajectories[-1]
        wait_for_rounds(driver)
        if all(map(is_hold, driver.trajectories[count:])):
            assert_safe(driver)
            return hold
        # While a machine stands still, images that were too far apart may come to belong together.
        assert driver.was_paused(first_round)


def goes_on(driver) -> None:
    """Wait until the robot is commanded again."""
    wait_for(lambda: is_commanded(driver), 'the robot to go on')
    assert_safe(driver)


def assert_safe(driver) -> None:
    """Check that the controller took all that was sent, and moved within the limits."""
    for number in range(len(driver.eras)):
        heard = [heard for heard in list(driver.heard) if heard.era == number]
        if heard:
            assert_safe_era(driver.robot, driver.eras[number].position_J, heard)


def assert_safe_era(robot, position_J, heard) -> None:
    controller = TrajectoryController(robot.joint_names)
    controller.start(position_J, heard[0].at_ns)
    for this, after in itertools.zip_longest(heard, heard[1:]):
        before = controller.reference(this.at_ns)
        controller.accept(this.message, this.at_ns, None)
        end_ns = end_of(this.message)
        assert end_ns - this.at_ns < LONGEST_NS
        if after is not None:
            end_ns = min(end_ns, after.at_ns)
        assert_within_limits(robot, [before, *map(controller.reference, (
            *range(this.at_ns, end_ns, SAMPLE_NS), end_ns))])


def assert_within_limits(robot, references) -> None:
    """Check positions, and what is gained from one sample to the next."""
    time_ns_S = np.array([reference.time_ns for reference in references])
    position_SJ = np.array([reference.position_J for reference in references])
    velocity_SJ = np.array([reference.velocity_J for reference in references])
    assert np.isfinite(position_SJ).all() and np.isfinite(velocity_SJ).all()
    assert (position_SJ >= robot.lower_J - 1e-6).all()
    assert (position_SJ <= robot.upper_J + 1e-6).all()
    took_s_S = np.diff(time_ns_S)[:, None] / NS_PER_S
    for value_SJ, most_J, rounding in ((position_SJ, robot.velocity_J, ROUNDING_RAD),
                                       (velocity_SJ, robot.acceleration_J, ROUNDING_RAD_S)):
        assert (np.abs(np.diff(value_SJ, axis=0)) <= most_J * took_s_S + rounding).all()
    assert (np.abs(velocity_SJ) <= robot.velocity_J + ROUNDING_RAD_S).all()


def wait_for_diagnosis(driver, text: str, part: str = 'state'):
    """Wait until a status on /diagnostics tells a text, and return it."""
    wait_for(lambda: part in driver.diagnosis and text in str(driver.diagnosis[part]),
             f'{text!r} on /diagnostics')
    return driver.diagnosis[part]


def watch(policy) -> list:
    """Return the list that the observations the policy plans from are added to."""
    pilot, seen = policy.commander.pilot, []
    plan = pilot.planner
    pilot.planner = lambda observation: seen.append(observation) or plan(observation)
    return seen


class SlowModel:
    """A policy's planner that is thinking until it is let go, and then plans a long motion."""

    def __init__(self, policy):
        commander = policy.commander
        pilot, self._publish = commander.pilot, commander.decider._publish
        self._pilot = pilot
        self._plan, self._go_on = pilot.planner, threading.Event()
        self.is_thinking, self.has_ended = threading.Event(), threading.Event()
        patient = replace(pilot.rules.freshness, max_age_s=PATIENCE_S)
        pilot.rules = replace(pilot.rules, freshness=patient)  # or the plan is refused as late
        commander.decider._publish, pilot.planner = self._note, self._think
        wait_for(self.is_thinking.is_set, 'the model to think')

    def _think(self, observation):
        self.has_ended.clear()
        self.is_thinking.set()
        assert self._go_on.wait(PATIENCE_S)
        plan = self._plan(observation)
        return replace(plan, time_s_T=plan.time_s_T + PATIENCE_S)

    def _note(self, *what):
        self._publish(*what)
        self.has_ended.set()

    def let_go(self) -> None:
        """Let it end what it thinks of; then it is as quick as before."""
        self._pilot.planner = self._plan
        self._go_on.set()
        wait_for(self.has_ended.is_set, 'the model to end')
