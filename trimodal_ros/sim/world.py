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

"""A scene in MuJoCo: the robot, what stands around it, and its cameras."""

from __future__ import annotations

import mujoco
import numpy as np

from .layout import Layout
from .model import robot_model
from .scene import Scene, SceneCamera
from .tabletop import add_things, Table

PHYSICS_STEP_S = 0.004


def build_model(scene: Scene) -> mujoco.MjModel:
    """Compile the scene; all sizes and colours are fixed, poses are set later."""
    spec = robot_model(scene)
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
    if scene.table:
        world.add_geom(name='table', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3.0, 3.0, 0.1],
                       rgba=[0.55, 0.50, 0.45, 1.0])
    if scene.tabletop is not None:
        add_things(world)
    for box in scene.boxes:
        world.add_geom(name=box.name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=box.position_m,
                       size=np.array(box.edges_m) / 2, rgba=box.rgba, contype=0, conaffinity=0)
    for camera in scene.cameras:
        if not camera.of_model:
            _add_camera(spec, camera)
    return spec.compile()


def _add_camera(spec: mujoco.MjSpec, camera: SceneCamera) -> None:
    body, eye = spec.body(camera.body), np.array(camera.from_m)
    if camera.at_m is None:
        body.add_camera(name=camera.name, pos=eye, fovy=camera.fovy_deg)
        return
    target = np.array(camera.at_m)
    z = (eye - target) / np.linalg.norm(eye - target)
    x = np.cross([0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([x, np.cross(z, x), z], axis=1).ravel())
    body.add_camera(name=camera.name, pos=eye, quat=quat, fovy=camera.fovy_deg)


class World:
    """
    The physics and the cameras.

    Suffix D: the joints as the robot's driver has them, in rad or m. ``table`` is the tabletop
    task's, None in a scene without it.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        self.model = build_model(scene)
        self.data = mujoco.MjData(self.model)
        tabletop = scene.tabletop
        self.table = tabletop and Table(self.model, self.data, tabletop.jaws)
        self.joint_names = scene.driver_joints
        drives = [scene.drives[name] for name in self.joint_names]
        first = [self.model.joint(next(iter(joints))) for joints in drives]
        self._position_D = [joint.qposadr[0] for joint in first]
        self._velocity_D = [joint.dofadr[0] for joint in first]
        self._factor_D = np.array([next(iter(joints.values())) for joints in drives])
        # Of every servo of the model: whose it is, its joint and its factor.
        self._driver_A = [index for index, joints in enumerate(drives) for _ in joints]
        self._position_A = [self.model.joint(name).qposadr[0]
                            for joints in drives for name in joints]
        self._factor_A = np.array([factor for joints in drives for factor in joints.values()])
        self._renderers = {}

    def reset(self, position_D: np.ndarray, layout: Layout | None = None) -> None:
        """Put the robot at rest at ``position_D``, and lay the table if there is one."""
        mujoco.mj_resetData(self.model, self.data)
        target_A = position_D[self._driver_A] * self._factor_A
        self.data.qpos[self._position_A] = target_A
        self.data.ctrl[:] = target_A
        if self.table is not None:
            self.table.lay(layout)
        mujoco.mj_forward(self.model, self.data)

    def step(self, command_D: np.ndarray) -> None:
        """
        Advance by one physics step with the servos' targets at ``command_D``.

        A servo bus cannot carry a NaN: such a joint keeps its last target.
        """
        target_A = command_D[self._driver_A] * self._factor_A
        self.data.ctrl[:] = np.where(np.isfinite(target_A), target_A, self.data.ctrl)
        mujoco.mj_step(self.model, self.data)

    @property
    def position_D(self) -> np.ndarray:
        return self.data.qpos[self._position_D] / self._factor_D

    @property
    def velocity_D(self) -> np.ndarray:
        return self.data.qvel[self._velocity_D] / self._factor_D

    def render(self, camera: str) -> np.ndarray:
        """Return what a camera sees now, RGB uint8 [H, W, 3]."""
        seen = self.scene.camera(camera)
        renderer = self._renderers.get((seen.width, seen.height))
        if renderer is None:
            renderer = mujoco.Renderer(self.model, seen.height, seen.width)
            for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION,
                         mujoco.mjtRndFlag.mjRND_SKYBOX, mujoco.mjtRndFlag.mjRND_HAZE):
                renderer.scene.flags[flag] = False
            self._renderers[seen.width, seen.height] = renderer
        renderer.update_scene(self.data, seen.of_model or camera)
        return renderer.render().copy()

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
