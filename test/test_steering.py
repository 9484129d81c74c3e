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

"""Cartesian space and the leader arm: joint velocities that do what the person asks for."""

from conftest import so101_yaml
import numpy as np
import pytest

from trimodal_ros.command.cartesian import CartesianJog
from trimodal_ros.command.chunk import lead_in
from trimodal_ros.command.jog import jog, Pace
from trimodal_ros.command.leader import Leader, LeaderRules
from trimodal_ros.command.limits import check_limits
from trimodal_ros.command.playback import CommandedMotion
from trimodal_ros.command.steering import Speeds, Steering
from trimodal_ros.command.stick import Stick
from trimodal_ros.observe.observer import NotReady
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import joint_state_message
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import NS_PER_S, RobotSpec, SpecError

ROBOT = RobotSpec.from_yaml(so101_yaml())
URDF = shipped_scene().urdf.read_text()
TOOL = 'gripper_frame_link'
ABOVE_J = np.array([0.2, -0.4, 0.3, 1.3, 0.1, 0.4])
START_NS, TICK_NS = 1_000 * NS_PER_S, NS_PER_S // 50
Z6, Z_J = np.zeros(6), np.zeros(len(ROBOT.joints))


class Steered:
    """An arm that is steered, as the teleoperator does it, on a clock of its own."""

    def __init__(self, position_J=ABOVE_J, **modes):
        self.now_ns, self.commanded, self.rest_J = START_NS, CommandedMotion(ROBOT), position_J
        self.steering = Steering(ROBOT, Speeds(tool_m_s=0.1, tool_rad_s=0.5), **modes)
        self.steering.begin(position_J)

    def steer(self, stick: Stick, seconds: float) -> np.ndarray:
        """Steer for a while; return where the joints are then, in rad."""
        for _ in range(round(seconds * NS_PER_S / TICK_NS)):
            lead = lead_in(self.commanded, self.now_ns, self.rest_J)
            velocity_J = self.steering.velocity_J(stick, lead, self.now_ns)
            trajectory, _ = jog(ROBOT, lead, velocity_J, self.steering.pace,
                                self.steering.together_J)
            check_limits(trajectory, lead[0])
            self.commanded.send(trajectory, self.now_ns, self.rest_J)
            self.now_ns += TICK_NS
        return self.commanded.position_at(self.now_ns)


def pushed(twist_6) -> Stick:
    return Stick(Z_J, np.array(twist_6, dtype=np.float64), Z_J, deadman=True)


@pytest.fixture(scope='module')
def cartesian() -> CartesianJog:
    return CartesianJog(URDF, ROBOT, TOOL)


@pytest.mark.parametrize('axis', range(3))
@pytest.mark.parametrize('way', [1, -1])
def test_tool_goes_straight_the_way_it_is_pushed(cartesian, axis, way):
    """Catches a tool that goes another way, bends off, or tips what it carries."""
    steered = Steered(mode='cartesian', cartesian=cartesian)
    before_m, turned = cartesian.tool_position_m(ABOVE_J), tool_z(cartesian, ABOVE_J)
    twist_6 = Z6.copy()
    twist_6[axis] = 0.5 * way
    ends_J = steered.steer(pushed(twist_6), 0.8)
    gone_m = cartesian.tool_position_m(ends_J) - before_m
    assert gone_m[axis] * way > 0.025
    assert np.abs(np.delete(gone_m, axis)).max() < 0.002
    assert np.arccos(np.clip(tool_z(cartesian, ends_J) @ turned, -1, 1)) < 0.2


def tool_z(cartesian: CartesianJog, position_J) -> np.ndarray:
    return cartesian._pose(position_J).rotation().as_matrix()[:, 2]


def test_tool_turns_as_it_is_pushed_and_stays_in_place(cartesian):
    """Catches a turn about another axis, and a tool that leaves its place for it."""
    steered = Steered(mode='cartesian', cartesian=cartesian)
    before = cartesian._pose(ABOVE_J)
    ends = cartesian._pose(steered.steer(pushed([0, 0, 0, 0, 0, 0.6]), 1.0))
    turned = (ends.rotation() @ before.rotation().inverse()).log()
    assert turned[2] > 0.15
    assert np.linalg.norm(ends.translation() - before.translation()) < 0.01


def test_tool_at_the_edge_of_its_reach_stays_within_the_limits(cartesian):
    """Catches joints that race where the arm is stretched, and an arm that can't come back."""
    steered = Steered(mode='cartesian', cartesian=cartesian)
    steered.steer(pushed([1.0, 0, 0, 0, 0, 0]), 4.0)
    far_m = cartesian.tool_position_m(steered.commanded.position_at(steered.now_ns))[0]
    back_m = cartesian.tool_position_m(steered.steer(pushed([-1.0, 0, 0, 0, 0, 0]), 2.0))[0]
    assert back_m < far_m - 0.05


