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
Where a link is and where it may be.

The oracle is the textbook's: a product of 4x4 transforms read from the URDF with numpy alone.
"""

import subprocess
import sys
from xml.etree import ElementTree

from hypothesis import example, given, settings, strategies as st
import mujoco
import numpy as np
import pytest

from trimodal_ros.command.frame import FramePosition
from trimodal_ros.command.limits import LimitError
from trimodal_ros.command.playback import interpolate
from trimodal_ros.command.workspace import frame_path, LONGEST_M, STEP_M, WorkspaceBox
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import RobotSpec, SpecError, Trajectory

ROBOT = RobotSpec.make_example()  # shoulder, elbow and gripper
SO101 = shipped_scene().urdf.read_text()
INFINITE = np.full(3, np.inf)


def joint(name, parent, child, kind='revolute', xyz='0 0 0', rpy='0 0 0', axis='0 0 1') -> str:
    return (f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="{axis}"/></joint>')


def robot_of(*parts: str) -> str:
    links = {name for part in parts for end in ElementTree.fromstring(part).iter()
             if (name := end.get('link'))}
    return ('<robot name="r">' + ''.join(f'<link name="{name}"/>' for name in links)
            + ''.join(parts) + '</robot>')


# a planar arm of two links of 0.3 m whose hand slides along it, on a post nobody commands
POST = joint('post', 'world', 'base', 'prismatic', axis='0 0 1')
SHOULDER = joint('shoulder', 'base', 'upper', xyz='0 0 0.5')
ELBOW = joint('elbow', 'upper', 'lower', xyz='0.3 0 0')
GRIPPER = joint('gripper', 'lower', 'hand', 'prismatic', xyz='0.3 0 0', axis='1 0 0')
TIP = joint('tip', 'hand', 'tip', 'fixed', xyz='0 0 -0.1', axis='0 0 0')
ARM = robot_of(POST, SHOULDER, ELBOW, GRIPPER, TIP)
# nothing in line with anything, and an axis that is not of length one
CROOKED = robot_of(
    POST, joint('shoulder', 'base', 'upper', 'revolute', '0.1 -0.2 0.5', '0.3 -0.7 2', '1 2 -1'),
    joint('elbow', 'upper', 'lower', 'continuous', '0.3 0.1 0', '-1.2 0.4 0.9', '0 -3 0'),
    joint('gripper', 'lower', 'hand', 'prismatic', '0.2 0 0.1', '0 1.5 0', '1 1 0'),
    joint('tip', 'hand', 'tip', 'fixed', '0.01 0.02 -0.1', '1 1 1'))
NO_AXIS = CROOKED.replace('<axis xyz="0 -3 0"/>', '')  # which makes it 1 0 0


# -- the oracle


def turned(axis_3, angle) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis_3
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def numbers(element, tag, attribute, default) -> np.ndarray:
    part = element.find(tag)
    return np.array((default if part is None else part.get(attribute, default)).split(), float)


def transform(element, value) -> np.ndarray:
    """Return the child's pose in the parent: origin (fixed-axis roll, pitch, yaw), then motion."""
    roll, pitch, yaw = numbers(element, 'origin', 'rpy', '0 0 0')
    axis, kind = numbers(element, 'axis', 'xyz', '1 0 0'), element.get('type')
    pose, motion = np.eye(4), np.eye(4)
    pose[:3, :3] = turned((0, 0, 1), yaw) @ turned((0, 1, 0), pitch) @ turned((1, 0, 0), roll)
    pose[:3, 3] = numbers(element, 'origin', 'xyz', '0 0 0')
    if kind == 'prismatic':
        motion[:3, 3] = axis / np.linalg.norm(axis) * value
    elif kind != 'fixed':
        motion[:3, :3] = turned(axis / np.linalg.norm(axis), value)
    return pose @ motion


