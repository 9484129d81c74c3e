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


def main(args: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    try:
        tyro.extras.subcommand_cli_from_dict(
            {'list': list_episodes, 'recover': recover, 'export': export, 'import': import_},
            args=args, prog='trimodal_ros.record',
            description='Recorded episodes: list them, recover what was left unfinished, exchange '
                        'them with LeRobot.')
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit('interrupted; call it again to go on') from None


if __name__ == '__main__':
    main()
