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
Grippers: a width that is fingers on topics, and one that is open or closed whatever is planned.

The robot has a shoulder and, as its gripper, two fingers that move apart.
"""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from trimodal_ros.command.binary import BinaryGrippers
from trimodal_ros.command.chunk import join_chunk, lead_in
from trimodal_ros.command.limits import check_limits
from trimodal_ros.command.message import from_message, to_message
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.command.playback import CommandedMotion
from trimodal_ros.observe.joints import decode_joints, JointStateError
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message
from trimodal_ros.spec import (
    Binary,
    CameraSpec,
    Finger,
    JointSpec,
    NS_PER_S,
    RobotSpec,
    SpecError,
    Trajectory,
)

FINGERS = (Finger('finger_1', 0.5), Finger('finger_2', -0.5))
WIDTH = JointSpec('gripper', 0.0, 0.08, 0.2, 2.0, True, 'm', FINGERS)
SHOULDER = JointSpec('shoulder', -2.0, 2.0, 3.0, 60.0)
ROBOT = RobotSpec('bench', (SHOULDER, WIDTH), (CameraSpec('front', 'front', 8, 8),), 10.0, 16)
BINARY = replace(ROBOT, joints=(SHOULDER, replace(WIDTH, binary=Binary(0.0, 0.08))))
START_NS = 5 * NS_PER_S


def chunk(robot: RobotSpec, width_T, stamp_ns: int = START_NS) -> Trajectory:
    """Return a plan that keeps the shoulder and moves the gripper."""
    position_TJ = np.stack([np.zeros(robot.horizon), np.broadcast_to(width_T, robot.horizon)], 1)
    return Trajectory(robot, stamp_ns, (1 + np.arange(robot.horizon)) / robot.rate_hz, position_TJ)


# -- fingers

def test_a_width_is_commanded_by_the_first_finger():
    """Catches a mimicking finger that is commanded, and a width taken for a finger's way."""
    plan = chunk(ROBOT, np.linspace(0.01, 0.08, 16))
    plan = replace(plan, velocity_TJ=np.full((16, 2), 0.1))
    message = to_message(plan, BAG_TYPES)
    assert message.joint_names == ['shoulder', 'finger_1']
    assert message.points[-1].positions[1] == 0.04 and message.points[0].velocities[1] == 0.05
    again = from_message(message, ROBOT)
    np.testing.assert_allclose(again.position_TJ, plan.position_TJ, rtol=1e-15)
    np.testing.assert_allclose(again.velocity_TJ, plan.velocity_TJ, rtol=1e-15)
    message.joint_names[1] = 'gripper'
    with pytest.raises(SpecError, match=r"the robot has \['shoulder', 'finger_1'\]"):
        from_message(message, ROBOT)


def joints(names, positions):
    return joint_state_message(names, positions, [], 0, BAG_TYPES)


def test_a_width_is_measured_by_all_fingers():
    """Catches a finger's sign or share left out, and one finger taken for both."""
    seen = decode_joints(joints(['finger_2', 'lamp', 'shoulder', 'finger_1'],
                                [-0.03, 9.0, 0.5, 0.02]), ROBOT)
    assert seen == {'shoulder': 0.5, 'gripper': pytest.approx(0.05)}
    assert decode_joints(joints(['shoulder'], [0.5]), ROBOT) == {'shoulder': 0.5}
    assert ROBOT.on_topics([0.5, 0.05]) == {'shoulder': 0.5, 'finger_1': 0.025, 'finger_2': -0.025}


@pytest.mark.parametrize('names, positions, complaint', [
    (['finger_1'], [0.0], "'finger_2' is missing, a finger whose gripper has others"),
    (['finger_1', 'finger_2'], [0.0, np.nan], "'finger_2' is nan"),
    (['finger_1', 'finger_2', 'finger_2'], [0.0] * 3, "'finger_2' is named more than once")])
def test_unusable_fingers_are_named(names, positions, complaint):
    """Catches half a gripper read as a whole one."""
    with pytest.raises(JointStateError, match=complaint) as error:
        decode_joints(joints(names, positions), ROBOT)
    assert error.value.joints == {'gripper'}   # as its history calls it


