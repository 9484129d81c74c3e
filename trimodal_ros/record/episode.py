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
Episodes: one rosbag2 directory (MCAP) each, with what it is about in its metadata.

Demonstrations, teleoperation and policy runs have this one form.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import hashlib
import json
import os
from pathlib import Path

import yaml

from ..spec import RobotSpec

METADATA_KEY = 'trimodal_ros'
METADATA_FILE = 'metadata.yaml'
PARTIAL_SUFFIX = '.partial'


class EpisodeError(ValueError):
    """A directory that is not a readable episode, or can't become one."""


class DamagedError(EpisodeError):
    """An episode of which something is missing or was changed; recover.py saves the rest."""


@dataclass(frozen=True)
class EpisodeInfo:
    """
    What an episode is about.

    ``paraphrases`` say the same as ``instruction`` in other words; ``task`` is the object and
    the place of a simulated scene, ``source`` who commanded, ``checkpoint`` its hash.
    ``interventions`` are the times, from and to in ns of receipt, in which somebody took over;
    ``health`` is the recorder's verdict: ``{'verdict': 'good' or 'bad', 'findings': [text]}``,
    with ``'recovered'`` where the recording was interrupted or damaged (record/recover.py).
    ``part_of`` says what a part was cut from (record/cut.py); its outcome, health and
    interventions are those of the whole.
    """

    instruction: str
    robot: str                      # content hash of the RobotSpec
    source: str  # 'demonstration', 'on-policy', 'policy', 'teleoperation', 'mixed' or 'unknown'
    outcome: str = 'unknown'        # 'success', 'failure' or 'unknown'
    checkpoint: str = ''
    paraphrases: tuple[str, ...] = ()
    task: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    operator: str = ''
    interventions: tuple[tuple[int, int], ...] = ()
    health: dict = field(default_factory=dict)
    part_of: dict = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Tell whether it is a part of a recording that goes on where it ends."""
        return not self.part_of.get('is_last', True)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EpisodeInfo:
        """Raises EpisodeError for anything that ``to_json`` doesn't return."""
        try:
            data = json.loads(text)
            return cls(**{
                **data, 'paraphrases': tuple(data['paraphrases']),
                'interventions': tuple(map(tuple, data.get('interventions', ())))})
        except (ValueError, TypeError, KeyError) as error:
            raise EpisodeError(f'damaged episode metadata: {error!r}') from error


def episode_path(root: Path, name: str) -> Path:
    """
    Return where the episode ``name`` of the folder ``root`` lies, or is to lie.

    Raises EpisodeError for a name that leads out of the folder or that nobody would find again.
    """
    if name != os.path.basename(name) or name in ('', '..') or '\0' in name:
        raise EpisodeError(f'{name!r} is not the name of an episode: it must lie directly in '
                           f'{root}')
    if name.startswith('.') or name.endswith(PARTIAL_SUFFIX):
        raise EpisodeError(f'{name!r} is not the name of an episode: names with a leading dot or '
                           f'ending in {PARTIAL_SUFFIX} are those of unfinished ones')
    return Path(root) / name


def find_episodes(*roots: Path) -> list[Path]:
    """
    Return every episode directory at or below the roots, sorted.

    Unfinished ones, and what lies in hidden folders such as the trash, are left out.
    """
    found = set()
    if not roots:
        raise EpisodeError('no folder of episodes is named')
    for root in map(Path, roots):
        if not root.is_dir():
            raise EpisodeError(f'{root} is not a directory')
        found.update(folder for folder, names in walk(root) if METADATA_FILE in names
                     and not folder.name.endswith(PARTIAL_SUFFIX))
    if not found:
        raise EpisodeError(f'no episode (a directory with {METADATA_FILE}) in '
                           f'{", ".join(map(str, roots))}')
    return sorted(found)


def walk(root: Path):
    """Yield each folder at or below ``root`` with its files' names; hidden ones are left out."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith('.')]
        yield Path(folder), names


def fingerprint(path: Path) -> str:
    """Return a hash of the names, sizes and times of an episode's files: as it is now."""
    digest = hashlib.sha256()
    for file in sorted(Path(path).iterdir()):
        if file.is_file():
            stat = file.stat()
            digest.update(f'{file.name} {stat.st_size} {stat.st_mtime_ns} '.encode())
    return digest.hexdigest()


def read_metadata(path: Path) -> dict:
    """Return what metadata.yaml tells, without opening the storage. Raises EpisodeError."""
    try:
        text = (Path(path) / METADATA_FILE).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise EpisodeError(f'{path} is not a readable episode: {error}') from error
    try:
        return dict(yaml.load(text, yaml.CSafeLoader)['rosbag2_bagfile_information'])
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f'{path}: damaged {METADATA_FILE}: {error!r}') from error


def start_of(path: Path) -> int:
    """Return the time of receipt, in ns, of an episode's first message. Raises EpisodeError."""
    return _nanoseconds(path, 'starting_time', 'nanoseconds_since_epoch')


def end_of(path: Path) -> int:
    """Return the time of receipt, in ns, of an episode's last message. Raises EpisodeError."""
    return start_of(path) + _nanoseconds(path, 'duration', 'nanoseconds')


def _nanoseconds(path: Path, key: str, unit: str) -> int:
    try:
        return read_metadata(path)[key][unit]
    except (KeyError, TypeError) as error:
        raise EpisodeError(f'{path}: {METADATA_FILE} has no {key}') from error


def of_other_robot(info: EpisodeInfo, robot: RobotSpec) -> str:
    """Say that an episode was recorded on another robot, '' where it wasn't."""
    if info.robot == robot.content_hash:
        return ''
    return (f'recorded on robot {info.robot}, {robot.name} is {robot.content_hash}: its joints, '
            'cameras, rate or horizon are others; name the robot YAML that it was recorded with')


def read_info(path: Path) -> EpisodeInfo:
    """Return what an episode is about. Raises EpisodeError."""
    custom = read_metadata(path).get('custom_data') or {}
    if METADATA_KEY not in custom:
        raise EpisodeError(f'{path}: {METADATA_FILE} has no custom_data {METADATA_KEY!r}; '
                           'it was not recorded by trimodal_ros')
    try:
        return EpisodeInfo.from_json(custom[METADATA_KEY])
    except EpisodeError as error:
        raise EpisodeError(f'{path}: {error}') from error
