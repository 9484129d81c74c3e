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

"""The nodes on a real graph: real rclpy, real DDS, a mock driver where no robot is."""

import os
import signal

from conftest import so101_yaml
from graph import Driver, rclpy, spinning, wait_for
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.command.message import from_message
from trimodal_ros.command.playback import JointReference
from trimodal_ros.nodes.policy import choose_device, PolicyNode
from trimodal_ros.nodes.private_graph import NodeProcesses
from trimodal_ros.nodes.recorder import RecorderNode
from trimodal_ros.nodes.ros import COMMAND_QOS, now_ns, ROS_TYPES, SENSOR_QOS
from trimodal_ros.nodes.simulated_robot import SimulatedRobotNode
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.episode import read_info, read_messages
from trimodal_ros.record.messages import BAG_TYPES, serialize, TYPESTORE
from trimodal_ros.sim.controller import TrajectoryController

SENTENCE = 'put the red cube on the left plate'
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture(scope='module', autouse=True)
def ros():
    rclpy.init()
    yield
    rclpy.try_shutdown()


def overrides(**values) -> list[Parameter]:
    return [Parameter(name, value=str(value) if not isinstance(value, (int, float, bool))
                      else value) for name, value in values.items()]


def make_policy(checkpoint, **values) -> PolicyNode:
    return PolicyNode(parameter_overrides=overrides(
        checkpoint=checkpoint, robot=so101_yaml(), **values))


@pytest.fixture
def commanding(small_checkpoint, so101):
    """A driver and an active policy that has sent its first plan."""
    driver, policy = Driver(so101), make_policy(small_checkpoint, replan_period_s=0.1)
    with spinning(driver, policy):
        assert policy.trigger_configure() == SUCCESS
        assert policy.trigger_activate() == SUCCESS
        wait_for(policy._command.get_subscription_count, 'the driver to be heard')
        driver.say(SENTENCE)
        wait_for(lambda: driver.trajectories, 'a first trajectory')
        yield driver, policy


def is_hold(message) -> bool:
    return len(message.points) == 1


def hold_after(driver, change, what: str) -> JointTrajectory:
    """Return the hold that follows a change, and check that nothing comes after it."""
    wait_for(lambda: not is_hold(driver.trajectories[-1]), 'a plan under way')
    change()
    hold = wait_for(lambda: is_hold(driver.trajectories[-1]) and driver.trajectories[-1], what)
    assert not any(hold.points[0].velocities)
    return hold


# -- the policy node


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
        assert descriptor.description and descriptor.read_only, name
        numeric = isinstance(node.get_parameter(name).value, (int, float))
        assert not numeric or descriptor.floating_point_range or descriptor.integer_range, name
    node.destroy_node()


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
    stamps_ns = [stamp_ns(message.header.stamp) for message in driver.trajectories]
    assert min(np.diff(stamps_ns)) >= policy._replan_ns


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


@pytest.mark.parametrize('text', ['', '   ', 'x' * 10_000])
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


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_process_told_to_end_holds_the_robot(small_checkpoint, so101, tmp_path, number):
    """Catches a process that ends in mid-motion without a word."""
    # A name of its own: services of the lifecycle nodes that earlier tests destroyed here are
    # offered until they are garbage collected, and would take the request for themselves.
    name = f'policy_ended_by_{number}'
    driver = Driver(so101)
    with spinning(driver), NodeProcesses(tmp_path) as processes:
        processes.start('policy', {'checkpoint': small_checkpoint, 'robot': so101_yaml(),
                                   'replan_period_s': 0.1}, node=name)
        client = driver.create_client(ChangeState, f'{name}/change_state')
        wait_for(client.service_is_ready, 'the policy process')
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
            wait_for(future.done, 'a transition')
            assert future.result().success
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


# -- the simulated robot


@pytest.fixture
def robot_node(so101):
    """The simulated robot and a client node that hears it."""
    node = SimulatedRobotNode(parameter_overrides=overrides(
        shuffle_joints=True, viewer=False, camera_hz=10.0))
    client = rclpy.create_node('client')
    with spinning(node, client):
        yield node, client


