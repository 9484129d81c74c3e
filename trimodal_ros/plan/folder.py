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
What may be in a folder that a policy is loaded from, and which robot it may drive.

Without PyTorch, which a robot that runs an exported policy needs not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..spec import RobotSpec

CARD = 'README.md'
PICKLES = ('.pt', '.pth', '.bin', '.pkl', '.pickle', '.ckpt', '.joblib')


class CheckpointError(ValueError):
    """A folder that is not a checkpoint this code and this robot can use."""


def check_contents(path: Path, allowed: Mapping[str, tuple[str, ...]]) -> None:
    """
    Raise CheckpointError, naming the file, for anything that is no part of a checkpoint.

    ``allowed`` has the names of what may be in a folder, by folder below ``path``, '' for itself.
    """
    inside = path.resolve()
    for below, parts in allowed.items():
        folder = path / below
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = str(file.relative_to(path))
            if not file.resolve().is_relative_to(inside):
                raise CheckpointError(f'checkpoint {path}: {name!r} leads out of the folder, to '
                                      f'{file.resolve()}; copy it in')
            if file.suffix in PICKLES:
                raise CheckpointError(f'checkpoint {path}: {name!r} is a pickle, which runs code '
                                      'when it is loaded; weights are in model.safetensors alone')
            if file.name not in parts:
                raise CheckpointError(f'checkpoint {path}: {name!r} is no part of a checkpoint; '
                                      f'expected only {", ".join(parts)}')


def check_fits(path: Path, trained_for: RobotSpec, robot: RobotSpec) -> None:
    """Raise CheckpointError, naming both sides, unless the policy can drive this robot."""
    for what, trained, here in (
            ('joints', trained_for.joint_names, robot.joint_names),
            ('units of joints', [joint.unit for joint in trained_for.joints],
             [joint.unit for joint in robot.joints]),
            ('cameras', [camera.view for camera in trained_for.cameras],
             [camera.view for camera in robot.cameras]),
            ('rate_hz', trained_for.rate_hz, robot.rate_hz),
            ('horizon', trained_for.horizon, robot.horizon)):
        if trained != here:
            raise CheckpointError(f'checkpoint {path} was trained for {what} {trained}, '
                                  f'the robot has {here}')
