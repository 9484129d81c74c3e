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

"""Where config/, models/ and the like are: in the source tree, or installed by colcon."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml


def share_dir() -> Path:
    """
    Return the folder that holds ``config/``, ``launch/`` and ``models/``.

    That is the top of a clone, or ``share/trimodal_ros`` of an install prefix.
    """
    for parent in Path(__file__).resolve().parents:
        for folder in (parent, parent / 'share' / 'trimodal_ros'):
            if (folder / 'package.xml').is_file() and (folder / 'config').is_dir():
                return folder
    raise FileNotFoundError('config/ and models/ of trimodal_ros are neither beside the package '
                            'nor under share/trimodal_ros of its install prefix')


class Shipped(NamedTuple):
    """The robot YAML, the scene YAML and the checkpoint folder that go together."""

    robot: Path
    scene: Path
    checkpoint: Path


def shipped() -> Shipped:
    """Return what ``config/shipped.yaml`` names, for commands that are told nothing else."""
    path = share_dir() / 'config' / 'shipped.yaml'
    return Shipped(**{name: (path.parent / file).resolve()
                      for name, file in yaml.safe_load(path.read_text()).items()})
