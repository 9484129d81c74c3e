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
A scripted demonstrator: a stateless plan from what is on the table to the next chunk.

It sees the simulator's state, never images. The plan moves at constant Cartesian speed and is
the same whether it is made once or anew at every step, so it can label any state a policy
reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .kinematics import Kinematics
from .layout import Task
from .tabletop import CUBE_HALF_M
from .world import World

STEP_M = 0.022             # tool travel a step
STEP_YAW_RAD = 0.2
STEP_GRIPPER_RAD = 0.18
OPEN_RAD, CLOSED_RAD = 0.65, 0.12
HOLDING_RAD = 0.31         # where the jaws stop on a cube
MISSED_RAD = 0.20          # closed further than this, they hold nothing
TRAVEL_M = 0.075           # height of the tool while it carries or goes to fetch
GRASP_M = 0.017
JAW_YAW_RAD = -np.pi / 2   # the jaws close sideways
REST_M = (0.225, 0.0, 0.078)
NEAR_M = 0.004
OVER_M = 0.010             # a held cube this near to the plate's centre may be lowered
PLACED_M = 0.018
TRACKED = 0.8              # share of the way to its command that the tool goes in a step
HELD_OFFSET_M = -0.009     # a closed jaw pushes the cube this far along the closing direction
RELEASE_M = 0.002          # height above the plate at which a cube is let go


@dataclass(frozen=True)
class Table:
    """What the demonstrator plans from: tool and jaws, one cube, one plate."""

    tool_m: np.ndarray           # commanded
    yaw: float                   # commanded
    gripper_rad: float           # commanded
    tool_measured_m: np.ndarray
    gripper_measured_rad: float
    cube_m: np.ndarray
    cube_yaw: float
    plate_m: np.ndarray

    @property
    def cube_in_jaws_m(self) -> np.ndarray:
        """The cube's centre in the tool frame: along the closing direction, across it, up."""
        x, y, z = self.cube_m - self.tool_measured_m
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([cos * x + sin * y, cos * y - sin * x, z])

    @property
    def between_jaws(self) -> bool:
        along, across, up = self.cube_in_jaws_m
        return -0.020 < along < 0.014 and abs(across) < 0.010 and abs(up) < 0.013

    @property
    def holding(self) -> bool:
        closed = self.gripper_rad < CLOSED_RAD + 0.02
        return closed and self.between_jaws and self.gripper_measured_rad > MISSED_RAD

    @property
    def placed(self) -> bool:
        offset_m = self.cube_m - self.plate_m
        on_top = abs(offset_m[2] - CUBE_HALF_M) < 2.5 * RELEASE_M
        return bool(on_top and np.linalg.norm(offset_m[:2]) < PLACED_M)

    @property
    def jaw_yaw(self) -> float:
        """The yaw at which the jaws close on two faces of the cube, nearest to sideways."""
        quarter = np.pi / 2
        return JAW_YAW_RAD + (self.cube_yaw + quarter / 2) % quarter - quarter / 2


def observe_table(world: World, kinematics: Kinematics, task: Task,
                  command_J: np.ndarray) -> Table:
    """Read the simulator's state as the demonstrator sees it."""
    cube_m, cube_yaw = world.table.cube_pose(task.object)
    return Table(tool_m=kinematics.tool_position_m(command_J), yaw=kinematics.tool_yaw(command_J),
                 gripper_rad=float(command_J[-1]), tool_measured_m=world.table.tool_position_m(),
                 gripper_measured_rad=float(world.position_D[-1]),
                 cube_m=cube_m, cube_yaw=cube_yaw,
                 plate_m=world.table.plate_position_m(task.place))


def plan(kinematics: Kinematics, table: Table, command_J: np.ndarray, steps: int) -> np.ndarray:
    """Return the next ``steps`` commanded joint positions [T, J], rad."""
    planned_TJ = []
    for _ in range(steps):
        table = _carry(table, next_table(table))
        seed_J = np.append(command_J[:-1], table.gripper_rad)
        command_J = kinematics.solve(table.tool_m, table.yaw, seed_J)
        planned_TJ.append(command_J)
    return np.array(planned_TJ)


