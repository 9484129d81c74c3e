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

"""Finds what was left unfinished, and episodes that are no longer whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .episode import DamagedError, EpisodeError, METADATA_FILE, PARTIAL_SUFFIX, walk
from .reader import check_pieces, open_bag
from ..progress import progress_bar


def find_leftovers(root: Path, thorough: bool, show_progress: bool) -> list[Path]:
    """
    Return the folders at or below ``root`` that recover.py can make an episode of, sorted.

    With ``thorough`` the checksums of every episode are computed, else its frame and index are
    looked at. A folder of several MCAP files that are not named after it is nobody's bag, and one
    with other things in it neither.
    """
    unfinished, whole = [], []
    for folder, names in walk(root):
        files = [name for name in names if name.endswith('.mcap')]
        if METADATA_FILE in names and not folder.name.endswith(PARTIAL_SUFFIX):
            whole.append(folder)
        elif _is_partial(folder) or folder != root and (
                len(files) == 1 or files and _are_parts(folder, files)):
            unfinished.append(folder)
    with progress_bar(total=sum(map(storage_size, whole)), desc='check', unit='B', unit_scale=True,
                      disable=not (show_progress and thorough)) as bar:
        damaged = [folder for folder in whole if _is_damaged(folder, thorough, bar.update)]
    return sorted(unfinished + damaged)


def _is_partial(folder: Path) -> bool:
    """Tell whether a folder is a writer's that was not closed; others call theirs so too."""
    if not folder.name.endswith(PARTIAL_SUFFIX):
        return False
    with suppress(FileNotFoundError):
        return all(path.suffix == '.mcap' or path.name.startswith(METADATA_FILE)
                   for path in folder.iterdir())
    return False  # another has just recovered it


def storage_size(folder: Path) -> int:
    """Return the bytes of the MCAP files in a folder; 0 where it is gone."""
    with suppress(FileNotFoundError):
        return sum(file.stat().st_size for file in folder.glob('*.mcap'))
    return 0


def _are_parts(folder: Path, files: list[str]) -> bool:
    """Tell whether files are named as ``ros2 bag record`` names those of a bag it splits."""
    return set(files) == {f'{folder.name}_{n}.mcap' for n in range(len(files))}


def _is_damaged(folder: Path, thorough: bool, progress: Callable[[int], object]) -> bool:
    try:
        with open_bag(folder) as scans:
            if thorough:
                check_pieces(scans, progress)
    except (DamagedError, OSError):
        return True
    except EpisodeError:
        return False  # refused for what it is, not for what is missing
    return False
