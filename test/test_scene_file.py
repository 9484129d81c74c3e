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

"""Scene YAMLs: what is wrong in one is told with its line, and what to write."""

import numpy as np
import pytest

from trimodal_ros.paths import shipped
from trimodal_ros.sim.model import robot_model
from trimodal_ros.sim.scene_file import read_scene, read_tabletop
from trimodal_ros.spec import SpecError

URDF = """
<robot name="two_links">
  <link name="base"><inertial><mass value="1"/>
    <inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="arm"><inertial><mass value="1"/>
    <inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><mesh filename="{mesh}"/></geometry></collision></link>
  <joint name="turn" type="revolute"><parent link="base"/><child link="arm"/>
    <axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
</robot>
"""
ROBOT = """
robot: two_links
rate_hz: 10
horizon: 8
joints: [{name: turn, lower_rad: -1, upper_rad: 1, velocity_rad_s: 1, acceleration_rad_s2: 5}]
cameras: {eye: {topic: eye/image_raw, width: 64, height: 48}}
"""
SCENE = """
robot: robot.yaml
model: two_links.urdf
servos: [{joints: turn, stiffness: 10, damping: 1, force: 5}]
home: {turn: 0.5}
cameras: {eye: {width: 64, height: 48, from_m: [1, 0, 1], at_m: [0, 0, 0]}}
"""


@pytest.fixture
def write(tmp_path):
    """Write a robot with a URDF and a scene of it, changed, and return the scene's path."""
    def write_changed(*changes: tuple[str, str], robot: str = ROBOT):
        text = SCENE
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (tmp_path / 'robot.yaml').write_text(robot)
        mesh = shipped_mesh()
        (tmp_path / 'two_links.urdf').write_text(URDF.format(mesh=f'meshes/{mesh.name}'))
        (tmp_path / 'meshes').mkdir(exist_ok=True)
        (tmp_path / 'meshes' / mesh.name).write_bytes(mesh.read_bytes())
        (tmp_path / 'scene.yaml').write_text(text)
        return tmp_path / 'scene.yaml'
    return write_changed


def shipped_mesh():
    return next((read_scene(shipped().scene).model.parent / 'assets').glob('*.stl'))


def test_an_arm_of_ones_own_is_a_urdf_and_two_yamls(write):
    """Catches a URDF's meshes looked for elsewhere, its links melted together, no servo."""
    scene = read_scene(write())
    model = robot_model(scene).compile()
    assert model.nu == 1 and model.body('arm').id and model.nmesh == 1
    assert scene.home_D.tolist() == [0.5] and model.actuator('turn').ctrlrange.tolist() == [-1, 1]
    assert not model.geom_contype.any()


def test_tasks_need_a_table(write):
    """Catches episodes that break in every worker where there is nothing to be put anywhere."""
    with pytest.raises(SpecError, match='scene.yaml: no tabletop'):
        read_tabletop(write())


@pytest.mark.parametrize('before, after, complaint', [
    ('servos:', 'servo:', r"scene.yaml:4: scene: unknown key 'servo'.*did you mean 'servos'"),
    ('joints: turn', 'joints: twist', r"scene.yaml:4: servos: got none for joint 'turn'"),
    ('joints: turn', 'joints: "("', r'servos\[0\]: joints: got .*, expected a regular expression'),
    ('stiffness: 10', 'stiffness: 0', r'scene.yaml:4: .*stiffness: got 0, expected .* above 0'),
    ('turn: 0.5', 'turn: 50', r'scene.yaml:5: home: turn: got 50, expected .*\[-1, 1\] rad'),
    ('turn: 0.5', 'twist: 0.5', r"unknown key 'twist'"),
    ('{eye:', '{nose:', r"scene.yaml:6: cameras: got \['nose'\], expected 'eye'"),
    ('[1, 0, 1]', '[1, 0]', r'scene.yaml:6: .*from_m: got \[1, 0\], expected 3 numbers'),
    ('two_links.urdf', 'none.urdf', r'scene.yaml:3: model: no file .*none.urdf'),
    ('two_links.urdf', 'package://robosuit/robot.xml', 'scene.yaml:3: model: .*make robots'),
])
def test_what_is_wrong_is_told_with_its_line(write, before, after, complaint):
    """Catches a misspelt key that falls back to a default, and an error that names no line."""
    with pytest.raises(SpecError, match=complaint):
        read_scene(write((before, after)))


@pytest.mark.parametrize('before, after, complaint', [
    ('home:', 'joints: {turn: twist}\nhome:', "the model has no joint 'twist'; it has turn"),
    ('home:', 'remove: [leg]\nhome:', "the model has no body 'leg'; it has .*arm"),
    ('home:', 'contacts: {geoms: [pad], condim: 4, friction: [1, 1, 1], solref: [0.1, 1]}\nhome:',
     "the model has no geom 'pad'"),
])
def test_names_that_the_model_lacks_are_told(write, before, after, complaint):
    """Catches a traceback out of MuJoCo for a name mistyped in the scene."""
    with pytest.raises(SpecError, match=complaint):
        robot_model(read_scene(write((before, after))))


def test_compressed_camera_is_refused(write):
    """Catches a topic on which the simulator would send what nobody can decode."""
    robot = ROBOT.replace('eye/image_raw', 'eye/image_raw/compressed')
    with pytest.raises(SpecError, match='expected raw images'):
        read_scene(write(robot=robot))


def test_fingers_move_together(write):
    """Catches a factor applied twice or not at all between spec, driver and model."""
    robot = ROBOT.replace('acceleration_rad_s2: 5}', 'acceleration_rad_s2: 5, gripper: parallel, '
                          'fingers: {left: 0.5, right: -0.5}}')
    scene = read_scene(write(
        ('joints: turn', 'joints: "left|right"'),
        ('home:', 'joints: {left: {turn: 2.0}, right: {turn: -2.0}}\nhome:'), robot=robot))
    assert scene.driver_joints == ('left', 'right')
    assert scene.home_D.tolist() == [0.25, -0.25]
    assert [scene.drives[name]['turn'] for name in scene.driver_joints] == [2.0, -2.0]
    assert np.allclose(scene.range_of('right'), [-0.5, 0.5])
