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

"""The policy node on a real graph: real rclpy, real DDS, a mock driver where no robot is."""

from dataclasses import replace
import itertools
import os
import signal
import threading

from conftest import so101_yaml
from graph import Driver, overrides, PATIENCE_S, spinning, wait_for
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.command.message import from_message
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.command.playback import JointReference
from trimodal_ros.nodes import policy as policy_node, recorder, simulated_robot
from trimodal_ros.nodes.policy import PolicyNode
from trimodal_ros.nodes.policy_parameters import choose_device
from trimodal_ros.nodes.private_graph import NodeProcesses
from trimodal_ros.nodes.ros import now_ns
from trimodal_ros.observe.observer import MaxAge
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.sim.controller import TrajectoryController
from trimodal_ros.spec import NS_PER_S

SENTENCE = 'put the red cube on the left plate'
NUMBERS = itertools.count()
MORE_ROUNDS = 10   # of the driver, in which what is wrong would have been sent
pytestmark = pytest.mark.usefixtures('ros')
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def make_policy(checkpoint, **values) -> PolicyNode:
    """Return a node with a name of its own: others that were destroyed take the log with them."""
    return PolicyNode(
        cli_args=['--ros-args', '-r', f'__node:=policy_{next(NUMBERS)}'],
        parameter_overrides=overrides(checkpoint=checkpoint, robot=so101_yaml(), **values))


@pytest.fixture
def commanding(ros, small_checkpoint, so101):
    """A driver and an active policy that has sent its first plan."""
    driver, policy = Driver(so101), make_policy(small_checkpoint, replan_period_s=0.1)
    with spinning(driver, policy):
        start_commanding(driver, policy)
        yield driver, policy


def start_commanding(driver, policy) -> None:
    assert policy.trigger_configure() == SUCCESS
    assert policy.trigger_activate() == SUCCESS
    wait_for(policy._command.get_subscription_count, 'the driver to be heard')
    driver.say(SENTENCE)
    wait_for(lambda: driver.trajectories, 'a first trajectory')


def is_hold(message) -> bool:
    return len(message.points) == 1


def wait_for_rounds(driver) -> None:
    """Wait until the driver has published several times more."""
    last = driver.rounds + MORE_ROUNDS
    wait_for(lambda: driver.rounds >= last, 'the driver')


def hold_after(driver, change, what: str) -> JointTrajectory:
    """Return the hold that follows a change, and check that nothing comes after it."""
    wait_for(lambda: not is_hold(driver.trajectories[-1]), 'a plan under way')
    change()
    hold = wait_for(lambda: is_hold(driver.trajectories[-1]) and driver.trajectories[-1], what)
    assert not any(hold.points[0].velocities)
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert all(map(is_hold, driver.trajectories[count:]))
    return hold


class SlowModel:
    """A policy's planner that is thinking until it is let go, and then plans a long motion."""

    def __init__(self, policy):
        self._planner, self._go_on = policy.pilot.planner, threading.Event()
        self.is_thinking, self.has_ended = threading.Event(), threading.Event()
        self._publish, policy._publish = policy._publish, self._note
        policy.pilot.max_command_age_s = PATIENCE_S  # so that the plan isn't refused as late
        policy.pilot.planner = self._plan
        wait_for(self.is_thinking.is_set, 'the model to think')

    def _plan(self, observation):
        self.has_ended.clear()
        self.is_thinking.set()
        assert self._go_on.wait(PATIENCE_S)
        plan = self._planner(observation)
        return replace(plan, time_s_T=plan.time_s_T + PATIENCE_S)

    def _note(self, *what):
        self._publish(*what)
        self.has_ended.set()

    def let_go(self):
        self._go_on.set()
        wait_for(self.has_ended.is_set, 'the model to end')


@pytest.mark.parametrize('values', [
    {'checkpoint': '/no/such/folder'}, {'checkpoint': ''}, {'device': 'tpu'},
    {'robot': '/no/such.yaml'}])
