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

"""A robot with a controller for its arm and one for its hand: what goes where, and when."""

from contextlib import contextmanager
from dataclasses import replace

from driver import Driver
from graph import call, spinning, wait_for
import numpy as np
from policy_graph import activate, is_hold, make_policy, SENTENCE, SUCCESS
import pytest
from rclpy.node import Node
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from trimodal_ros.command.chunk import lead_in
from trimodal_ros.command.message import to_message, to_messages
from trimodal_ros.command.others import Others
from trimodal_ros.command.playback import CommandedMotion
from trimodal_ros.nodes.ros import COMMAND_QOS, HEAR_COMMANDS_QOS, ROS_TYPES
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.moments import Replay
from trimodal_ros.record.selection import read_selection, TYPES
from trimodal_ros.record.sensor_messages import joint_state_message
from trimodal_ros.spec import ControllerSpec, NS_PER_S, RobotSpec, SpecError, Trajectory
from trimodal_ros.spec.robot_file import write_robot_file

ONE = RobotSpec.make_example()   # shoulder, elbow and gripper
ROBOT = replace(ONE, controllers=(
    ControllerSpec('hand', 'hand/joint_trajectory', ('gripper',)),
    ControllerSpec('arm', 'arm/joint_trajectory', ('elbow', 'shoulder'))))
START_NS = 5 * NS_PER_S
REST_J = np.zeros(3)


def moving(robot: RobotSpec = ROBOT, stamp_ns: int = START_NS, to=(0.1, 0.2, 0.3)) -> Trajectory:
    """Return a motion from 0 to rest, through a point on the way."""
    to_J = np.array(to)
    return Trajectory(robot, stamp_ns, [0.5, 1.0], np.stack([to_J / 2, to_J]),
                      np.stack([to_J / 1.0, 0 * to_J]))


def gripper_of(trajectory: Trajectory) -> Trajectory:
    """Return the gripper's part of a motion."""
    return replace(trajectory, robot=trajectory.robot.only(('gripper',)),
                   position_TJ=trajectory.position_TJ[:, 2:],
                   velocity_TJ=trajectory.velocity_TJ[:, 2:])


def test_each_controller_gets_its_joints_and_the_one_stamp():
    """Catches a joint sent to the wrong arm, and arms that are not in step."""
    messages = to_messages(moving(), BAG_TYPES)
    assert {topic: list(message.joint_names) for topic, message in messages.items()} == {
        'hand/joint_trajectory': ['gripper'], 'arm/joint_trajectory': ['elbow', 'shoulder']}
    assert {stamp_ns(message.header.stamp) for message in messages.values()} == {START_NS}
    assert [list(point.positions) for point in messages['arm/joint_trajectory'].points] == [
        [0.1, 0.05], [0.2, 0.1]]
    [whole] = to_messages(moving(ONE), BAG_TYPES).values()
    assert whole.joint_names == list(ONE.joint_names)


def test_a_message_is_read_as_that_of_its_controller():
    """Catches a part of the robot refused as no robot, and joints of two controllers mixed."""
    others = Others(ROBOT)
    messages = to_messages(moving(), BAG_TYPES)
    for group in ROBOT.groups:
        heard = others.trajectory_of(messages[group.topic], START_NS)
        assert heard.robot.joint_names == group.joints
    with pytest.raises(SpecError, match=r"the robot has \['gripper'\] or \['elbow', 'shoulder'\]"):
        others.trajectory_of(to_message(moving(ONE), BAG_TYPES), START_NS)


def test_ones_own_messages_may_overtake_each_other():
    """Catches a message of one's own taken for another's since one to the other arm came first."""
    others, sent = Others(ROBOT), []
    for number in range(3):
        messages = to_messages(moving(stamp_ns=START_NS + number), BAG_TYPES)
        sent.append(messages)
        for message in messages.values():
            others.note_own(message)
    for topic in sent[0]:
        for messages in sent:
            assert others.trajectory_of(messages[topic], START_NS) is None


def test_a_controller_that_gets_nothing_goes_on():
    """Catches an arm forgotten, or stopped, when somebody commands the other."""
    whole, apart = CommandedMotion(ROBOT), CommandedMotion(ROBOT)
    whole.send(moving(), START_NS, REST_J)
    apart.send(moving(), START_NS, REST_J)
    later_ns = START_NS + 300_000_000
    hand = moving(stamp_ns=later_ns, to=(0.0, 0.0, 0.9))
    apart.send(gripper_of(hand), later_ns, REST_J)
    for after_ns in range(0, NS_PER_S, 50_000_000):
        now = apart.reference(later_ns + after_ns)
        as_before = whole.reference(later_ns + after_ns)
        assert np.array_equal(now.position_J[:2], as_before.position_J[:2])
        assert np.array_equal(now.velocity_J[:2], as_before.velocity_J[:2])
    assert apart.position_at(later_ns + NS_PER_S)[2] == 0.9
    assert apart.end_ns == later_ns + NS_PER_S and whole.end_ns == START_NS + NS_PER_S


def test_what_was_never_commanded_rests_as_measured():
    """Catches an arm of which nothing is known since only the other was commanded."""
    commanded = CommandedMotion(ROBOT)
    commanded.send(gripper_of(moving()), START_NS, np.array([0.7, -0.7, 0.0]))
    assert commanded.position_at(START_NS + NS_PER_S).tolist() == [0.7, -0.7, 0.3]
    assert commanded.reference(START_NS - 1) is None


