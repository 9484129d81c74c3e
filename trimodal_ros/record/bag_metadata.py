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

"""What metadata.yaml tells of a bag: rosbag2's own summary, as Jazzy writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .episode import DamagedError, EpisodeError, read_metadata
from .topic import Topic

ROSBAG2_VERSION = 9       # of metadata.yaml: Jazzy's
NOTHING_NS = 2**63 - 1    # starting time of a bag without messages, as rosbag2 has it


@dataclass
class Contents:
    """Channels of a bag by id, and what was written to them so far; times in ns of receipt."""

    topics: dict[int, Topic] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    first_ns: int = NOTHING_NS
    last_ns: int = 0

    def add(self, channel: int, topic: Topic) -> None:
        self.topics[channel], self.counts[channel] = topic, 0

    def count(self, channel: int, received_ns: int) -> None:
        self.counts[channel] += 1
        self.first_ns = min(self.first_ns, received_ns)
        self.last_ns = max(self.last_ns, received_ns)


def bag_information(contents: Contents, file_name: str, custom: dict[str, str]) -> dict:
    """Return ``rosbag2_bagfile_information`` of a bag that is one MCAP file."""
    summary = {
        'starting_time': {'nanoseconds_since_epoch': contents.first_ns},
        'duration': {'nanoseconds': max(0, contents.last_ns - contents.first_ns)},
        'message_count': sum(contents.counts.values())}
    return {
        'version': ROSBAG2_VERSION, 'storage_identifier': 'mcap', **summary,
        'topics_with_message_count': [
            {'topic_metadata': _topic(topic), 'message_count': contents.counts[channel]}
            for channel, topic in contents.topics.items()],
        'compression_format': '', 'compression_mode': '',  # chunks are compressed inside
        'relative_file_paths': [file_name], 'files': [{'path': file_name, **summary}],
        'custom_data': custom, 'ros_distro': 'jazzy'}


def _topic(topic: Topic) -> dict:
    return {'name': topic.name, 'type': topic.type_name, 'serialization_format': 'cdr',
            'offered_qos_profiles': yaml.safe_load(topic.qos) or [],
            'type_description_hash': topic.type_hash}


def to_yaml(information: dict) -> str:
    return yaml.dump(information, Dumper=_Dumper, sort_keys=False, width=10**9)


class _Dumper(yaml.CSafeDumper):
    """Writes everything out: the aliases of YAML are not for readers of metadata.yaml."""

    def ignore_aliases(self, data) -> bool:
        return True


def storage_files(path: Path, information: dict) -> list[Path]:
    """Return the MCAP files of a bag. Raises EpisodeError for another storage."""
    storage = information.get('storage_identifier')
    mode = str(information.get('compression_mode') or 'none').lower()
    if storage != 'mcap' or mode != 'none':
        raise EpisodeError(f'{path}: storage {storage!r}, compression mode {mode!r}; expected '
                           "'mcap' and 'none': ros2 bag convert makes such a bag of it")
    names = information.get('relative_file_paths')
    if not isinstance(names, list) or not names:
        raise EpisodeError(f'{path}: metadata.yaml names no files')
    for name in names:
        if not isinstance(name, str) or name != Path(name).name:
            raise EpisodeError(f'{path}: metadata.yaml names the file {name!r}, which lies '
                               'outside of the episode')
    return [path / name for name in names]


def told_topics(path: Path, information: dict) -> list[tuple[str, str, int]]:
    """Return name, type and number of messages of each topic. Raises EpisodeError."""
    try:
        return [(each['topic_metadata']['name'], each['topic_metadata']['type'],
                 int(each['message_count'])) for each in information['topics_with_message_count']]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f'{path}: damaged metadata.yaml: {error!r}') from error


def expected_topics(path: Path, information: dict,
                    topics: Collection[str] | None) -> dict[str, tuple[str, int]]:
    """
    Return type and number of messages of each topic, or of those of ``topics`` that are there.

    Raises EpisodeError for a topic that changes its type.
    """
    expected: dict[str, tuple[str, int]] = {}
    for name, type_name, count in told_topics(path, information):
        if topics is None or name in topics:
            before, counted = expected.get(name, (type_name, 0))
            if before != type_name:
                raise EpisodeError(f'{path}, topic {name!r} changes its type from {before} to '
                                   f'{type_name}; other topics can be read without it')
            expected[name] = (type_name, counted + count)
    return expected


def message_counts(path: Path) -> dict[str, int]:
    """Return how many messages each topic of an episode has. Raises EpisodeError."""
    counts: Counter[str] = Counter()
    for name, _, count in told_topics(path, read_metadata(path)):
        counts[name] += count
    return dict(counts)


def check_statistics(path: Path, information: dict, counted: Counter[str]) -> None:
    """Raise EpisodeError where files hold other numbers of messages than metadata.yaml tells."""
    told: Counter[str] = Counter()
    for name, _, count in told_topics(path, information):
        told[name] += count
    for name in sorted(told.keys() | counted.keys()):
        if told[name] != counted[name]:
            raise DamagedError(f'{path}, topic {name!r}: {counted[name]} messages, metadata.yaml '
                               f'tells of {told[name]}')