def steps_to_go(table: Table, most: int) -> int:
    """Return in how many steps the cube would be let go on the plate; at most ``most``."""
    for step in range(most):
        is_open = table.gripper_rad >= OPEN_RAD - 0.01
        if table.placed and (is_open or not table.between_jaws):
            return step
        table = _carry(table, next_table(table))
    return most


def next_table(table: Table) -> Table:
    """Return the table after one step of the tool and the jaws, the cube where it was."""
    if table.placed:
        return _leave(table)
    if table.holding:
        return _bring(table)
    return _fetch(table)


def _fetch(table: Table) -> Table:
    closing = table.gripper_rad < OPEN_RAD - 0.01
    if table.between_jaws and (closing or table.tool_m[2] < GRASP_M + NEAR_M):
        missed = (table.gripper_rad < CLOSED_RAD + 0.02
                  and table.gripper_measured_rad <= MISSED_RAD)
        return _jaws(table, OPEN_RAD if missed else CLOSED_RAD)
    above = np.array([*table.cube_m[:2], TRAVEL_M])
    if np.linalg.norm((table.tool_m - above)[:2]) < NEAR_M and abs(
            table.jaw_yaw - table.yaw) < 0.05:
        return _jaws(_move(table, [*table.cube_m[:2], GRASP_M], table.jaw_yaw), OPEN_RAD)
    if table.tool_m[2] < TRAVEL_M - 0.01:
        return _jaws(_rise(table), OPEN_RAD)
    return _jaws(_move(table, above, table.jaw_yaw), OPEN_RAD)


def _bring(table: Table) -> Table:
    target_m = table.tool_measured_m + table.plate_m - table.cube_m
    target_xy = target_m[:2]
    if np.linalg.norm((table.plate_m - table.cube_m)[:2]) < OVER_M:
        return _move(table, [*target_xy, target_m[2] + CUBE_HALF_M + RELEASE_M], JAW_YAW_RAD)
    if table.tool_m[2] < TRAVEL_M - 0.01:
        return _rise(table)
    return _move(table, [*target_xy, TRAVEL_M], JAW_YAW_RAD)


def _leave(table: Table) -> Table:
    if table.gripper_rad < OPEN_RAD - 0.01:
        return _jaws(table, OPEN_RAD)
    near = np.linalg.norm((table.tool_m - table.cube_m)[:2]) < 0.04
    if near and table.tool_m[2] < TRAVEL_M - NEAR_M:
        return _rise(table)
    return _move(table, REST_M, JAW_YAW_RAD)


def _rise(table: Table) -> Table:
    return _move(table, [*table.tool_m[:2], TRAVEL_M], table.yaw)


def _move(table: Table, target_m, yaw: float) -> Table:
    step_m = np.asarray(target_m) - table.tool_m
    length_m = np.linalg.norm(step_m)
    share = min(1.0, STEP_M / max(length_m, 1e-9))
    turn = np.clip(yaw - table.yaw, -STEP_YAW_RAD, STEP_YAW_RAD)
    return replace(table, tool_m=table.tool_m + share * step_m, yaw=table.yaw + float(turn))


def _jaws(table: Table, target_rad: float) -> Table:
    step = np.clip(target_rad - table.gripper_rad, -STEP_GRIPPER_RAD, STEP_GRIPPER_RAD)
    return replace(table, gripper_rad=table.gripper_rad + float(step))


def _carry(before: Table, after: Table) -> Table:
    """Predict what the step does to the cube and to the measured tool and jaws."""
    measured = after.gripper_rad
    cube_m = after.cube_m
    tool_m = before.tool_measured_m + TRACKED * (after.tool_m - before.tool_measured_m)
    if before.between_jaws and after.gripper_rad < HOLDING_RAD:
        measured = HOLDING_RAD
        cos, sin = np.cos(after.yaw), np.sin(after.yaw)
        up = min(max(before.cube_in_jaws_m[2], -0.01), 0.01)
        cube_m = tool_m + [HELD_OFFSET_M * cos, HELD_OFFSET_M * sin, up]
    return replace(after, gripper_measured_rad=measured, cube_m=cube_m, tool_measured_m=tool_m)