def expected_position(urdf: str, frame: str, position: dict) -> np.ndarray:
    pose, joints = np.eye(4), ElementTree.fromstring(urdf).findall('joint')
    above = {element.find('child').get('link'): element for element in joints}
    while frame in above:
        element = above[frame]
        pose = transform(element, position.get(element.get('name'), 0.0)) @ pose
        frame = element.find('parent').get('link')
    return pose[:3, 3]


ANGLES = st.floats(-3, 3)
POSITION_J = st.tuples(ANGLES, ANGLES, ANGLES)


@given(st.sampled_from([CROOKED, NO_AXIS]), POSITION_J, st.sampled_from(['tip', 'hand', 'lower']))
def test_a_frame_is_where_the_urdf_puts_it(urdf, position_J, frame):
    """Catches another order of roll, pitch and yaw, an axis in the wrong frame, a lost link."""
    found_m_3 = FramePosition(urdf, ROBOT, frame).positions_m(np.array([position_J]))[0]
    expected = expected_position(urdf, frame, dict(zip(ROBOT.joint_names, position_J)))
    assert np.abs(found_m_3 - expected).max() < 1e-9


@settings(max_examples=20)
@given(st.tuples(*[st.floats(-1.5, 1.5)] * 6))
def test_the_so101_is_where_its_urdf_and_its_mjcf_put_it(so101, position_J):
    """Catches joints taken in the URDF's order, and meshes that would be looked for."""
    frame, position = 'gripper_frame_link', dict(zip(so101.joint_names, position_J))
    found_m_3 = FramePosition(SO101, so101, frame).positions_m(np.array([position_J]))[0]
    assert np.abs(found_m_3 - expected_position(SO101, frame, position)).max() < 1e-9
    assert np.abs(found_m_3 - site_position(position)).max() < 1e-4  # one CAD, rounded twice


def site_position(position: dict) -> np.ndarray:
    spec = mujoco.MjSpec.from_file(str(shipped_scene().model))
    for part in [*spec.geoms, *spec.meshes]:
        spec.delete(part)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, value in position.items():
        data.joint(name).qpos = value
    mujoco.mj_kinematics(model, data)
    return data.site('gripperframe').xpos


def test_masses_meshes_and_macros_do_not_matter():
    """Catches a robot refused for what has no part in where it is."""
    clutter = ('<mujoco><compiler meshdir="/nowhere"/></mujoco><gazebo><x/></gazebo>'
               '<link name="far"><inertial><mass value="-1"/></inertial><visual><geometry>'
               '<mesh filename="package://nowhere/x.dae"/></geometry></visual></link>')
    urdf = ARM.replace('<robot name="r">', '<robot name="r" version="1.2">' + clutter)
    urdf = urdf.replace('<link name="hand"/>', '<link name="hand"><inertial/></link>')
    position_m_13 = FramePosition(urdf, ROBOT, 'tip').positions_m(np.zeros((1, 3)))
    assert np.abs(position_m_13 - [0.6, 0, 0.4]).max() < 1e-12


