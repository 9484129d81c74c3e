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
Frames kept beside the episodes they are of, in parts that are added and never changed.

``ROOT/.trimodal_cache/<16 hex digits>/`` is a part: arrays as .npy, and whose they are. New and
changed episodes become another part, with all parts that have no more episodes than it, so there
are few. Removed are parts that nobody needs: of episodes that have changed or vanished, and of
recipes other than the last few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import re
import shutil

from .build import build, EPISODES, PARTIAL_SUFFIX, Recipe
from ..record.episode import fingerprint
from ..record.lock import locked

CACHE_DIR = '.trimodal_cache'
OURS = re.compile(r'[0-9a-f]{16}')
KEPT_RECIPES = 3    # the last ones used: of robots, label topics, samplings


@dataclass(frozen=True)
class Stored:
    """Where the frames of an episode are, rows ``first`` to ``last``, and about it (build.py)."""

    part: Path
    first: int
    last: int
    about: Mapping


@dataclass(frozen=True)
class Part:
    """A folder of frames and what it has, by the keys of the episodes."""

    path: Path
    recipe: str
    stored: Mapping[str, Stored]


def stored_frames(root: Path, episodes: Sequence[Path], recipe: Recipe,
                  workers: int) -> list[Stored]:
    """
    Return where the frames of each episode under ``root`` are, reading what is new.

    Of two calls at a time one waits. Raises EpisodeError where an episode may not be read.
    """
    folder = root / CACHE_DIR
    folder.mkdir(exist_ok=True)
    with locked(folder, wait=True):
        keys = {path: _key(path, root, recipe) for path in episodes}
        parts = [part for part in _read_parts(folder) if part.recipe == recipe.key]
        wanted = _to_build(keys, parts)
        if wanted:
            new = folder / _hash(*wanted.values())
            shutil.rmtree(new, ignore_errors=True)  # unreadable: else nothing were missing
            build(new, wanted, recipe, workers)
            parts = [*(part for part in parts if part.path != new), _read_part(new)]
        found = {key: each for part in parts for key, each in part.stored.items()}
        chosen = [found[keys[path]] for path in episodes]
        _remove_stale(folder, {each.part for each in chosen}, recipe.key)
    return chosen


def _hash(*texts: str) -> str:
    return hashlib.sha256(' '.join(texts).encode()).hexdigest()[:16]


def _key(path: Path, root: Path, recipe: Recipe) -> str:
    """Identify an episode's frames by all that they are made from."""
    return _hash(recipe.key, str(path.relative_to(root)), fingerprint(path))


def _to_build(keys: Mapping[Path, str], parts: Sequence[Part]) -> dict[Path, str]:
    """Return the episodes no part has, with those of parts that are small or mostly stale."""
    living = {part.path: set(part.stored) & set(keys.values()) for part in parts}
    missing = set(keys.values()).difference(*living.values())
    for part in sorted(parts, key=lambda part: len(living[part.path])):
        alive = living[part.path]
        if len(alive) <= len(missing) or 2 * len(alive) < len(part.stored):
            missing |= alive
    return {path: key for path, key in keys.items() if key in missing}


def _folders(folder: Path) -> Iterator[Path]:
    """Yield the parts in a cache, and what was begun of one: what this module wrote."""
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(PARTIAL_SUFFIX)
        if path.is_dir() and not path.is_symlink() and OURS.fullmatch(name) and (
                name != path.name or all(each.suffix == '.npy' or each.name == EPISODES
                                         for each in path.iterdir())):
            yield path


def _read_parts(folder: Path) -> list[Part]:
    parts = []
    for path in _folders(folder):
        with suppress(OSError, ValueError, KeyError, TypeError):  # not whole, or of before
            parts.append(_read_part(path))
    return parts


def _read_part(path: Path) -> Part:
    told, stored, first = json.loads((path / EPISODES).read_text()), {}, 0
    for about in told['episodes']:
        last = first + about['frames']
        stored[about['key']] = Stored(path, first, last, about)
        first = last
    return Part(path, told['recipe'], stored)


def _remove_stale(folder: Path, used: set[Path], recipe: str) -> None:
    """Remove the parts that are of no use; who has one open keeps it until it ends."""
    for path in used:
        with suppress(OSError):  # a disk that is read-only
            os.utime(path / EPISODES)
    others: dict[str, int] = {}   # recipe: when it was used last
    parts = {part.path: part for part in _read_parts(folder)}
    for part in parts.values():
        if part.recipe != recipe:
            time_ns = (part.path / EPISODES).stat().st_mtime_ns
            others[part.recipe] = max(time_ns, others.get(part.recipe, 0))
    kept = sorted(others, key=others.get, reverse=True)[:KEPT_RECIPES - 1]
    for path in _folders(folder):
        if path not in used and (path not in parts or parts[path].recipe not in kept):
            shutil.rmtree(path, ignore_errors=True)
