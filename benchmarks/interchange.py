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
What episodes are like after a journey through LeRobot's format: exact, near, how fast, how large.

    python -m benchmarks.interchange --out OUT/interchange
    python -m benchmarks.interchange --out OUT/interchange --episodes BAGS

Without ``--episodes``: five simulated demonstrations and, where ../shared/data has it, the
recording of a real robot. Each is exported, imported and exported again with every encoding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import time

import numpy as np
import pyarrow.parquet as pq
import tyro

from trimodal_ros.observe.image import to_rgb
from trimodal_ros.observe.observer import Joined
from trimodal_ros.paths import share_dir, shipped
from trimodal_ros.record.episode import find_episodes
from trimodal_ros.record.lerobot.from_bags import export_episodes
from trimodal_ros.record.lerobot.schema import ACTION, STATE
from trimodal_ros.record.lerobot.settings import Encoding, ImportSettings
from trimodal_ros.record.lerobot.to_bags import Importer
from trimodal_ros.record.moments import Replay
from trimodal_ros.spec import RobotSpec

ROBOTS = share_dir() / 'config' / 'robots'
ROBOT = shipped().robot
ASTRIBOT = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'astribot_s1'
ASTRIBOT_SETTINGS = ImportSettings(state='joints_dict.joints_position_state',
                                   action='joints_dict.joints_position_command')
ENCODINGS = (Encoding(), Encoding(pixel_format='yuv444p'),
             *([] if os.geteuid() == 0 else [Encoding('av1', 30)]))  # refused to root


@dataclass(frozen=True)
class Journey:
    """What became of some episodes with one encoding; images against those recorded."""

    frames: int
    exact: dict[str, bool]
    psnr_db: np.ndarray
    export_s: float
    import_s: float
    images_mb: float
    videos_mb: float

    def row(self, name: str, encoding: Encoding) -> str:
        """Return a row of the table in doc/how-to/interchange.md."""
        lost = [key for key, is_exact in self.exact.items() if not is_exact]
        exact = f'{", ".join(lost)} NOT exact' if lost else 'action, state, stamps exact'
        return (f'| {name} | {encoding.codec} {encoding.quality} {encoding.pixel_format} '
                f'| {np.median(self.psnr_db):.1f} ({self.psnr_db.min():.1f}) | {exact} '
                f'| {self.frames / self.export_s:.0f} | {self.frames / self.import_s:.0f} '
                f'| {self.images_mb:.1f} | {self.videos_mb:.1f} |')


def travel(bags: Path, robot: RobotSpec, encoding: Encoding, out: Path) -> Journey:
    """Export episodes, import and export them again, and compare."""
    shutil.rmtree(out, ignore_errors=True)
    begun_s = time.perf_counter()
    done = export_episodes([bags], out / 'dataset', robot, encoding=encoding)
    exported_s = time.perf_counter()
    Importer(out / 'dataset', robot).run(out / 'bags')
    imported_s = time.perf_counter()
    export_episodes([out / 'bags'], out / 'again', robot, encoding=encoding)
    psnr_db, images_bytes = compare_images(bags, out / 'bags', robot, out / 'dataset')
    first, again = numbers(out / 'dataset'), numbers(out / 'again')
    return Journey(
        sum(each.frames for each in done), {key: bool(np.array_equal(first[key], again[key]))
                                            for key in (ACTION, STATE, 'stamp_ns')},
        psnr_db, exported_s - begun_s, imported_s - exported_s, images_bytes / 2**20,
        sum(path.stat().st_size for path in (out / 'dataset').rglob('*.mp4')) / 2**20)


def numbers(dataset: Path) -> dict[str, np.ndarray]:
    """Return a dataset's columns, read without this package."""
    tables = [pq.read_table(path) for path in sorted(dataset.glob('data/*/*.parquet'))]
    return {key: np.concatenate([np.array(table[key].to_pylist()) for table in tables])
            for key in (ACTION, STATE, 'stamp_ns')}


def compare_images(bags: Path, back: Path, robot: RobotSpec, dataset: Path
                   ) -> tuple[np.ndarray, int]:
    """Return the PSNR in dB of each image that came back, and the bytes of those recorded."""
    stamps = set(numbers(dataset)['stamp_ns'][:, 0].tolist())
    psnr_db, size = [], 0
    for there, here in zip(find_episodes(bags), find_episodes(back)):
        recorded = joins(there, robot)
        for stamp, joined in joins(here, robot).items():
            if stamp not in stamps:
                continue
            for camera, sample in joined.samples.items():
                first = to_rgb(recorded[stamp].samples[camera].message, camera)
                error = np.square(to_rgb(sample.message, camera).astype(float) - first).mean()
                psnr_db.append(10 * np.log10(255**2 / max(error, 1e-9)))
                size += first.nbytes
    return np.array(psnr_db), size


def joins(path: Path, robot: RobotSpec) -> dict[int, Joined]:
    """Return all that can be joined, by stamp."""
    return {joined.stamp_ns: joined for joined in Replay(path, robot).joined(0.0, Counter())}


def prepared(out: Path, episodes: Path | None, robot: Path) -> list[tuple[str, Path, RobotSpec]]:
    """Return names, bags and robots of what is to travel."""
    spec = RobotSpec.from_yaml(robot)
    if episodes is not None:
        return [(episodes.name, episodes, spec)]
    from trimodal_ros.sim.__main__ import main as simulate
    simulate(['demonstrate', '--out', str(out / 'simulated'), '--episodes', '5', '--seed',
              '900000'])
    found = [('simulated robot, 256x192 + 128x128', out / 'simulated', spec)]
    if ASTRIBOT.is_dir():
        astribot = RobotSpec.from_yaml(ROBOTS / 'astribot_s1.yaml')
        Importer(ASTRIBOT, astribot, ASTRIBOT_SETTINGS).run(out / 'astribot')
        found.append(('Astribot S1, 2 x 640x360', out / 'astribot', astribot))
    return found


def main(out: Path, episodes: Path | None = None, robot: Path = ROBOT) -> None:
    """
    Print a table: what is exact, how near images come, speed and size.

    :param out: Folder to work in; datasets and bags stay there.
    :param episodes: Episodes that are to travel, with their robot.
    :param robot: Robot YAML of these episodes.
    """
    print('| episodes | encoding | PSNR of images, dB: median (least) | numbers '
          '| export, frames/s | import, frames/s | images, MB | videos, MB |\n'
          '|---|---|---|---|---|---|---|---|')
    for name, bags, spec in prepared(out, episodes, robot):
        for number, encoding in enumerate(ENCODINGS):
            journey = travel(bags, spec, encoding, out / f'{bags.name}_{number}')
            print(journey.row(name, encoding), flush=True)


if __name__ == '__main__':
    tyro.cli(main)
