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

"""What stands on the table of the tabletop task, and when the task is done."""

from __future__ import annotations

from collections.abc import Iterable

import mujoco
import numpy as np

from .layout import Layout, OBJECTS, PLACES, Task
from .model import TOOL_SITE

CUBE_HALF_M = 0.015
CUBE_MASS_KG = 0.030
PLATE_RADIUS_M = 0.045
PLATE_HALF_HEIGHT_M = 0.003
PARKED_M = 2.0             # where the cube that is not in the scene lies, behind the camera
AT_REST_M_S = 0.02
COLOURS = {'red cube': (0.85, 0.10, 0.10), 'green cube': (0.10, 0.65, 0.15),
           'blue cube': (0.10, 0.25, 0.90), 'yellow cube': (0.95, 0.85, 0.10)}


def add_things(world) -> None:
    """Add cubes and plates to a world body; their poses are set by ``Table.lay``."""
    for name in PLACES:
        _add_plate(world, name)
    for name in OBJECTS:
        _add_cube(world, name)


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


class Table:
    """The cubes and plates in a running simulation; ``jaws`` are the bodies that hold a cube."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, jaws: tuple[str, ...]):
        self.model, self.data = model, data
        self._table_id = model.geom('table').id
        self._jaw_ids = [model.body(name).id for name in jaws]

    def lay(self, layout: Layout) -> None:
        """Put everything where ``layout`` says, at rest."""
        for index, name in enumerate(OBJECTS):
            x, y, yaw = layout.cubes.get(name, (PARKED_M, 0.2 * index, 0.0))
            address = self.model.joint(name).qposadr[0]
            self.data.qpos[address:address + 7] = [
                x, y, CUBE_HALF_M, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        for name, (x, y) in layout.plates.items():
            self.data.mocap_pos[self.model.body(name).mocapid[0]] = [x, y, PLATE_HALF_HEIGHT_M]

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

    def account(self, cubes: Iterable[str]) -> str:
        """Return which of the cubes lies on which plate, released and at rest, as one line."""
        left, told = sorted(cubes), []
        for place in PLACES:
            on_it = [cube for cube in left if self.is_done(Task(cube, place))]
            left = [cube for cube in left if cube not in on_it]
            told.append(f'{place}: {", ".join(on_it) or "nothing"}')
        return '; '.join([*told, f'elsewhere: {", ".join(left) or "nothing"}'])

    def _touches_jaw(self, cube: str) -> bool:
        cube_id = self.model.geom(cube).id
        for contact in self.data.contact[:self.data.ncon]:
            pair = {contact.geom1, contact.geom2}
            if cube_id in pair and self._table_id not in pair:
                other = (pair - {cube_id}).pop()
                if self.model.geom_bodyid[other] in self._jaw_ids:
                    return True
        return False
