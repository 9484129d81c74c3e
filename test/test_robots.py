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

"""The shipped robots: their YAMLs beside their models, and simulated, commanded and heard."""

from dataclasses import replace
from functools import cache

import graph  # noqa: F401 - first: it skips where there is no ROS

# isort: split
import numpy as np
import pytest
import yaml

from benchmarks.robots import CountingRobot, run_lockstep, scene_files, SEED
from benchmarks.untrained import save_untrained
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.controller_file import read_controllers
from trimodal_ros.sim.layout import make_layout
from trimodal_ros.sim.lockstep import run_episode, START_NS
from trimodal_ros.sim.rollout import PolicyPlanner
from trimodal_ros.sim.scene_file import INSTALL, read_scene
from trimodal_ros.spec import NS_PER_S, RobotSpec, SpecError
from trimodal_ros.spec.graph.controllers import judge_controller
from trimodal_ros.spec.graph.seen import Endpoint, Seen, TRAJECTORY
from trimodal_ros.spec.urdf import apply_urdf_limits
from trimodal_ros.spec.urdf_file import find_urdf

SCENES = {path.stem: path for path in scene_files()}
# Every parameter of a joint_trajectory_controller of Jazzy that the shipped files set, with its
# type, from which rclcpp takes no other, no 1 for a 1.0
# (joint_trajectory_controller_parameters.yaml of ros2_controllers).
PARAMETERS = {'joints': list, 'command_interfaces': list, 'state_interfaces': list,
              'allow_partial_joints_goal': bool, 'interpolate_from_desired_state': bool,
              'allow_nonzero_velocity_at_trajectory_end': bool, 'cmd_timeout': float,
              'gains': dict}
GAINS = {'p': float, 'd': float}
ROUNDED = 1e-4    # as datasheets and URDFs are
MOVE = 0.05       # of a joint's range
PIXELS_STD = 8.0  # of an image with anything in it


@cache
def scene_of(name: str):
    try:
        return read_scene(SCENES[name])
    except SpecError as error:
        if INSTALL not in str(error):
            raise
        pytest.skip(INSTALL)


@pytest.fixture(scope='module', params=SCENES)
def scene(request):
    return scene_of(request.param)


@pytest.fixture(scope='module')
def robot(scene):
    """One simulated robot for all tests of a scene: each resets it."""
    simulated = CountingRobot(scene)
    yield simulated
    simulated.world.close()


def reset(robot) -> None:
    robot.reset(make_layout(SEED) if robot.scene.tabletop else None, START_NS)


# -- YAMLs beside models and controllers


def test_each_robot_has_its_scene_and_controllers():
    """Catches a robot that is shipped without what it is tried out and brought up with."""
    config = SCENES['panda'].parents[1]
    assert set(SCENES) == {path.stem for path in (config / 'controllers').glob('*.yaml')}
    assert {'so101', 'ur5e', 'panda', 'fr3', 'aloha'} == set(SCENES)
    assert all((config / 'robots' / path.name).is_file() for path in SCENES.values())


def test_limits_are_the_model_s(robot):
    """Catches a limit mistyped, of another joint, in degrees or of the wrong finger."""
    for joint in robot.scene.robot.joints:
        for finger in joint.driven:
            name, factor = next(iter(robot.scene.drives[finger.joint].items()))
            stops = np.array(robot.world.model.joint(name).range)
            told = np.sort(finger.factor * factor * np.array([joint.lower, joint.upper]))
            assert (told >= stops[0] - ROUNDED).all() and (told <= stops[1] + ROUNDED).all(), name
            # The model of a joint that turns freely, or of a relative, may go further.
            assert np.ptp(told) > 0.9 * np.ptp(stops), name


