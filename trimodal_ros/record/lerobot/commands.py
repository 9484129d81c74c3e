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

"""Subcommands of ``python -m trimodal_ros.record``: episodes to LeRobot datasets and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TYPE_CHECKING

import tyro

from .settings import Encoding, ImportSettings
from ...observe.freshness import Freshness
from ...paths import shipped
from ...spec.topics import LABEL_TOPIC

if TYPE_CHECKING:
    from .from_bags import Exported
    from .to_bags import Imported, Importer

ROBOT = shipped().robot
DEFAULT_ENCODING, DEFAULT_IMPORT = Encoding(), ImportSettings()
DEFAULT_FRESHNESS = Freshness()


def export(episodes: Annotated[list[Path], tyro.conf.Positional], out: Path, robot: Path = ROBOT,
           fps: int | None = None, label_topic: str = LABEL_TOPIC,
           encoding: Encoding = DEFAULT_ENCODING,
           dtype: Literal['float64', 'float32'] = 'float64',
           freshness: Annotated[Freshness, tyro.conf.arg(name='')] = DEFAULT_FRESHNESS) -> None:
    """
    Write episodes as a LeRobotDataset v3.0.

    A frame is what the live node would have observed: the images, in the size they were recorded
    in, and the newest joints not newer than they. Its action is the position commanded one step
    later. Beside LeRobot's timestamp, frame_index / fps, each frame has the header stamps of all
    its inputs (``stamp_ns``) and whether somebody had taken over (``intervention``). Ends with 1
    if an episode is damaged, or nothing in it can be observed.

    :param episodes: Directories with episodes in them (rosbag2, MCAP), at any depth.
    :param out: Folder of the dataset; it must not exist.
    :param robot: Robot YAML: joints and cameras.
    :param fps: Frames a second, a whole number; without it the robot's rate_hz.
    :param label_topic: Where an episode has messages on this topic, their first step is the
        action, as it is in training; '' for what was commanded.
    :param encoding: How frames are compressed.
    :param dtype: Of state and action. float64 brings them back exactly; float32 is what LeRobot
        records, for datasets to be merged with such.
    :param freshness: How fresh inputs must be, as in training; --frozen-s 0 takes images that stay
        the same.
    """
    from .from_bags import export_episodes
    from ...spec import RobotSpec
    done = export_episodes(episodes, out, RobotSpec.from_yaml(robot), fps, label_topic, encoding,
                           dtype, freshness)
    _print_exported(done, out)
    _exit_if_any(each.fault for each in done)


def _exit_if_any(faults: Iterable[str]) -> None:
    if any(faults):
        raise SystemExit(1)


def _print_exported(done: list[Exported], out: Path) -> None:
    written = [each for each in done if each.frames]
    for each in done:
        if each.fault:
            print(f'fault: {each.fault}' + (f' (exported up to there: {each.frames} frames)'
                                            if each.frames else ' (left out)'))
    dropped = sum((Counter(each.dropped) for each in done), Counter())
    if dropped:
        print('not used: ' + ', '.join(
            f'{count} {reason}' for reason, count in dropped.most_common()))
    print(f'{len(written)} of {len(done)} episodes, {sum(each.frames for each in written)} frames '
          f'in {out}')
    print(f'longest time between two frames {max(each.gap_s for each in written):.3f} s; '
          f'frame_index / fps is up to {max(each.drift_s for each in written):.3f} s from the '
          'true time, which is in stamp_ns')


def import_(dataset: Annotated[Path, tyro.conf.Positional], out: Path, robot: Path = ROBOT,
            settings: Annotated[ImportSettings, tyro.conf.arg(name='')] = DEFAULT_IMPORT) -> None:
    """
    Write the episodes of a LeRobot dataset (v2.0, v2.1 or v3.0) as episodes of this package.

    Joints and cameras are found by name. Videos that are missing or damaged are reported, the
    rest is imported; training needs a robot YAML with no other cameras than there are. Stamps
    are those in ``stamp_ns``, where there are any, else the dataset's timestamps, from 1 s on.
    Ends with 1 if an episode can't be imported at all.

    :param dataset: Folder of the dataset.
    :param out: Directory that gets one rosbag2 directory an episode. Those already there are kept.
    :param robot: Robot YAML: joints, their limits, and cameras.
    :param settings: What is taken and how it is written.
    """
    from .to_bags import Importer
    from ...spec import RobotSpec
    importer = Importer(dataset, RobotSpec.from_yaml(robot), settings)
    done = importer.run(out)
    _print_imported(importer, done, out)
    _exit_if_any(each.fault for each in done)


def _print_imported(importer: Importer, done: list[Imported], out: Path) -> None:
    for each in done:
        for text in (*each.findings, *filter(None, [each.fault])):
            print(f'episode {each.index}: {text}')
    for key in importer.unused:
        missing = sum(not entry.videos[key].path.is_file() for entry in importer.dataset.episodes)
        print(f'{key}: no camera of {importer.robot.name}, left out; {missing} of '
              f'{len(importer.dataset.episodes)} videos are missing')
    print(f'{sum(bool(each.paths) for each in done)} of {len(done)} episodes, '
          f'{sum(each.frames for each in done)} frames in {out}')
