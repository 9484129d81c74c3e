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
A first robot YAML from what was seen on a graph, with comments on what to check.

What nobody told is marked FILL IN and refused until it is; what was guessed is marked CHECK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from .controllers import parameters_of, SCALING
from .draft_joints import joint_lines, urdf_elements
from .seen import IMAGES, JOINT_STATES, Seen
from ..camera import COMPRESSED_SUFFIX
from ..controller import TRAJECTORY_TOPIC
from ..errors import SpecError

FILL_IN = 'FILL IN'
WIDTH_PX = 128        # of what the policy sees: as the shipped one's, quick on two cores
RATE_HZ, HORIZON = 10, 16
TOLD = 0.8            # of a measured rate: less is worth a warning
DEPTHS = ('16UC1', '32FC1', 'mono16')
SUFFIXES = (COMPRESSED_SUFFIX, '/image_raw', '/image_rect_color', '/image_rect', '/image_color',
            '/image', '/color')


class Player(NamedTuple):
    """What plays trajectories; ``is_scaled`` in a time of its own."""

    topic: str
    name: str
    joints: list[str]
    is_scaled: bool


def draft(seen: Seen, urdf: str) -> tuple[str, int]:
    """
    Return the YAML, and how many places are to be filled in.

    ``urdf`` is the name of the file that robot_description is written to. Raises SpecError where
    there are no joints or no cameras to write of.
    """
    elements, name = urdf_elements(seen.description)
    players = _players(seen)
    kept = _kept(players)
    lines = [f'# Written from a graph by trimodal_ros.spec; look at every {FILL_IN} and CHECK.',
             '# doc/reference/robot.md has every key.']
    if not seen.description:
        lines.append('# Nothing came on robot_description: if there is a URDF, name it '
                     '(urdf: FILE) and leave out the limits that it has.')
    lines.append(f'robot: {name}')
    if seen.description:
        lines.append(f'urdf: {urdf}    # from robot_description: limits left out here are its')
    lines += [f'rate_hz: {RATE_HZ}      # CHECK: steps of a chunk a second, as you train for',
              f'horizon: {HORIZON}      # CHECK: steps of a chunk', *_joint_rate(seen), 'joints:']
    commanded = [name for player in kept for name in player.joints]
    lines += joint_lines(commanded or _measured(seen, elements), elements)
    lines += _controller_lines(kept, seen)
    lines += [_left_out(player, kept, seen) for player in players if player not in kept]
    lines += ['cameras:      # width, height: CHECK, what the policy sees, px', *_cameras(seen)]
    text = '\n'.join(lines) + '\n'
    return text, text.count(FILL_IN) - 1


def _players(seen: Seen) -> list[Player]:
    """Return what plays trajectories, one a topic."""
    found = {}
    for topic, subscribers in sorted(seen.subscribers.items()):
        for node in sorted({each.node for each in subscribers}):
            for player in _of_node(topic, node, seen.parameters.get(node) or {}):
                found.setdefault(topic, player)
    return list(found.values())


def _of_node(topic: str, node: str, parameters: Mapping) -> Iterator[Player]:
    if 'joints' in parameters:
        yield _player(topic, node.rpartition('/')[2], parameters)
    for name in (key.removesuffix('.joints') for key in parameters if key.endswith('.joints')):
        if name in topic or len([key for key in parameters if key.endswith('.joints')]) == 1:
            yield _player(topic, name, parameters_of(parameters, name))


def _player(topic: str, name: str, parameters: Mapping) -> Player:
    return Player(topic, name, list(parameters['joints']), bool(parameters.get(SCALING)))


def _kept(players: Sequence[Player]) -> list[Player]:
    """Return players that share no joint, as a robot has them: unscaled ones first, by name."""
    kept, played = [], set()
    for player in sorted(players, key=lambda player: (player.is_scaled, player.name)):
        if not played & set(player.joints):
            kept.append(player)
            played.update(player.joints)
    return [player for player in players if player in kept]