def test_what_cannot_be_loaded_leaves_the_node_unconfigured(small_checkpoint, values):
    """Catches a node that goes active without a model, or dies."""
    node = PolicyNode(parameter_overrides=overrides(**{
        'checkpoint': small_checkpoint, 'robot': so101_yaml(), **values}))
    assert node.trigger_configure() == FAILURE
    assert node.pilot is None
    node.close()
    node.destroy_node()


def test_checkpoint_for_another_robot_is_refused(small_checkpoint, tmp_path):
    """Catches a policy that drives an arm it was not trained for."""
    other = tmp_path / 'other.yaml'
    other.write_text(so101_yaml().read_text().replace('elbow_flex', 'knee'))
    node = PolicyNode(parameter_overrides=overrides(checkpoint=small_checkpoint, robot=other))
    assert node.trigger_configure() == FAILURE
    node.destroy_node()


def test_parameters_are_described_and_ranged(small_checkpoint):
    """Catches a parameter nobody explains, or one that takes any number."""
    node = make_policy(small_checkpoint)
    for name in node._parameters:
        if name == 'use_sim_time' or name.startswith('start_type_description'):
            continue
        descriptor = node.describe_parameter(name)
        assert descriptor.description, name
        numeric = isinstance(node.get_parameter(name).value, (int, float))
        assert not numeric or descriptor.floating_point_range or descriptor.integer_range, name
    node.destroy_node()


def test_node_and_replay_observe_with_the_same_limits(small_checkpoint):
    """Catches a recording that is read as the node would not have seen it."""
    node = make_policy(small_checkpoint)
    assert node.trigger_configure() == SUCCESS
    assert node.pilot.observer.max_age == MaxAge()
    defaults = Pilot(node.pilot.robot, None, None)
    assert node.pilot.max_command_age_s == defaults.max_command_age_s
    assert node.pilot.max_tracking_error_rad == defaults.max_tracking_error_rad
    node.close()
    node.destroy_node()


def test_parameters_change_while_unconfigured_only(small_checkpoint):
    """Catches a change that goes unnoticed, and a node that can't load another checkpoint."""
    node = make_policy('/no/such/folder')
    assert node.trigger_configure() == FAILURE
    right = Parameter('checkpoint', value=str(small_checkpoint))
    assert node.set_parameters([right])[0].successful
    assert node.trigger_configure() == SUCCESS
    for late in (right, Parameter('threads', value=2)):
        result = node.set_parameters([late])[0]
        assert not result.successful and f'{late.name}: taken over on configure' in result.reason
    assert node.set_parameters([Parameter('use_sim_time', value=False)])[0].successful
    assert node.trigger_cleanup() == SUCCESS
    assert node.set_parameters([Parameter('threads', value=2)])[0].successful
    node.destroy_node()


def test_replan_period_as_long_as_the_chunk_is_refused(small_checkpoint):
    """Catches an arm that comes to rest at the end of every chunk."""
    node = make_policy(small_checkpoint, replan_period_s=1.6)
    with pytest.raises(ValueError, match=r'replan_period_s is 1.6 s; .* shorter .* 1.6 s'):
        node._configure()
    node.destroy_node()


@pytest.mark.parametrize('module, told', [
    (policy_node, ['max_tracking_error_rad', '0.05 to 3.2', 'joint_trajectory']),
    (recorder, ['out ', 'Robot YAML', '~/success']),
    (simulated_robot, ['camera_hz', '1 to 60', 'joint_states', '~/reset'])])
def test_help_is_printed_and_nothing_started(module, told, capsys):
    """Catches ``--help`` that starts a node: rclpy, running here, would refuse a second start."""
    module.main(['--help'])
    printed = capsys.readouterr().out
    assert all(text in printed for text in told), printed


def test_commands_are_what_the_controller_accepts(commanding, so101):
    """Catches a trajectory Jazzy's controller would refuse, and the wrong stamp."""
    driver, policy = commanding
    controller = TrajectoryController(so101.joint_names)
    controller.start(driver.position_J, now_ns(driver))
    message, now = driver.trajectories[0], now_ns(driver)
    controller.accept(message, now, JointReference.at_rest(now, driver.position_J))
    trajectory = from_message(message, so101)
    assert 0 < now - trajectory.stamp_ns < 2 * 10**9
    assert (trajectory.velocity_TJ[-1] == 0).all()
    np.testing.assert_allclose(trajectory.position_TJ[0], driver.position_J, atol=1e-9)