def test_points_of_both_are_gone_through():
    """Catches a bridge that cuts the corner of one controller's motion."""
    commanded = CommandedMotion(ROBOT)
    commanded.send(moving(), START_NS, REST_J)
    commanded.send(gripper_of(moving(stamp_ns=START_NS + 5_000_000)),
                   START_NS + 1, REST_J)
    lead = lead_in(commanded, START_NS + 490_000_000, REST_J)
    assert [knot.time_ns - START_NS for knot in lead] == [
        490_000_000, 500_000_000, 505_000_000, 510_000_000]


def test_a_bag_is_replayed_with_each_controller():
    """Catches commands of a recording that are not on joint_trajectory and so never were."""
    replay = Replay('bag', ROBOT)
    assert {'hand/joint_trajectory', 'arm/joint_trajectory'} <= set(replay.topics)
    replay.feed('hand/joint_trajectory', START_NS, to_message(
        gripper_of(moving()), BAG_TYPES))
    assert not replay.refused and not replay.pilot.commanded   # of the arm nothing is known yet
    replay.feed('joint_states', START_NS, joint_state_message(
        ROBOT.joint_names, REST_J, [], START_NS, BAG_TYPES))
    for topic, message in to_messages(moving(), BAG_TYPES).items():
        replay.feed(topic, START_NS, message)
    assert replay.pilot.commanded.position_at(START_NS + NS_PER_S).tolist() == [0.1, 0.2, 0.3]


def test_all_of_them_are_recorded(tmp_path):
    """Catches an episode without the commands of one arm."""
    (tmp_path / 'topics.yaml').write_text(
        'cameras: {}\ntopics: {joint_trajectory: {max_gap_s: 3}, joint_states: }\n')
    wanted = {each.name: each for each in read_selection(tmp_path / 'topics.yaml', ROBOT)}
    assert set(wanted) == {'front/image_raw', 'joint_states', 'hand/joint_trajectory',
                           'arm/joint_trajectory'}
    assert wanted['arm/joint_trajectory'].max_gap_s == 3
    assert wanted['hand/joint_trajectory'].type_name == TYPES['joint_trajectory']


# -- over DDS

class Listener(Node):
    """Hears what each controller gets."""

    def __init__(self, robot: RobotSpec):
        super().__init__('controllers')
        self.heard = {group.topic: [] for group in robot.groups}
        for topic, heard in self.heard.items():
            self.create_subscription(JointTrajectory, topic, heard.append, HEAR_COMMANDS_QOS)

    def both(self) -> list[tuple]:
        """Return the messages of one stamp, of the last ones that both have."""
        stamps = [{stamp_ns(each.header.stamp): each for each in heard}
                  for heard in self.heard.values()]
        return [tuple(each[stamp] for each in stamps)
                for stamp in sorted(set.intersection(*map(set, stamps)))]


@pytest.fixture
def commanded_apart(ros, tmp_path, moving_checkpoint, so101):
    """A driver whose arm keeps still, two controllers that listen, and a policy that commands."""
    robot = replace(so101, controllers=(
        ControllerSpec('arm', 'arm/joint_trajectory', so101.joint_names[:5]),
        ControllerSpec('hand', 'hand/joint_trajectory', so101.joint_names[5:])))
    write_robot_file(robot, tmp_path / 'robot.yaml')
    with _running(robot, tmp_path / 'robot.yaml', moving_checkpoint) as nodes:
        yield nodes


@contextmanager
def _running(robot: RobotSpec, file, checkpoint):
    driver, listener = Driver(robot), Listener(robot)
    policy = make_policy(checkpoint, robot=file, max_tracking_error_rad=3.2)
    with spinning(driver, listener, policy):
        assert policy.trigger_configure() == SUCCESS
        activate(policy)
        wait_for(policy.listeners, 'both controllers')
        driver.say(SENTENCE)
        wait_for(lambda: any(not is_hold(arm) for arm, _ in listener.both()), 'a plan for both')
        yield robot, driver, listener, policy


def test_the_policy_commands_both_at_once(commanded_apart):
    """Catches an arm without its part of a plan, or of a hold."""
    robot, driver, listener, policy = commanded_apart
    wait_for(lambda: len(listener.both()) > 3, 'plans for both')
    for messages in listener.both():
        for group, message in zip(robot.groups, messages):
            assert tuple(message.joint_names) == group.joints
        assert len({tuple(stamp_ns(point.time_from_start) for point in message.points)
                    for message in messages}) == 1
    assert call(driver, Trigger, f'{policy.get_name()}/stop').success
    wait_for(lambda: all(map(is_hold, listener.both()[-1])), 'a hold for both')
    assert not driver.trajectories   # nothing for a controller that isn't in the YAML


def test_somebody_who_commands_the_hand_leaves_the_arm_alone(commanded_apart):
    """Catches a policy that takes a part for the whole, or for nobody's."""
    robot, driver, listener, policy = commanded_apart
    hand = robot.only(robot.joint_names[5:])
    holds = policy.commander.helm.holds
    other = policy.create_publisher(JointTrajectory, 'hand/joint_trajectory', COMMAND_QOS)
    now = policy.get_clock().now().nanoseconds
    other.publish(to_message(Trajectory(hand, now, [3.0], [[0.5]], [[0.0]]), ROS_TYPES))
    wait_for(lambda: policy.commander.helm.holds > holds, 'it to be heard')
    wait_for(lambda: stamp_ns(listener.both()[-1][0].header.stamp) > now
             and not is_hold(listener.both()[-1][0]), 'the policy to go on with both')
    assert not [line for line in driver.logged if 'of another' in line]