def test_a_second_source_has_the_same_limits():
    """Catches a UR5e with the limits of the UR5 that stands in for it, where they differ."""
    import mujoco
    scene = scene_of('ur5e')
    model = mujoco.MjModel.from_xml_path(str(find_urdf(
        'package://robosuite/models/assets/robots/ur5e/robot.xml', scene.path.parent)))
    for joint in scene.robot.joints[:-1]:
        assert np.abs(model.joint(joint.name).range - [joint.lower, joint.upper]).max() < ROUNDED


def test_urdf_tightens_nothing(scene):
    """Catches a YAML that allows more than the robot's own description, in any limit."""
    if scene.urdf is None:
        pytest.skip('no PyPI package has its URDF')
    arm = scene.robot
    try:
        limited = apply_urdf_limits(arm, scene.urdf.read_text())
    except SpecError as error:   # the URDF is the arm's, its gripper is bought apart
        assert arm.joints[-1].name in str(error) and arm.joints[-1].gripper
        arm = replace(arm, joints=arm.joints[:-1], controllers=())
        limited = apply_urdf_limits(arm, scene.urdf.read_text())
    for before, after in zip(arm.joints, limited.joints):
        for limit in ('lower', 'upper', 'velocity', 'acceleration'):
            assert getattr(after, limit) == pytest.approx(getattr(before, limit), abs=ROUNDED)


def test_controller_file_plays_what_the_robot_is_sent(scene):
    """Catches a controller of another name, order or rule than the robot YAML counts on."""
    groups = scene.robot.groups
    assert len(scene.controllers) == len(groups)
    for controller, group in zip(scene.controllers, groups):
        joints = tuple(joint.driven[0].joint for joint in scene.robot.only(group.joints).joints)
        assert controller.joints == joints
        parameters = controller.parameters
        assert all(type(value) is PARAMETERS[name] for name, value in parameters.items())
        # Efforts are followed by gains, positions by the hardware.
        follows = {'effort': set(joints), 'position': set()}
        gains = parameters.get('gains', {})
        assert set(gains) == follows[parameters['command_interfaces'][0]]
        assert all(type(value) is GAINS[name] for each in gains.values()
                   for name, value in each.items())
        assert controller.rules == {
            'interpolate_from_desired_state': True, 'allow_partial_joints_goal': False,
            'allow_nonzero_velocity_at_trajectory_end': False}
        if scene.robot.controllers:
            assert group.name == controller.name
            assert group.topic == f'{controller.name}/joint_trajectory'


@pytest.mark.parametrize('name', SCENES)
def test_shipped_controllers_pass_spec_check(name):
    """Catches a controller YAML that is shipped, and called wrong by the package's own check."""
    robot = RobotSpec.from_yaml(SCENES[name].parents[1] / 'robots' / f'{name}.yaml')
    nodes = yaml.safe_load((SCENES[name].parents[1] / 'controllers' / f'{name}.yaml').read_text())
    for group in robot.groups:
        told = nodes[group.name]['ros__parameters']
        told |= {f'gains.{joint}.{name}': value for joint, gains in told.pop('gains', {}).items()
                 for name, value in gains.items()}   # as its node has them
        seen = Seen(1.0, subscribers={group.topic: [Endpoint(f'/{group.name}', TRAJECTORY)]},
                    parameters={f'/{group.name}': told})
        findings = list(judge_controller(robot, group, seen))
        assert {'command_interfaces', 'state_interfaces', 'joints'} <= {
            each.about for each in findings}
        assert not [each for each in findings if each.severity in ('error', 'warning')]


def test_controller_file_without_its_parameters_is_refused(tmp_path):
    """Catches a traceback, or rules quietly taken for the defaults."""
    path = tmp_path / 'controllers.yaml'
    path.write_text('controller_manager:\n  ros__parameters:\n    arm: {type: '
                    'joint_trajectory_controller/JointTrajectoryController}\n')
    with pytest.raises(SpecError, match='no arm: ros__parameters'):
        read_controllers(path)
    path.write_text('update_rate: 100\n')
    with pytest.raises(SpecError, match='no controller_manager'):
        read_controllers(path)