def _measured(seen: Seen, elements: Mapping[str, Element]) -> list[str]:
    stream = seen.streams.get(JOINT_STATES)
    names = list(stream.order) if stream else []
    if not names:
        raise SpecError('no joints: no controller with a parameter joints subscribes to a '
                        f'JointTrajectory, and nothing comes on {JOINT_STATES}; start the driver '
                        'and its controllers, or remap')
    return [name for name in names if name not in elements
            or elements[name].find('mimic') is None and elements[name].get('type') != 'fixed']


def _joint_rate(seen: Seen) -> list[str]:
    stream = seen.streams.get(JOINT_STATES)
    rate = stream.rate_hz if stream else None
    return [f'joint_states_hz: {TOLD * rate:.0f}    # CHECK: {rate:.0f} Hz came'] if rate else []


def _controller_lines(players: Sequence[Player], seen: Seen) -> Iterator[str]:
    topics = [seen.relative(player.topic) for player in players]
    if topics in ([], [TRAJECTORY_TOPIC]):
        return
    yield 'controllers:      # CHECK: who plays which joints, on which topic'
    for topic, player in zip(topics, players):
        yield f'  {player.name}: {{topic: {topic}, joints: [{", ".join(player.joints)}]}}'


def _left_out(player: Player, kept: Sequence[Player], seen: Seen) -> str:
    """Return a comment on a player whose joints others have; only one of them can be active."""
    others = [each for each in kept if set(each.joints) & set(player.joints)]
    lost = [name for name in player.joints if all(name not in each.joints for each in kept)]
    scaled = ', as it plays in scaled time' if player.is_scaled else ''
    without = f'; {", ".join(lost)} with it, which nothing else plays' if lost else ''
    return (f'# CHECK: {player.name} plays the same joints; {seen.relative(player.topic)} is left '
            f'out{scaled}{without}: have {", ".join(each.name for each in others)} active, not it')


def _cameras(seen: Seen) -> list[str]:
    topics = [topic for topic in seen.of_type(*IMAGES) if topic in seen.streams
              and seen.streams[topic].size_px and not _is_depth(topic, seen)]
    raw = {topic for topic in topics if seen.found[topic] == IMAGES[0]}
    chosen = [topic for topic in topics if topic.removesuffix(COMPRESSED_SUFFIX) not in raw
              or topic in raw]
    if not chosen:
        raise SpecError('no cameras: no image came that can be read; on the graph there are '
                        f'{", ".join(seen.of_type(*IMAGES)) or "no image topics"}')
    lines, used = [], set()
    for topic in chosen:
        name = _camera_name(topic, used)
        used.add(name)
        lines.append(_camera(name, topic, seen))
    return lines


def _is_depth(topic: str, seen: Seen) -> bool:
    return seen.streams[topic].encoding in DEPTHS or 'depth' in topic.lower()


def _camera_name(topic: str, used: set[str]) -> str:
    name = topic.strip('/')
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    short = name.rpartition('/')[2] or name
    return short if short not in used else name.replace('/', '_')


def _camera(name: str, topic: str, seen: Seen) -> str:
    stream = seen.streams[topic]
    width, height = stream.size_px
    seen_px = (min(width, WIDTH_PX), max(8, round(height * min(width, WIDTH_PX) / width)))
    compressed = seen.found[topic] == IMAGES[1]
    stated = ', compressed: true' if compressed and not topic.endswith(COMPRESSED_SUFFIX) else ''
    rate = f', rate_hz: {TOLD * stream.rate_hz:.0f}' if stream.rate_hz else ''
    came = f'{width}x{height} px {stream.encoding}'
    came += f' at {stream.rate_hz:.0f} Hz' if stream.rate_hz else ''
    keys = f'topic: {seen.relative(topic)}, width: {seen_px[0]}, height: {seen_px[1]}'
    return f'  {name}: {{{keys}{stated}{rate}}}    # {came}'
