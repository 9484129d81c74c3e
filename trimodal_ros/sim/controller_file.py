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

"""The parameter file of a ros2_control controller manager: which rules its controllers go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..spec import SpecError
from ..spec.controller import CONTROLLER_RULES
from ..spec.located import read_located

TYPE = 'joint_trajectory_controller/JointTrajectoryController'
MANAGER = 'controller_manager'


@dataclass(frozen=True)
class ControllerParameters:
    """A joint trajectory controller of a parameter file, with its parameters as they are."""

    name: str
    joints: tuple[str, ...]
    parameters: Mapping

    @property
    def rules(self) -> dict[str, bool]:
        """The parameters that decide what it accepts, where they are given."""
        return {rule: self.parameters[rule] for rule in CONTROLLER_RULES
                if rule in self.parameters}


def read_controllers(path: Path) -> tuple[ControllerParameters, ...]:
    """
    Return the joint trajectory controllers that a parameter file starts.

    Raises SpecError for a file that isn't one, or a controller without parameters or joints.
    """
    data = read_located(path).data
    manager = _parameters(path, data, MANAGER)
    names = [name for name, inside in manager.items()
             if isinstance(inside, dict) and inside.get('type') == TYPE]
    if not names:
        raise SpecError(f'{path}: {MANAGER} has no controller of type {TYPE}')
    return tuple(_controller(path, data, name) for name in names)


def _controller(path: Path, data, name: str) -> ControllerParameters:
    parameters = _parameters(path, data, name)
    joints = parameters.get('joints')
    if not isinstance(joints, list) or not joints:
        raise SpecError(f'{path}: {name}: joints: got {joints!r}, expected a list of names')
    return ControllerParameters(name, tuple(joints), parameters)


def _parameters(path: Path, data, name: str) -> dict:
    node = data.get(name) if isinstance(data, dict) else None
    parameters = node.get('ros__parameters') if isinstance(node, dict) else None
    if not isinstance(parameters, dict):
        raise SpecError(f'{path}: no {name}: ros__parameters:, expected the parameter file of a '
                        'ros2_control controller manager')
    return parameters
