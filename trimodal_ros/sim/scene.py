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
What a simulated robot is made of: its model, its servos, its cameras and what stands around.

``scene_file.py`` reads it from a YAML, doc/reference/robots.md has every key. Suffix D: the
joints as the robot's driver has them, in the order of ``Scene.driver_joints``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import re

import numpy as np

from .controller_file import ControllerParameters
from ..spec import Finger, RobotSpec


@dataclass(frozen=True)
class Attached:
    """
    Another model on a body of the robot's, such as its gripper.

    ``prefix`` is put before its names; ``degrees`` is the unit of its angles, if it doesn't say.
    """

    model: Path
    to: str
    prefix: str
    position_m: tuple[float, ...] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    degrees: bool = False


@dataclass(frozen=True)
class Servo:
    """
    A position servo for the driver's joints whose whole name matches ``joints``.

    ``stiffness`` and ``damping`` in N m/rad and N m s/rad, or N/m and N s/m; ``force`` is the
    most, in N m or N. ``friction`` and ``armature``, None: as in the model.
    """

    joints: str
    stiffness: float
    damping: float
    force: float
    friction: float | None = None
    armature: float | None = None


@dataclass(frozen=True)
class SceneCamera:
    """
    A camera on a body of the model, or on 'world'.

    It stands at ``from_m`` and looks at ``at_m``, both in the body's frame, the frame's z up; at
    None it looks along the frame's -z. ``of_model`` names one that the model has itself.
    """

    name: str
    width: int
    height: int
    fovy_deg: float = 45.0
    body: str = 'world'
    from_m: tuple[float, ...] = (0.0, 0.0, 0.0)
    at_m: tuple[float, ...] | None = None
    of_model: str = ''


@dataclass(frozen=True)
class Box:
    """A box that stands around, to be seen: its middle and edges in m."""

    name: str
    position_m: tuple[float, ...]
    edges_m: tuple[float, ...]
    rgba: tuple[float, ...]


@dataclass(frozen=True)
class Contacts:
    """The geoms of the robot that touch anything; all others go through."""

    geoms: tuple[str, ...]
    condim: int
    friction: tuple[float, ...]
    solref: tuple[float, ...]


@dataclass(frozen=True)
class Tabletop:
    """The cubes, the plates and the task of ``tabletop.py``, and the hand that does it."""

    tool_body: str
    tool_m: tuple[float, ...]
    jaws: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """
    A robot and the model that simulates it.

    ``drives`` has, for each of the driver's joints, the joints of the model that it moves with
    their factor; the first of them is what is measured. ``home_J`` is where the arm begins, in
    spec order. Geoms of a class or a group in ``dropped`` are left out, and bodies in
    ``removed``; with ``ranges_of_robot`` a joint stops where the robot's YAML says, not where the
    model does. ``colours`` are by patterns of material names, or of mesh names where a geom has
    no material; the first that matches counts.
    """

    path: Path
    robot: RobotSpec
    model: Path
    drives: Mapping[str, Mapping[str, float]]
    servos: tuple[Servo, ...]
    home_J: np.ndarray
    cameras: tuple[SceneCamera, ...]
    attached: tuple[Attached, ...] = ()
    urdf: Path | None = None
    controllers: tuple[ControllerParameters, ...] = ()
    removed: tuple[str, ...] = ()
    dropped: Mapping[str, str | int] | None = None
    colours: Mapping[str, tuple[float, ...]] | None = None
    mesh_cell_m: float = 0.004
    contacts: Contacts | None = None
    ranges_of_robot: bool = False
    table: bool = True
    boxes: tuple[Box, ...] = ()
    tabletop: Tabletop | None = None

    @property
    def fingers(self) -> tuple[Finger, ...]:
        """The driver's joints, with the factor of the spec's joint that they are at."""
        return tuple(finger for joint in self.robot.joints for finger in joint.driven)

    @property
    def driver_joints(self) -> tuple[str, ...]:
        return tuple(finger.joint for finger in self.fingers)

    @property
    def home_D(self) -> np.ndarray:
        """Where the driver's joints begin."""
        return np.array([finger.factor * home
                         for joint, home in zip(self.robot.joints, self.home_J)
                         for finger in joint.driven])

    def range_of(self, driven: str) -> tuple[float, float]:
        """Return what a joint of the driver can be told, by the limits of the robot."""
        joint, factor = next((joint, finger.factor) for joint in self.robot.joints
                             for finger in joint.driven if finger.joint == driven)
        return tuple(sorted((factor * joint.lower, factor * joint.upper)))

    def servo(self, joint: str) -> Servo:
        """Return the first servo whose pattern matches a joint of the driver."""
        return next(servo for servo in self.servos if re.fullmatch(servo.joints, joint))

    def controller_rules(self, topic: str) -> dict[str, bool]:
        """Return what the controller on a topic goes by, where its parameter file says so."""
        group = next(group for group in self.robot.groups if group.topic == topic)
        joints = list(self.robot.parts[group.topic].commanded_names)
        return next((controller.rules for controller in self.controllers
                     if sorted(controller.joints) == sorted(joints)), {})

    def camera(self, name: str) -> SceneCamera:
        return next(camera for camera in self.cameras if camera.name == name)