def test_plans_follow_before_the_chunk_runs_out(commanding, so101):
    """Catches a policy that plans once, or that starts each plan where the arm is not."""
    driver, policy = commanding
    wait_for(lambda: len(driver.trajectories) >= 4, 'four plans')
    first, second = (from_message(message, so101) for message in driver.trajectories[:2])
    end_ns = first.stamp_ns + first.time_s_T[-1] * 1e9
    assert first.stamp_ns < second.stamp_ns < end_ns


def test_images_are_planned_from_once(commanding):
    """Catches a second plan from the images just planned from, which have aged since."""
    driver, policy = commanding
    wait_for(lambda: len(driver.trajectories) >= 8, 'eight plans')
    gaps_ns = [stamp_ns(after.header.stamp) - stamp_ns(before.header.stamp)
               for before, after in itertools.pairwise(driver.trajectories)
               if not is_hold(before) and not is_hold(after)]
    assert gaps_ns and min(gaps_ns) > 0


@pytest.mark.parametrize('silent', ['front', 'wrist', 'joints'])
def test_silent_input_holds_the_robot(commanding, silent):
    """Catches an arm that goes on with its chunk after the camera or the driver died."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.silent.add(silent), f'a hold when {silent} is silent')


def test_robot_goes_on_when_the_camera_is_back(commanding):
    """Catches a node that must be restarted after one lost cable."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.silent.add('front'), 'a hold')
    driver.silent.clear()
    wait_for(lambda: not is_hold(driver.trajectories[-1]), 'a plan after the camera is back')


def test_missing_joint_holds_the_robot(commanding):
    """Catches a joint that falls out of joint_states and is read as zero."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.names.remove('elbow_flex'), 'a hold')


def test_unknown_encoding_holds_the_robot(commanding):
    """Catches pixels taken for what they are not."""
    driver, policy = commanding

    def change():
        driver.encoding = 'yuv422_from_mars'
    hold_after(driver, change, 'a hold')


def test_hold_waits_for_a_plan_on_its_way_out(commanding):
    """Catches a plan that was checked before a hold and is sent after it."""
    driver, policy = commanding
    publish, sent, holds = policy._command.publish, [], []

    def switch_threads(message):
        if not is_hold(message) and not holds:
            holds.append(threading.Thread(target=policy._hold, args=['a test']))
            holds[0].start()
            holds[0].join(0.5)  # it gets all the time it wants, and must not use it
        publish(message)
        sent.append(message)
    policy._command.publish = switch_threads
    wait_for(lambda: any(map(is_hold, sent)), 'a hold')
    policy._command.publish = publish
    holds[0].join()
    assert [is_hold(message) for message in sent[:2]] == [False, True]


def test_plan_begun_before_a_hold_is_not_sent(commanding):
    """Catches a plan that outlives the hold by which the robot was to stop."""
    driver, policy = commanding
    model = SlowModel(policy)
    hold_after(driver, lambda: driver.silent.add('joints'), 'a hold')
    count = len(driver.trajectories)
    model.let_go()
    wait_for_rounds(driver)
    assert all(map(is_hold, driver.trajectories[count:]))


def test_nothing_is_planned_before_an_instruction(small_checkpoint, so101):
    """Catches a model asked to do nothing, which then does something."""
    driver, policy = Driver(so101), make_policy(small_checkpoint)
    with spinning(driver, policy):
        assert policy.trigger_configure() == SUCCESS
        assert policy.trigger_activate() == SUCCESS
        wait_for(policy._command.get_subscription_count, 'the driver to be heard')
        wait_for(lambda: policy.pilot.observer.image_stamp_ns, 'images')
        for _ in range(3):
            policy._due.set()
            wait_for_rounds(driver)
        assert not driver.trajectories and policy._read is None


def test_arm_that_left_its_command_is_held_where_it_is(commanding):
    """Catches a motion that starts where the arm was before it was stopped or moved by hand."""
    driver, policy = commanding
    driver.position_J[0] += 1.2
    wait_for(lambda: is_near(driver.trajectories[-1], driver.position_J), 'a hold where it is')
    count = len(driver.trajectories)
    wait_for(lambda: len(driver.trajectories) > count + 2, 'the robot to go on')
    assert all(is_near(message, driver.position_J) for message in driver.trajectories[count:])
    assert any("joint 'shoulder_pan': measured 1.080 rad" in text for text in driver.logged)


def is_near(message, position_J) -> bool:
    return abs(message.points[0].positions[0] - position_J[0]) < 0.4


@pytest.mark.parametrize('silent', [set(), {'front', 'wrist'}])
def test_goes_on_after_the_clock_jumped_back(small_checkpoint, so101, silent):
    """Catches a policy that waits, silent, for a time that won't come, as in a looped bag."""
    driver = Driver(so101, keeps_time=True)
    policy = make_policy(small_checkpoint, replan_period_s=0.1, use_sim_time=True)
    with spinning(driver, policy):
        start_commanding(driver, policy)
        before = stamp_ns(driver.trajectories[-1].header.stamp)
        driver.silent |= silent
        driver.back_ns = 1_000 * NS_PER_S
        wait_for(lambda: 'holding: clock jumped back' in driver.logged, 'the hold to be told')
        driver.silent.clear()
        wait_for(lambda: not is_hold(driver.trajectories[-1])
                 and stamp_ns(driver.trajectories[-1].header.stamp) < before, 'a new plan')
        assert any(map(is_hold, driver.trajectories))


