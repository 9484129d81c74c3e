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

"""``python -m trimodal_ros.record``: look after a folder of recorded episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .lerobot.commands import export, import_
from ..command_line import one_line_errors
from ..observe.freshness import Freshness
from ..paths import shipped

ROBOT = shipped().robot
DEFAULT_FRESHNESS = Freshness()


def list_episodes(folder: tyro.conf.Positional[Path]) -> None:
    """
    Print a table of the episodes in a folder: what each is about, how it ended, its health.

    :param folder: Folder of episodes; those in folders below it count too.
    """
    from .table import episode_table
    for line in episode_table(folder):
        print(line)


def recover(folder: tyro.conf.Positional[Path], thorough: bool = True) -> None:
    """
    Make whole episodes of what was left unfinished, cut short or damaged.

    What is readable is written anew, and what is lost stands in the episode's health. Originals
    go to the folder .trash beside them; nothing is deleted. What a recorder is writing is left
    alone. Safe to interrupt, and to call again. Ends with 1 if anything could not be recovered.

    :param folder: Folder of episodes; those in folders below it count too.
    :param thorough: Check every byte of every episode, instead of only whether each was closed.
    """
    from .recover import recover as recover_all
    recoveries = recover_all(folder, thorough)
    for recovery in recoveries:
        print(recovery)
    done = sum(recovery.result == 'recovered' for recovery in recoveries)
    print(f'{done} of {len(recoveries)} leftovers recovered' if recoveries else
          f'nothing to recover in {folder}')
    if any(recovery.result == 'failed' for recovery in recoveries):
        raise SystemExit(1)


def sync(episodes: Annotated[list[Path], tyro.conf.Positional], robot: Path = ROBOT,
         json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
         freshness: Annotated[Freshness, tyro.conf.arg(name='')] = DEFAULT_FRESHNESS) -> None:
    """
    Report how the streams of episodes go together: by stamp, as-of the camera.

    Of each episode: the moments at which the live node could have planned, how far the inputs
    were apart and how old they were (p50, p95, max), and the moments that are dropped, with the
    reason. Exits with 1 if an episode is unreadable, or has no moment at all.

    :param episodes: Directories with episodes in them (rosbag2, MCAP), at any depth.
    :param robot: Robot YAML: joints and cameras.
    :param json_file: File that gets the figures of every episode.
    :param freshness: How fresh inputs must be. --frozen-s 0 is for recordings without noise, such
        as of old simulators, in which a robot at rest looks frozen.
    """
    from .episode import find_episodes
    from .sync import describe_sync, measure_sync
    from ..evaluate.page import write_json  # a command may reach right
    from ..progress import progress_bar
    from ..spec import RobotSpec
    spec, done = RobotSpec.from_yaml(robot), []
    for path in progress_bar(find_episodes(*episodes), desc='sync', unit='ep'):
        done.append(measure_sync(path, spec, freshness))
        print(describe_sync(done[-1]))
    if json_file is not None:
        write_json(json_file, {'episodes': [each.to_json() for each in done]})
    raise SystemExit(any(each.fault or not each.moments for each in done))


def cut(recordings: Annotated[list[Path], tyro.conf.Positional], out: Path,
        every_s: float | None = None, at_s: tuple[float, ...] = ()) -> None:
    """
    Cut recordings into episodes, by length or at given times.

    Messages are copied as they are, with their times; one received at a cut is in the part that
    begins there. Each part begins with what was said before and still holds: the newest message of
    each latched topic, and trajectories under way, received when the part begins. A part is about
    what the robot was told in it for the longest time; outcome, operator and health are those of
    the whole, and ``part_of`` in its metadata says what it was cut from. The recordings stay as
    they are, and nothing is overwritten. Interrupted, nothing half written is left, and the same
    command goes on. Ends with 1 if a recording could not be cut.

    What is commanded after a part's end is not known in it: training on a part goes without the
    moments of its last horizon.

    :param recordings: Directories with episodes in them (rosbag2, MCAP), at any depth.
    :param out: Directory that gets the parts, each with the recording's name and a number; not
        one that the recordings are in.
    :param every_s: Length of a part in s; the last one is what is left.
    :param at_s: Times to cut at, in s from a recording's first message.
    """
    from .cut import cut_recordings, Cuts
    done = cut_recordings(recordings, out, Cuts(every_s, at_s))
    for each in done:
        print(f'fault: {each.fault} (left out)' if each.fault else each)
    print(f'{sum(len(each.parts) for each in done)} parts of {len(done)} recordings in {out}')
    if any(each.fault for each in done):
        raise SystemExit(1)


def main(args: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    with one_line_errors(interrupted='interrupted; call it again to go on'):
        tyro.extras.subcommand_cli_from_dict(
            {'list': list_episodes, 'recover': recover, 'sync': sync, 'cut': cut,
             'export': export, 'import': import_}, args=args, prog='trimodal_ros.record',
            description='Recorded episodes: list them, recover what was left unfinished, see how '
                        'their streams go together, cut long ones, exchange them with LeRobot.')


if __name__ == '__main__':
    main()
