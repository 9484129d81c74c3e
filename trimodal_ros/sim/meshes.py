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

"""Meshes made light enough to be rendered in software."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np


def coarsen(mesh, folder: Path, cell_m: float) -> None:
    """Replace a mesh of a binary STL file, named from ``folder`` on, by a coarse one."""
    vertices, faces = _read_stl(folder / mesh.file)
    vertices, faces = cluster_vertices(vertices * mesh.scale.astype(np.float32), faces, cell_m)
    mesh.name = mesh.name or Path(mesh.file).stem
    mesh.file, mesh.scale = '', [1.0, 1.0, 1.0]
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
