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

"""The table top in MuJoCo: the arm, four cubes, two plates, two cameras."""

from __future__ import annotations

import mujoco
import numpy as np

from .arm import arm_spec, TOOL_SITE
from .layout import Layout, OBJECTS, PLACES, Task

PHYSICS_STEP_S = 0.004
CUBE_HALF_M = 0.015
CUBE_MASS_KG = 0.030
PLATE_RADIUS_M = 0.045
PLATE_HALF_HEIGHT_M = 0.003
PARKED_M = 2.0             # where the cube that is not in the scene lies, behind the camera
AT_REST_M_S = 0.02
COLOURS = {'red cube': (0.85, 0.10, 0.10), 'green cube': (0.10, 0.65, 0.15),
           'blue cube': (0.10, 0.25, 0.90), 'yellow cube': (0.95, 0.85, 0.10)}


def build_model() -> mujoco.MjModel:
    """Compile the arm on its table; all sizes and colours are fixed, poses are set later."""
    spec = arm_spec()
    spec.option.timestep = PHYSICS_STEP_S
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0
    spec.visual.headlight.ambient = [0.45, 0.45, 0.45]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
    spec.visual.map.znear = 0.005
    world = spec.worldbody
    world.add_light(pos=[0.3, 0.3, 1.2], dir=[-0.1, -0.25, -1.0], diffuse=[0.4, 0.4, 0.4])
    world.add_geom(name='table', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3.0, 3.0, 0.1],
                   rgba=[0.55, 0.50, 0.45, 1.0])
    for name in PLACES:
        _add_plate(world, name)
    for name in OBJECTS:
        _add_cube(world, name)
    _add_cameras(spec)
    return spec.compile()


def _add_plate(world, name: str) -> None:
    plate = world.add_body(name=name, mocap=True)
    plate.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, rgba=[0.95, 0.95, 0.95, 1.0],
                   size=[PLATE_RADIUS_M, PLATE_HALF_HEIGHT_M, 0.0])


def _add_cube(world, name: str) -> None:
    cube = world.add_body(name=name)
    cube.add_freejoint(name=name)
    cube.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[CUBE_HALF_M] * 3,
                  mass=CUBE_MASS_KG, rgba=[*COLOURS[name], 1.0], condim=4,
                  friction=[1.0, 0.01, 0.001], solref=[0.01, 1.0])


def _add_cameras(spec: mujoco.MjSpec) -> None:
    eye, target = np.array([0.56, 0.0, 0.42]), np.array([0.18, 0.0, 0.015])
    z = (eye - target) / np.linalg.norm(eye - target)
    x = np.cross([0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([x, np.cross(z, x), z], axis=1).ravel())
    spec.worldbody.add_camera(name='front', pos=eye, quat=quat, fovy=36.0)
    spec.body('gripper').add_camera(name='wrist', pos=[0.0, 0.06, -0.015], fovy=75.0)


class World:
    """The physics and the cameras; joint positions in the order the arm's model has them."""

    def __init__(self):
        self.model = build_model()
        self.data = mujoco.MjData(self.model)
        self.joint_names = tuple(self.model.actuator(i).name for i in range(self.model.nu))
        self._joint_address_J = [self.model.joint(name).qposadr[0] for name in self.joint_names]
        self._velocity_address_J = [self.model.joint(n).dofadr[0] for n in self.joint_names]
        self._renderers = {}

    def reset(self, layout: Layout, position_J: np.ndarray) -> None:
        """Lay the table as ``layout`` says with the arm at rest at ``position_J`` (rad)."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._joint_address_J] = position_J
        self.data.ctrl[:] = position_J
        for index, name in enumerate(OBJECTS):
            x, y, yaw = layout.cubes.get(name, (PARKED_M, 0.2 * index, 0.0))
            address = self.model.joint(name).qposadr[0]
            self.data.qpos[address:address + 7] = [
                x, y, CUBE_HALF_M, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        for name, (x, y) in layout.plates.items():
            self.data.mocap_pos[self.model.body(name).mocapid[0]] = [x, y, PLATE_HALF_HEIGHT_M]
        mujoco.mj_forward(self.model, self.data)

    def step(self, command_J: np.ndarray) -> None:
        """Advance by one physics step with the servos' targets at ``command_J`` (rad)."""
        self.data.ctrl[:] = command_J
        mujoco.mj_step(self.model, self.data)

    @property
    def position_J(self) -> np.ndarray:
        return self.data.qpos[self._joint_address_J].copy()

    @property
    def velocity_J(self) -> np.ndarray:
        return self.data.qvel[self._velocity_address_J].copy()

    def tool_position_m(self) -> np.ndarray:
        return self.data.site(TOOL_SITE).xpos.copy()

    def cube_pose(self, name: str) -> tuple[np.ndarray, float]:
        """Return the position (m) of a cube's centre and its yaw (rad)."""
        body = self.data.body(name)
        return body.xpos.copy(), float(np.arctan2(body.xmat[3], body.xmat[0]))

    def plate_position_m(self, name: str) -> np.ndarray:
        """Return the middle of the plate's upper face."""
        return self.data.body(name).xpos + [0.0, 0.0, PLATE_HALF_HEIGHT_M]

    def is_done(self, task: Task) -> bool:
        """Tell whether the named cube lies on the named plate, released and at rest."""
        position, _ = self.cube_pose(task.object)
        plate = self.plate_position_m(task.place)
        on_plate = (np.linalg.norm((position - plate)[:2]) < PLATE_RADIUS_M
                    and abs(position[2] - plate[2] - CUBE_HALF_M) < 0.005)
        velocity = self.data.joint(task.object).qvel
        at_rest = np.linalg.norm(velocity[:3]) < AT_REST_M_S
        return bool(on_plate and at_rest and not self._touches_jaw(task.object))

    def _touches_jaw(self, cube: str) -> bool:
        cube_id, table_id = self.model.geom(cube).id, self.model.geom('table').id
        arm_bodies = self.model.body('moving_jaw_so101_v1').id, self.model.body('gripper').id
        for contact in self.data.contact[:self.data.ncon]:
            pair = {contact.geom1, contact.geom2}
            if cube_id in pair and table_id not in pair:
                other = (pair - {cube_id}).pop()
                if self.model.geom_bodyid[other] in arm_bodies:
                    return True
        return False

    def render(self, camera: str, width: int, height: int) -> np.ndarray:
        """Return what a camera sees now, RGB uint8 [H, W, 3]."""
        renderer = self._renderers.get((width, height))
        if renderer is None:
            renderer = mujoco.Renderer(self.model, height, width)
            for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION,
                         mujoco.mjtRndFlag.mjRND_SKYBOX, mujoco.mjtRndFlag.mjRND_HAZE):
                renderer.scene.flags[flag] = False
            self._renderers[width, height] = renderer
        renderer.update_scene(self.data, camera)
        return renderer.render().copy()

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