def test_images_from_before_hold_the_robot(commanding):
    """Catches pictures stamped by a clock that went back, taken for new ones."""
    driver, policy = commanding

    def change():
        driver.back_ns = 10 * NS_PER_S
    hold_after(driver, change, 'a hold')
    assert 'holding: clock jumped back' in driver.logged
    driver.back_ns = 0
    wait_for(lambda: not is_hold(driver.trajectories[-1]), 'a plan from images that are new')


def test_refused_instruction_is_told_each_time(commanding):
    """Catches an error swallowed because another one was logged just before."""
    driver, policy = commanding
    driver.names.remove('elbow_flex')
    wait_for(lambda: any("'elbow_flex' is missing" in text for text in driver.logged), 'an error')
    for count in range(1, 4):
        driver.say('x' * 10_000)
        wait_for(lambda count=count: sum(
            'instruction refused' in text for text in driver.logged) == count, 'an error')


def test_a_hold_is_told_once_while_its_numbers_change(commanding):
    """Catches a line in the log every 20 ms, as the cameras are never apart by the same time."""
    driver, policy = commanding

    def change():
        driver.late_ns['wrist'] = 150_000_000
    hold_after(driver, change, 'a hold')
    wait_for(lambda: any('cameras: ' in text for text in driver.logged), 'the reason')
    told = sum('cameras: ' in text for text in driver.logged)
    assert told <= 1 + driver.logged.count('commanding')


TOO_LONG = 'red ' * 100  # within 500 characters, but more tokens than are read


