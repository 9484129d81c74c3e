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
The shipped scene with a camera that somebody has bumped.

    python -m benchmarks.moved_camera --out OUT/scene.yaml [--by-m 0.0 0.04 0.0]
"""

from __future__ import annotations

from pathlib import Path

import tyro
import yaml

from trimodal_ros.paths import shipped

FILES = ('robot', 'controllers')   # from the scene's folder on


def write(out: Path, camera: str = 'front', by_m: tuple[float, float, float] = (0.0, 0.04, 0.0)):
    """
    Write the scene.

    :param out: Scene YAML.
    :param camera: The one that is moved, without being turned.
    :param by_m: How far, along the world's axes.
    """
    path = shipped().scene
    scene = yaml.safe_load(path.read_text())
    scene.update({key: str((path.parent / scene[key]).resolve()) for key in FILES})
    pose = scene['cameras'][camera]
    for key in ('from_m', 'at_m'):
        pose[key] = [value + step for value, step in zip(pose[key], by_m)]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f'# {path.name}, {camera} moved by {by_m} m: benchmarks/moved_camera.py\n'
                   + yaml.safe_dump(scene, sort_keys=False))


if __name__ == '__main__':
    tyro.cli(write, description=__doc__)
