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
Loads a dataset with the real ``lerobot`` package and writes what its loader returned.

Run by the Python of an environment that has lerobot, and has nothing of this package
(``make check-lerobot``):

    python benchmarks/lerobot_load.py DATASET OUT.npz [pyav | torchcodec]
"""

from __future__ import annotations

import os
from pathlib import Path
import sys

os.environ['HF_HUB_OFFLINE'] = '1'   # read when lerobot is imported: nothing is fetched

import lerobot  # noqa: E402
from lerobot.datasets.compute_stats import get_feature_stats  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
import numpy as np  # noqa: E402


def load(root: Path, backend: str = 'pyav') -> dict[str, np.ndarray]:
    """
    Return every feature of every frame, images as RGB uint8 [N, H, W, 3].

    ``chunk`` has each frame's action and the next one's, as policies are trained on; ``stats/``
    is what the dataset says, ``recomputed/`` what LeRobot makes of the values.
    """
    dataset = open_dataset(root, backend)
    frames = [dataset[index] for index in range(len(dataset))]
    found = {'lerobot': np.array(lerobot.__version__), 'fps': np.array(dataset.fps),
             'task': np.array([frame['task'] for frame in frames])}
    for key in dataset.features:
        values = np.stack([np.asarray(frame[key]) for frame in frames])
        if key in dataset.meta.video_keys:
            values = np.round(255 * values).astype(np.uint8)
        add_statistics(found, f'stats/{key}', dataset.meta.stats[key])
        add_statistics(found, f'recomputed/{key}', recomputed(values))
        found[key] = values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
    chunks = open_dataset(root, backend, {'action': [0.0, 1 / dataset.fps]})
    found['chunk'] = np.stack([np.asarray(chunks[i]['action']) for i in range(len(chunks))])
    return found


def open_dataset(root: Path, backend: str, chunks: dict | None = None) -> LeRobotDataset:
    return LeRobotDataset('local/check', root=root, video_backend=backend,
                          delta_timestamps=chunks)


def recomputed(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return LeRobot's own statistics of a feature's values; of images [N, 3, H, W] in [0, 1]."""
    if values.ndim == 4:
        statistics = get_feature_stats(values.astype(float), axis=(0, 2, 3), keepdims=True)
        return {name: value if name == 'count' else value[0] / 255
                for name, value in statistics.items()}
    return get_feature_stats(values.astype(float), axis=0, keepdims=values.ndim == 1)


def add_statistics(found: dict, prefix: str, statistics: dict) -> None:
    found.update({f'{prefix}/{name}': np.asarray(value) for name, value in statistics.items()})


def main() -> None:
    root, out, *backend = sys.argv[1:]
    np.savez(out, **load(Path(root), *backend))


if __name__ == '__main__':
    main()