def test_gripper_moves_in_every_mode(cartesian):
    """Catches a gripper that only joint mode opens."""
    steered = Steered(mode='cartesian', cartesian=cartesian)
    stick = Stick(Z_J, Z6, ROBOT.is_gripper_J * 0.3, deadman=True)
    ends_J = steered.steer(stick, 0.5)
    assert ends_J[-1] > ABOVE_J[-1] + 0.1
    np.testing.assert_allclose(ends_J[:-1], ABOVE_J[:-1])


@pytest.mark.parametrize('frame, complaint', [('nowhere', 'no link'), ('base_link', 'no joint')])
def test_tool_that_does_not_move_is_refused(frame, complaint):
    """Catches a Cartesian mode in which nothing happens."""
    with pytest.raises(SpecError, match=complaint):
        CartesianJog(URDF, ROBOT, frame)


def test_mode_that_is_not_there_is_refused():
    """Catches a stick that does something else than the mode that was asked for."""
    with pytest.raises(ValueError, match="'cartesian' is not one of joint"):
        Steering(ROBOT, mode='cartesian')


# -- the leader


class Led(Steered):
    """An arm with a leader that a test moves."""

    def __init__(self, **rules):
        self.leader = Leader(ROBOT, LeaderRules(**rules))
        super().__init__(mode='leader', leader=self.leader)

    def follow(self, position_J, seconds: float) -> np.ndarray:
        for _ in range(round(seconds * NS_PER_S / TICK_NS)):
            self.leader.on_joints(joint_state_message(
                ROBOT.joint_names, position_J, [], self.now_ns, BAG_TYPES))
            ends_J = self.steer(pushed(Z6), TICK_NS / NS_PER_S)
        return ends_J


def test_far_leader_is_approached_slowly_and_then_followed():
    """Catches an arm that leaps at its leader."""
    led, target_J = Led(approach_rad_s=0.3), ABOVE_J + np.array([0.5, 0, 0, 0, 0, 0])
    led.follow(target_J, 0.5)
    assert not led.leader.is_followed
    assert led.commanded.reference(led.now_ns).velocity_J[0] == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(led.follow(target_J, 3.0), target_J, atol=2e-3)
    assert led.leader.is_followed
    swing_J = target_J + np.array([-0.5, 0, 0, 0, 0, 0])
    led.follow(swing_J, 0.3)
    assert abs(led.commanded.reference(led.now_ns).velocity_J[0]) > 0.6  # as the hand does


def test_leader_that_is_lost_is_approached_anew():
    """Catches a leader that jumps, as when its cable slips, and takes the arm with it."""
    led = Led(lost_rad=0.3)
    led.follow(ABOVE_J, 0.2)
    assert led.leader.is_followed
    led.follow(ABOVE_J + 0.4, 0.3)
    assert not led.leader.is_followed
    assert np.abs(led.commanded.reference(led.now_ns).velocity_J).max() < 0.31


def test_far_leader_is_refused_where_that_is_asked_for():
    """Catches an approach nobody wanted, and a reason that doesn't say which joint."""
    led = Led(far='refuse', near_rad=0.1)
    with pytest.raises(NotReady, match="'shoulder_lift' is 0.30 rad from the robot, at most 0.1"):
        led.follow(ABOVE_J + np.array([0, 0.3, 0, 0, 0, 0]), 0.1)
    led.follow(ABOVE_J + 0.05, 0.1)
    assert led.leader.is_followed


@pytest.mark.parametrize('age_s', [0.3, None])
def test_silent_leader_is_not_followed(age_s):
    """Catches an arm that goes on to where a leader was."""
    led = Led()
    if age_s is not None:
        led.follow(ABOVE_J, 0.1)
        led.now_ns += round(age_s * NS_PER_S)
    with pytest.raises(NotReady, match='leader: joint_states'):
        led.steer(pushed(Z6), 0.1)
    assert not led.leader.is_followed


def test_leader_out_of_the_limits_is_followed_to_them():
    """Catches a refusal, and so an arm that stands still, where a leader reaches further."""
    led, target_J = Led(approach_rad_s=1.0), ABOVE_J.copy()
    target_J[0] = 3.0
    ends_J = led.follow(target_J, 4.0)
    assert ROBOT.upper_J[0] - 0.01 < ends_J[0] < ROBOT.upper_J[0]


@pytest.mark.parametrize('rules, complaint', [
    ({'far': 'jump'}, 'leader_far'), ({'near_rad': 0.6, 'lost_rad': 0.5}, 'leader_near_rad')])
def test_rules_that_cannot_be_are_refused(rules, complaint):
    """Catches a misspelt rule that is taken for another."""
    with pytest.raises(ValueError, match=complaint):
        LeaderRules(**rules)


def test_pace_is_the_steering_s():
    """Catches a leader that is followed at another pace than the stick."""
    assert Steered().steering.pace == Pace()