def test_instruction_too_long_to_be_read_is_told(commanding):
    """Catches a sentence whose end, where it says what to do, is left out."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.say(TOO_LONG), 'a hold')
    wait_for(lambda: any('102 tokens, at most 64' in text for text in driver.logged), 'a reason')


@pytest.mark.parametrize('text', ['', '   ', '\u200b', 'x' * 10_000, TOO_LONG])
def test_no_usable_instruction_holds_the_robot(commanding, text):
    """Catches a robot that goes on with what it was told before."""
    driver, policy = commanding
    hold_after(driver, lambda: driver.say(text), 'a hold')
    count = len(driver.trajectories)
    driver.say(SENTENCE)
    wait_for(lambda: len(driver.trajectories) > count, 'a plan after a good instruction')


def test_model_that_raises_holds_the_robot(commanding):
    """Catches an exception that kills the worker and leaves the arm moving."""
    driver, policy = commanding

    def broken(observation):
        raise RuntimeError('out of memory')

    def change():
        policy.pilot.planner = broken
    hold_after(driver, change, 'a hold')


def test_deactivate_holds_and_is_quiet(commanding):
    """Catches commands from a node that was told to stop."""
    driver, policy = commanding
    hold_after(driver, policy.trigger_deactivate, 'a hold')
    assert policy._worker is None
    assert policy.trigger_activate() == SUCCESS
    count = len(driver.trajectories)
    wait_for(lambda: len(driver.trajectories) > count, 'plans after activating again')


@pytest.mark.parametrize('stop', ['trigger_deactivate', 'close'])
def test_stop_does_not_wait_for_the_model(commanding, stop):
    """Catches an arm that moves on for as long as the model is thinking."""
    driver, policy = commanding
    model = SlowModel(policy)
    stopping = threading.Thread(target=getattr(policy, stop))
    hold_after(driver, stopping.start, 'a hold')
    model.let_go()
    stopping.join()
    count = len(driver.trajectories)
    wait_for_rounds(driver)
    assert driver.trajectories[count:] == []


def test_model_that_never_returns_does_not_keep_the_node(commanding, monkeypatch):
    """Catches a node that can't be stopped, and one that is active with two workers."""
    monkeypatch.setattr(policy_node, 'WORKER_PATIENCE_S', 0.05)
    driver, policy = commanding
    model = SlowModel(policy)
    hold_after(driver, policy.trigger_deactivate, 'a hold')
    assert policy.trigger_activate() == FAILURE
    count = len(driver.trajectories)
    model.let_go()
    wait_for(lambda: policy.trigger_activate() == SUCCESS, 'the worker to end')
    wait_for(lambda: len(driver.trajectories) > count, 'plans after activating again')


def change_state(driver, name, transition, goal):
    """
    Ask for a transition, and for the state until it is there.

    The answer to a client the service hasn't met yet is lost; asked for a transition that it has
    made already, an rclpy node ends.
    """
    change = driver.create_client(ChangeState, f'{name}/change_state')
    state = driver.create_client(GetState, f'{name}/get_state')
    wait_for(lambda: change.service_is_ready() and state.service_is_ready(), name)
    change.call_async(ChangeState.Request(transition=Transition(id=transition)))
    since, asked = driver.rounds, []

    def is_there():
        if driver.rounds - since >= len(asked) * MORE_ROUNDS:
            asked.append(state.call_async(GetState.Request()))
        return any(future.done() and future.result().current_state.id == goal
                   for future in asked)
    wait_for(is_there, f'{name} to change its state')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_process_told_to_end_holds_the_robot(small_checkpoint, so101, tmp_path, number):
    """Catches a process that ends in mid-motion without a word."""
    # A name of its own: services of the lifecycle nodes that earlier tests destroyed here are
    # offered until they are garbage collected, and would take the request for themselves.
    name = f'policy_ended_by_{number}'
    driver = Driver(so101)
    with spinning(driver), NodeProcesses(tmp_path) as processes:
        processes.start('policy', {'checkpoint': small_checkpoint, 'robot': so101_yaml(),
                                   'replan_period_s': 0.1}, node=name)
        change_state(driver, name, Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE)
        change_state(driver, name, Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
        driver.say(SENTENCE)
        wait_for(lambda: driver.trajectories, 'a first trajectory')
        hold_after(driver, lambda: os.kill(processes.pid(name), number), 'a last hold')


def test_latched_instruction_reaches_a_late_policy(small_checkpoint, so101):
    """Catches an instruction lost because the robot was told before the policy was up."""
    driver = Driver(so101)
    driver.say(SENTENCE)
    policy = make_policy(small_checkpoint)
    with spinning(driver, policy):
        assert policy.trigger_configure() == SUCCESS
        assert policy.trigger_activate() == SUCCESS
        wait_for(lambda: driver.trajectories, 'a trajectory')


def test_gpu_is_only_used_where_it_is():
    """Catches a silent fall-back to the CPU."""
    import torch
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='no GPU'):
            choose_device('cuda')
        assert choose_device('auto') == 'cpu'