@pytest.mark.parametrize('urdf, frame, complaint', [
    (ARM, 'hnad', r"no link 'hnad'; it has \['base', 'hand', 'lower', 'tip', 'upper', 'world'\]"),
    (ARM, 'base', "no joint of the robot moves 'base'"),
    (ARM, 'world', "no joint of the robot moves 'world'"),
    (robot_of(SHOULDER, ELBOW), 'lower', "no joint 'gripper'"),
    (robot_of(SHOULDER, ELBOW, GRIPPER, joint('free', 'hand', 'tip', 'floating')), 'tip',
     "joint 'free': its type in the URDF is 'floating'"),
    (ARM.replace('"tip" type="fixed">', '"tip" type="revolute"><mimic joint="elbow"/>'), 'tip',
     "joint 'tip' mimics"),
    (robot_of(SHOULDER, ELBOW, GRIPPER, joint('x', 'base', 'hand')), 'hand', "'hand' has two"),
    (robot_of(SHOULDER, ELBOW, GRIPPER, joint('x', 'hand', 'base')), 'hand', 'MuJoCo cannot'),
    (ARM.replace('<link name="upper"/>', ''), 'hand', 'MuJoCo cannot read the URDF'),
    (ARM.replace('<parent link="upper"/>', ''), 'hand', "joint 'elbow': .* no parent link"),
    (ARM.replace('xyz="0.3 0 0"', 'xyz="0.3 0"'), 'hand', 'MuJoCo cannot read the URDF'),
    (ARM.replace('xyz="0.3 0 0"', 'xyz="inf 0 0"'), 'hand', 'not finite'),
    (ARM.replace('rpy="0 0 0"', 'quat_xyzw="0 0 1 0"'), 'hand', "got .'quat_xyzw', 'xyz'"),
    ('<!DOCTYPE robot>' + ARM, 'hand', 'DOCTYPE'),
])
def test_a_frame_that_is_nowhere_is_refused(urdf, frame, complaint):
    """Catches a box that checks something else than was meant, or nothing."""
    with pytest.raises(SpecError, match=complaint):
        FramePosition(urdf, ROBOT, frame)


def test_mujoco_is_loaded_for_a_box_only():
    """Catches a node without a box that needs MuJoCo installed."""
    code = 'import sys, trimodal_ros.command.workspace; assert "mujoco" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('lower, upper, complaint', [
    ([0, 0, 1], [1, 1, 1], 'is not below'), ([0, 0, np.nan], [1, 1, 1], 'is not below'),
    ([0, 0], [1, 1], 'expected x, y, z'), (0, 1, 'expected x, y, z')])
def test_a_box_without_room_is_refused(lower, upper, complaint):
    """Catches sides mixed up, which would hold the robot for ever."""
    with pytest.raises(SpecError, match=f"workspace of 'tip': .*{complaint}"):
        WorkspaceBox(ARM, ROBOT, 'tip', lower, upper)


# -- trajectories


def moving(*position_TJ, velocity_TJ=None) -> Trajectory:
    """Return a trajectory of the example robot with a point every 0.1 s."""
    return Trajectory(ROBOT, 0, 0.1 * (1 + np.arange(len(position_TJ))), position_TJ, velocity_TJ)


def box(lower=-INFINITE, upper=INFINITE, frame='tip') -> WorkspaceBox:
    return WorkspaceBox(ARM, ROBOT, frame, lower, upper)


def test_a_box_has_sides_where_they_are_given():
    """Catches lower for upper, an axis for another, and a box in another frame than the root's."""
    straight = moving([0, 0, 0], [0.1, 0, 0])  # y of the tip: 0, then 0.6 sin 0.1 = 0.0599 m
    box([0, -0.01, 0.39], [0.61, 0.0600, 0.41]).check(straight)
    with pytest.raises(LimitError, match=r"frame 'tip', 0.20 s: y = 0.060 m is outside "
                                         r'\[-0.01, 0.0598\] m') as caught:
        box([0, -0.01, 0.39], [0.61, 0.0598, 0.41]).check(straight)
    assert (caught.value.kind, caught.value.joint) == ('workspace', 'tip')


def test_the_way_between_points_counts():
    """Catches a swing through a wall whose points are both in the room."""
    swing = moving([-0.5, 0, 0], [0.5, 0, 0])  # x of the tip: 0.527, 0.6 half-way, 0.527 m
    box(upper=[0.601, 1, 1]).check(swing)
    with pytest.raises(LimitError, match='x = 0.5[89]. m is outside'):
        box(upper=[0.58, 1, 1]).check(swing)


