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

"""Which topics of a bag are played, in which order, and with what quality of service."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.metadata import parse_qos

from .bag_metadata import told_topics
from .episode import EpisodeError, read_metadata
from .selection import INSTRUCTION

SENSORS = 'sensor_msgs/msg/'
COMMANDS = ('Joy', 'JoyFeedback', 'JoyFeedbackArray')   # of sensor_msgs, a person's
LEADER = 'leader'            # the arm that a person moves: another follows what it measures
STRING = 'std_msgs/msg/String'
TEXTS = (INSTRUCTION, 'robot_description')
DEPTH = 10                   # of a topic whose recording tells of none


class Played(NamedTuple):
    """A topic to play, with what all its publishers offered when it was recorded."""

    name: str
    type_name: str
    reliable: bool
    latched: bool
    depth: int


def is_sensor(name: str, type_name: str) -> bool:
    """
    Tell whether a topic says what was measured or told, and commands nobody's motors.

    >>> is_sensor('front/image_raw', 'sensor_msgs/msg/Image')
    True
    >>> is_sensor('leader/joint_states', 'sensor_msgs/msg/JointState')
    False
    >>> is_sensor('joint_trajectory', 'trajectory_msgs/msg/JointTrajectory')
    False
    """
    *folders, last = name.split('/')
    if type_name == STRING:
        return last in TEXTS
    return (type_name.startswith(SENSORS) and LEADER not in folders
            and type_name.removeprefix(SENSORS) not in COMMANDS)


def choose_topics(path: Path, names: Collection[str] | None = None) -> list[Played]:
    """
    Return the topics of a bag to play: those named, by default the sensors.

    Raises EpisodeError for a bag that has none of them, which lists what it has.
    """
    information, chosen = read_metadata(path), {}
    told = told_topics(path, information)
    for about, (name, type_name, count) in zip(information['topics_with_message_count'], told):
        if count and (is_sensor(name, type_name) if names is None else name in names):
            qos = about['topic_metadata'].get('offered_qos_profiles')
            chosen[name] = played(path, name, type_name, qos)
    if not chosen:
        wanted = 'no sensor' if names is None else f'none of {", ".join(sorted(names))}'
        known = ', '.join(sorted(name for name, _, count in told if count))
        raise EpisodeError(f'{path}: {wanted} among its topics: {known or "none with messages"}')
    return list(chosen.values())


def played(path: Path, name: str, type_name: str, qos: str | list | None) -> Played:
    """
    Return a topic as it is played; of its publishers, as rosbag2 notes them, the least counts.

    Where nothing is noted sensors are best effort, all else is reliable. Raises EpisodeError.
    """
    try:
        profiles = parse_qos(qos or [])
    except (ReaderError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise EpisodeError(f'{path}, topic {name!r}: unreadable QoS: {error!r}') from error
    if not profiles:
        return Played(name, type_name, not type_name.startswith(SENSORS), False, DEPTH)
    reliable = all(profile.reliability != QosReliability.BEST_EFFORT for profile in profiles)
    latched = reliable and all(
        profile.durability == QosDurability.TRANSIENT_LOCAL for profile in profiles)
    depth = max(1, *(profile.depth for profile in profiles))
    return Played(name, type_name, reliable, latched, depth)


def check_names(paths: Collection[Path], names: Collection[str]) -> None:
    """Raise EpisodeError for a topic that is in none of the bags that can be read."""
    known: set[str] = set()
    for path in paths:
        try:
            known.update(name for name, *_ in told_topics(path, read_metadata(path)))
        except EpisodeError:
            continue   # told when it is played
    missing = sorted(set(names) - known)
    if known and missing:
        raise EpisodeError(f'topics {", ".join(missing)} are in none of the bags, which have '
                           f'{", ".join(sorted(known))}')
