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

"""File operations that have reached the disk when they return, and that replace nothing."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
import os
from pathlib import Path

TRASH = '.trash'


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: what was created, renamed or moved there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and those it lies in. Raises FileExistsError where it is there already."""
    if not folder.parent.is_dir():
        with suppress(FileExistsError):  # another made it meanwhile
            make_folder(folder.parent)
    folder.mkdir()
    sync_folder(folder.parent)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole, or not at all."""
    partial = path.with_name(f'{path.name}.partial')
    with partial.open('w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename within a file system. Raises FileExistsError where ``target`` is already."""
    if os.path.lexists(target):
        raise FileExistsError(f'{target} exists already')
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def free_name(path: Path) -> Path:
    """Return ``path``, or where that is taken, the first free of ``path_2``, ``path_3``, ..."""
    names = (path if n == 1 else path.with_name(f'{path.name}_{n}') for n in count(1))
    return next(name for name in names if not os.path.lexists(name))


def move_to_trash(path: Path) -> Path:
    """Move a file or folder to ``.trash`` beside it, under a name free there; return where to."""
    trash = path.parent / TRASH
    trash.mkdir(exist_ok=True)
    target = free_name(trash / path.name)
    move(path, target)
    return target