def test_a_finger_may_have_the_name_of_its_gripper():
    """Catches a factor left out because of a name."""
    robot = replace(ROBOT, joints=(SHOULDER, replace(WIDTH, fingers=(Finger('gripper', 0.5),))))
    assert decode_joints(joints(['gripper'], [0.02]), robot) == {'gripper': 0.04}


# -- binary

class Loop:
    """Plans go to a controller every so many steps, as the pilot sends them."""

    def __init__(self, robot: RobotSpec = BINARY, width_m: float = 0.08):
        self.robot, self.now_ns, self.grippers = robot, START_NS, BinaryGrippers(robot)
        self.commanded, self.rest_J = CommandedMotion(robot), np.array([0.0, width_m])

    def play(self, width_T, steps: int) -> None:
        """Send a plan, and let it be played for some of its steps."""
        lead = lead_in(self.commanded, self.now_ns, self.rest_J)
        planned = self.grippers.snap(chunk(self.robot, width_T, self.now_ns), lead)
        sent = join_chunk(planned, lead)
        check_limits(sent, lead[0])
        self.commanded.send(sent, self.now_ns, self.rest_J)
        self.now_ns += steps * self.robot.step_ns

    @property
    def width_m(self) -> float:
        return float(self.commanded.position_at(self.now_ns)[1])


@pytest.mark.parametrize('start, planned, rests', [
    (0.08, 0.05, 0.08), (0.08, 0.03, 0.08), (0.08, 0.02, 0.0),    # closes below 30 %
    (0.0, 0.03, 0.0), (0.0, 0.05, 0.0), (0.0, 0.06, 0.08)])       # opens above 70 %
def test_it_is_open_or_closed_whatever_is_planned(start, planned, rests):
    """Catches a position in between, thresholds exchanged, and no hysteresis."""
    loop = Loop(width_m=start)
    for _ in range(3):
        loop.play(planned, 8)
    assert loop.width_m == pytest.approx(rests, abs=5e-4)


def test_what_was_decided_holds_while_it_is_on_its_way():
    """Catches a gripper that turns round since its plan is undecided once it moves."""
    loop = Loop()
    loop.play(0.01, 1)
    for _ in range(20):
        loop.play(0.04, 1)   # nearer to open than it is by then
    assert loop.width_m == pytest.approx(0.0, abs=5e-4)


def test_a_change_late_in_a_chunk_is_not_remembered_before_it_comes():
    """Catches the end of the last plan taken for what goes on now."""
    loop = Loop()
    loop.play([0.08] * 12 + [0.0] * 4, 2)
    for _ in range(8):
        loop.play(0.04, 2)
    assert loop.width_m == pytest.approx(0.08, abs=5e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(st.floats(0.0, 0.08), min_size=16, max_size=16),
                          st.integers(1, 8)), min_size=1, max_size=5),
       st.sampled_from([(0.1, 1.0), (0.2, 2.0), (0.5, 30.0), (3.0, 60.0)]))
def test_its_way_is_within_the_limits(plans, limits):
    """Catches a jump from open to closed, which would have every plan refused and held."""
    velocity, acceleration = limits
    loop = Loop(replace(BINARY, joints=(SHOULDER, replace(
        BINARY.joints[1], velocity=velocity, acceleration=acceleration))))
    for width_T, steps in plans:
        loop.play(width_T, steps)   # raises LimitError
    loop.play(0.0, 1)


def test_the_pilot_commands_it_so():
    """Catches a gripper snapped where nobody calls it, and the other joints touched."""
    clock = [START_NS]
    plan = chunk(BINARY, np.linspace(0.075, 0.05, 16))
    plan.position_TJ.flags.writeable = True
    plan.position_TJ[:, 0] = np.linspace(0.0, 0.3, 16)
    pilot = Pilot(BINARY, lambda observation: plan, lambda: clock[0])
    pilot.observer.set_instruction('open')
    pilot.observer.add_image('front', image_message(
        np.zeros((8, 8, 3), np.uint8), START_NS, '', BAG_TYPES))
    pilot.observer.add_joints(joint_state_message(
        ['shoulder', 'finger_1', 'finger_2'], [0.0, 0.04, -0.04], [], START_NS, BAG_TYPES))
    sent = pilot.decide().trajectory
    np.testing.assert_allclose(sent.position_TJ[:, 1], 0.08, atol=5e-4)
    assert sent.position_TJ[-1, 0] == 0.3
    assert not pilot.decide().refusal