def test_the_way_is_the_controllers_cubic():
    """Catches a straight line looked at where velocities make the controller swing out."""
    rests = np.zeros((2, 3))
    swings = np.array([[9.0, 0, 0], [-9.0, 0, 0]])  # out to 9 * 0.1 / 4 = 0.225 rad and back
    limited = box(upper=[1, 0.1, 1])
    limited.check(moving([0, 0, 0], [0, 0, 0], velocity_TJ=rests))
    with pytest.raises(LimitError, match='y = 0.1'):
        limited.check(moving([0, 0, 0], [0, 0, 0], velocity_TJ=swings))


def test_a_robot_outside_may_come_back_and_go_no_further():
    """Catches a robot held for ever where it must not be, and one that leaves from there."""
    limited = box(upper=[1, 0.1, 1])  # y at 0.4 rad is 0.234 m, at 0 rad 0
    limited.check(moving([0.4, 0, 0], [0.2, 0, 0], [0, 0, 0]))
    limited.check(moving([0.4, 0, 0]))
    with pytest.raises(LimitError, match=r'y = 0.2.. m is outside \[-inf, 0.1\] m'):
        limited.check(moving([0.4, 0, 0], [0.41, 0, 0]))
    with pytest.raises(LimitError, match='x ='):  # another side is no freer for it
        box(upper=[0.56, 0.1, 1]).check(moving([0.4, 0, 0], [0.2, 0, 0]))


def test_a_robot_outside_may_move_along_the_side(so101):
    """Catches a robot held because its pan leaves the height as it is only to five digits."""
    high = WorkspaceBox(SO101, so101, 'gripper_frame_link', [-9, -9, 0.5], [9, 9, 9])
    pan_TJ = np.linspace([-1, 0.3, 0.2, 0.1, 0.4, 0], [1, 0.3, 0.2, 0.1, 0.4, 0], 8)
    high.check(Trajectory(so101, 0, 0.1 * np.arange(8), pan_TJ))


@pytest.mark.parametrize('far', [20.0, 1e9, 1e300])
def test_a_trajectory_too_long_to_look_at_is_refused(far):
    """Catches a policy gone wild that keeps the node sampling for minutes."""
    with pytest.raises(LimitError, match=f'more than {LONGEST_M} m'):
        box().check(moving([0, 0, 0], [far, 0, 0]))


NEAR_J = st.tuples(*[st.floats(-0.5, 0.5)] * 3)
VELOCITY_J = st.tuples(*[st.floats(-4, 4)] * 3)


@settings(max_examples=50)
@given(st.sampled_from([ARM, CROOKED]), st.tuples(NEAR_J, NEAR_J),
       st.none() | st.tuples(VELOCITY_J, VELOCITY_J))
@example(ARM, ((0, 0, 1), (0.5, 0, 1)), None)    # stretched: the bound is nearly the motion
@example(ARM, ((0, 0, 0), (0, 0.5, 0.5)), None)
@example(ARM, ((0, 0, 1), (0, 0, 1)), ((4, 0, 0), (-4, 0, 0)))
@example(ARM, ((0, 0, 0), (0, 0, 0)), ((0, 0, 4), (0, 0, -4)))
def test_nothing_is_missed_by_more_than_half_a_step(urdf, position_TJ, velocity_TJ):
    """Catches a bound on the motion that forgets a joint, a length or the cubic's swing."""
    tip = FramePosition(urdf, ROBOT, 'tip')
    trajectory = moving(*position_TJ, velocity_TJ=velocity_TJ)
    _, seen = frame_path(tip, trajectory)
    assert np.linalg.norm(np.diff(seen, axis=0), axis=1).max() <= STEP_M + 1e-9
    v0, v1 = (None, None) if velocity_TJ is None else trajectory.velocity_TJ
    p0, p1 = trajectory.position_TJ
    way = tip.positions_m(np.array([interpolate(time_s, 0.1, p0, v0, p1, v1)[0]
                                    for time_s in np.linspace(0, 0.1, 500)]))
    away_m = np.linalg.norm(way[:, None] - seen, axis=2).min(axis=1)
    assert away_m.max() <= STEP_M / 2 + 1e-6