def test_robot_survives_a_checkpoint(scene):
    """Catches a field lost on the way through config.json."""
    assert RobotSpec.from_dict(scene.robot.to_dict()) == scene.robot


# -- in simulation


def test_robot_rests_at_home(robot):
    """Catches servos too weak for the arm, or gravity that pulls it down."""
    reset(robot)
    home_D = robot.world.position_D
    robot.advance(START_NS + NS_PER_S)
    assert np.abs(robot.world.position_D - home_D).max() < 0.01


def test_cameras_see_something_and_not_the_same(robot):
    """Catches a camera in a wall or in the dark, and two topics with one camera."""
    reset(robot)
    images = [robot.world.render(camera.name).astype(float)
              for camera in robot.scene.robot.cameras]
    assert all(image.std() > PIXELS_STD for image in images)
    rows = {image[::len(image) // 8].tobytes() for image in images}
    assert len(rows) == len(images)


def test_a_command_moves_its_joint_and_no_other(robot):
    """Catches joints of model and driver exchanged, and a finger that goes the wrong way."""
    for group in robot.scene.robot.groups:
        for index, joint in enumerate(robot.scene.robot.only(group.joints).joints):
            reset(robot)
            before_D = robot.world.position_D
            middle = (joint.lower + joint.upper) / 2
            change = MOVE * (joint.upper - joint.lower) * joint.driven[0].factor
            start = before_D[robot.joint_names.index(joint.driven[0].joint)]
            change *= 1 if start / joint.driven[0].factor < middle else -1
            robot.command(group.topic, goal(robot, group, index, change))
            robot.advance(START_NS + 2 * NS_PER_S)
            moved_D = robot.world.position_D - before_D
            expected_D = np.zeros(len(moved_D))
            for finger in joint.driven:
                expected_D[robot.joint_names.index(finger.joint)] = (
                    change * finger.factor / joint.driven[0].factor)
            assert np.abs(moved_D - expected_D).max() < 0.2 * np.abs(expected_D).max(), joint.name
    assert not robot.refused


def goal(robot, group, index: int, change: float):
    """Return a message that moves one joint of a controller within a second."""
    controller = robot.controllers[group.topic]
    position = controller.reference(robot.now_ns).position_J.copy()
    position[index] += change
    return BAG_TYPES.JointTrajectory(
        header=BAG_TYPES.header(0), joint_names=list(controller.joint_names),
        points=[BAG_TYPES.JointTrajectoryPoint(
            positions=position, velocities=np.zeros(len(position)), accelerations=np.array([]),
            effort=np.array([]), time_from_start=BAG_TYPES.Duration(sec=1, nanosec=0))])


def test_random_chunks_are_refused_by_no_controller(robot):
    """Catches a message that ros2_control would drop with one line in its log: the joints of
    another controller, a gripper's own name, a velocity at the end.
    """
    robot.sent, robot.refused, robot.commanded = 0, [], []
    found = run_lockstep(robot, steps=40)
    assert not robot.refused and found.sent >= 6 * len(robot.scene.robot.groups)
    assert found.least_travel > 0.01
    for joint in robot.scene.robot.joints:
        if joint.gripper:
            told = np.array(robot.commanded)[:, robot.joint_names.index(joint.driven[0].joint)]
            assert np.ptp(told) > 0.15 * np.ptp(robot.scene.range_of(joint.driven[0].joint))


def test_untrained_policy_drives_each_robot(robot, tmp_path):
    """Catches a robot whose checkpoint can't be saved, loaded or planned with."""
    spec = robot.scene.robot
    policy = load_checkpoint(save_untrained(tmp_path / 'untrained', spec), robot=spec)
    robot.sent, robot.refused, robot.commanded = 0, [], []
    layout = make_layout(SEED) if robot.scene.tabletop else None
    run_episode(robot, spec, layout, 'go', PolicyPlanner(policy, 4), max_steps=6)
    assert robot.sent and not robot.refused
