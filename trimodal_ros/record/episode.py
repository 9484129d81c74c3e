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

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
import shutil

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.rosbag2.errors import ReaderError
import yaml

from .messages import TYPESTORE

METADATA_KEY = 'trimodal_ros'
PARTIAL_SUFFIX = '.partial'
ROSBAG2_VERSION = 9  # of metadata.yaml: Jazzy's


class EpisodeError(ValueError):
    """A directory that is not a readable episode."""


@dataclass(frozen=True)
class EpisodeInfo:
    """
    What an episode is about.

    ``paraphrases`` say the same as ``instruction`` in other words; ``task`` is the object and
    the place of a simulated scene, ``source`` who commanded, ``checkpoint`` its hash.
    ``interventions`` are the times, from and to in ns of receipt, in which somebody took over;
    ``health`` is the recorder's verdict: ``{'verdict': 'good' or 'bad', 'findings': [text]}``.
    """

    instruction: str
    robot: str                      # content hash of the RobotSpec
    source: str                     # 'demonstration', 'on-policy', 'policy', 'teleoperation'
    outcome: str = 'unknown'        # 'success', 'failure' or 'unknown'
    checkpoint: str = ''
    paraphrases: tuple[str, ...] = ()
    task: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    operator: str = ''
    interventions: tuple[tuple[int, int], ...] = ()
    health: dict = field(default_factory=dict)


class EpisodeWriter:
    """
    Writes raw serialized messages to ``path``; nothing is there until ``close``.

    Writes beside it under ``*.partial`` and renames, so that an interrupted episode is never
    taken for a whole one.
    """

    def __init__(self, path: Path, compress: bool = True):
        self.path = Path(path)
        if self.path.exists():
            raise EpisodeError(f'{self.path} exists already; nothing is overwritten')
        self._partial = self.path.with_name(self.path.name + PARTIAL_SUFFIX)
        if self._partial.exists():
            raise EpisodeError(f'{self._partial} is left of an interrupted run; move it away')
        self._writer = Writer(self._partial, version=ROSBAG2_VERSION,
                              storage_plugin=StoragePlugin.MCAP)
        if compress:  # chunks inside the MCAP: readable by every MCAP reader
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections = {}

    def add_topic(self, topic: str, type_name: str, latched: bool = False) -> None:
        """Declare a topic and the QoS it was offered with."""
        self._connections[topic] = self._writer.add_connection(
            topic, type_name, typestore=TYPESTORE, offered_qos_profiles=[_qos(latched)])

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append one message in CDR with its time of receipt."""
        self._writer.write(self._connections[topic], time_ns, data)

    def close(self, info: EpisodeInfo) -> Path:
        """Finish the episode and return where it lies."""
        self._writer.set_custom_data(METADATA_KEY, json.dumps(asdict(info)))
        self._writer.close()
        mcap = self._partial / f'{self._partial.name}.mcap'
        self._partial.rename(self.path)
        _rename_storage(self.path, mcap.name)
        return self.path

    def discard(self) -> None:
        """Drop what was written so far, after an error or an interrupt."""
        self._writer.close()
        shutil.rmtree(self._partial)


def _rename_storage(path: Path, old: str) -> None:
    """Name the MCAP file after its directory, as ``ros2 bag record`` does."""
    new = f'{path.name}_0.mcap'
    (path / old).rename(path / new)
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace(old, new))


def _qos(latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    unset = QosTime(sec=0, nsec=0)
    return Qos(QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, durability, unset, unset,
               QosLiveliness.AUTOMATIC, unset, False)


def find_episodes(*roots: Path) -> list[Path]:
    """Return every episode directory at or below the roots, sorted; partial ones left out."""
    found = set()
    for root in map(Path, roots):
        if not root.is_dir():
            raise EpisodeError(f'{root} is not a directory')
        found.update(path.parent for path in root.rglob('metadata.yaml')
                     if not path.parent.name.endswith(PARTIAL_SUFFIX))
    if not found:
        raise EpisodeError(f'no episode (a directory with metadata.yaml) in '
                           f'{", ".join(map(str, roots))}')
    return sorted(found)


def _open(path: Path) -> Reader:
    try:
        reader = Reader(path)
        reader.open()
    except (ReaderError, OSError) as error:
        raise EpisodeError(f'{path} is not a readable episode: {error}') from error
    return reader


def _read_metadata(path: Path) -> dict:
    """Return metadata.yaml without opening the storage, which takes far longer."""
    try:
        metadata = yaml.load((Path(path) / 'metadata.yaml').read_text(), yaml.CSafeLoader)
        return metadata['rosbag2_bagfile_information']
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise EpisodeError(f'{path} is not a readable episode: {error}') from error


def read_info(path: Path) -> EpisodeInfo:
    """Return what an episode is about. Raises EpisodeError."""
    custom = _read_metadata(path).get('custom_data') or {}
    if METADATA_KEY not in custom:
        raise EpisodeError(f'{path}: metadata.yaml has no custom_data {METADATA_KEY!r}; '
                           'it was not recorded by trimodal_ros')
    try:
        data = json.loads(custom[METADATA_KEY])
        return EpisodeInfo(**{
            **data, 'paraphrases': tuple(data['paraphrases']),
            'interventions': tuple(map(tuple, data.get('interventions', ())))})
    except (ValueError, TypeError, KeyError) as error:
        raise EpisodeError(f'{path}: damaged episode metadata: {error}') from error


def read_messages(path: Path) -> Iterator[tuple[str, int, object]]:
    """Yield (topic, time of receipt in ns, message) in the order of receipt; or EpisodeError."""
    reader = _open(path)
    try:
        for connection, time_ns, data in reader.messages():
            yield connection.topic, time_ns, TYPESTORE.deserialize_cdr(data, connection.msgtype)
    except Exception as error:  # noqa: B902 - damaged bytes: whatever MCAP, zstd or CDR raise
        raise EpisodeError(f'{path}: damaged: {error!r}') from error
    finally:
        reader.close()