def test_simulated_robot_is_heard(robot_node, so101):
    """Catches a topic, a QoS or a stamp a policy can't use; joints come in any order."""
    node, client = robot_node
    heard = {'front/image_raw': [], 'wrist/image_raw': [], 'joint_states': []}
    for topic, messages in heard.items():
        client.create_subscription(JointState if topic == 'joint_states' else Image, topic,
                                   messages.append, SENSOR_QOS)
    wait_for(lambda: all(len(messages) > 3 for messages in heard.values()), 'all topics')
    assert {tuple(m.name) for m in heard['joint_states']} != {so101.joint_names}
    stamps = [stamp_ns(m.header.stamp) for m in heard['front/image_raw']]
    assert sorted(set(stamps)) == stamps and abs(now_ns(client) - stamps[-1]) < 2 * 10**9


def test_simulated_robot_obeys_and_resets(robot_node, so101):
    """Catches a robot that ignores commands, and a reset that leaves it where it was."""
    node, client = robot_node
    publisher = client.create_publisher(JointTrajectory, 'joint_trajectory', COMMAND_QOS)
    wait_for(lambda: publisher.get_subscription_count(), 'the robot to listen')
    simulated = wait_for(lambda: hasattr(node, '_viewer') and node._simulated, 'the simulator')
    start_J = simulated.command_J
    target_J = start_J + [0.3, 0, 0, 0, 0, 0]
    point = ROS_TYPES.JointTrajectoryPoint(
        positions=ROS_TYPES.floats(target_J), time_from_start=ROS_TYPES.Duration(sec=1))
    publisher.publish(JointTrajectory(joint_names=list(so101.joint_names), points=[point]))
    wait_for(lambda: abs(simulated.world.position_J[0] - target_J[0]) < 0.02, 'the arm to turn')
    reset = client.create_client(Trigger, 'simulated_robot/reset')
    wait_for(reset.service_is_ready, 'the reset service')
    future = reset.call_async(Trigger.Request())
    wait_for(future.done, 'the reset')
    assert future.result().success
    assert np.abs(simulated.world.position_J - start_J).max() < 0.05


def test_task_that_cannot_be_laid_is_refused(robot_node):
    """Catches a judge of a cube that isn't there."""
    node, client = robot_node
    wait_for(lambda: hasattr(node, '_viewer'), 'the simulator')
    node.set_parameters([Parameter('task_object', value='pink cube')])
    reset = client.create_client(Trigger, 'simulated_robot/reset')
    wait_for(reset.service_is_ready, 'the reset service')
    future = reset.call_async(Trigger.Request())
    wait_for(future.done, 'an answer')
    assert not future.result().success and 'red cube' in future.result().message


# -- the recorder


def test_recorder_keeps_every_byte(so101, tmp_path):
    """Catches messages lost, changed or filed under another topic."""
    driver = Driver(so101)
    recorder = RecorderNode(parameter_overrides=overrides(out=tmp_path, robot=so101_yaml()))
    client = rclpy.create_node('client')
    with spinning(driver, recorder, client):
        services = {name: client.create_client(Trigger, f'recorder/{name}')
                    for name in ('start', 'success')}

        def call(name):
            wait_for(services[name].service_is_ready, name)
            future = services[name].call_async(Trigger.Request())
            wait_for(future.done, name)
            return future.result()
        assert 'no instruction' in call('start').message
        driver.say(SENTENCE)
        wait_for(lambda: call('start').success, 'recording')
        wait_for(lambda: min(recorder._received.get(t, 0) for t in (
            'front/image_raw', 'wrist/image_raw', 'joint_states')) > 5, 'messages')
        path = call('success').message
    info = read_info(path)
    assert (info.instruction, info.outcome, info.source) == (SENTENCE, 'success', 'policy')
    messages = list(read_messages(path))
    assert {topic for topic, _, _ in messages} == {
        'front/image_raw', 'wrist/image_raw', 'joint_states', 'instruction'}
    assert all(list(m.name) == driver.names for t, _, m in messages if t == 'joint_states')


def test_both_libraries_read_each_other():
    """Catches CDR that differs between lockstep and live recordings."""
    def image(types):
        return types.Image(
            header=types.header(1_500_000_000, 'front'), height=1, width=1, encoding='rgb8',
            is_bigendian=0, step=3, data=types.octets(b'abc'))
    live = deserialize_message(serialize(image(BAG_TYPES)), Image)
    assert live == image(ROS_TYPES)
    bag = TYPESTORE.deserialize_cdr(serialize_message(image(ROS_TYPES)), 'sensor_msgs/msg/Image')
    assert bytes(bag.data) == b'abc' and bag.header == image(BAG_TYPES).header
