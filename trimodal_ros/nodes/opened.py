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
Every executable's node, opened with every optional part: what it may have on the graph.

Nobody is commanded: it is for a graph of its own (``private_graph.enter_private_graph``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
import tempfile
import threading

import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from .bag_player import PauseServices
from .conductor import Conductor
from .console import RecorderClient
from .endpoints import Endpoints, endpoints_of
from .follower import Follower
from .playback import Playback
from .policy import PolicyNode
from .recorder import RecorderNode
from .simulated_robot import SimulatedRobotNode
from .teleop import TeleopNode
from .teleop_keyboard import KeyboardNode
from ..paths import share_dir, shipped
from ..record.playing import is_sensor
from ..record.selection import expand, read_selection
from ..spec import RobotSpec

# No --log-level: it would outlive the context, and mute what comes after in this process.
ARGS = ['--ros-args', '-r', '__ns:=/opened']


@dataclass(frozen=True)
class Deployment:
    """What decides on names: the robot YAML, a checkpoint for it, the emergency stop's topic."""

    robot: Path
    checkpoint: Path
    stop_topic: str = '/emergency_stop'


SHIPPED = Deployment(shipped().robot, shipped().checkpoint)


def open_all(deployment: Deployment) -> dict[str, Endpoints]:
    """
    Return what each executable opens, by its name.

    Raises what the nodes raise, and ValueError where the checkpoint doesn't fit the robot.
    """
    rclpy.init(args=ARGS)
    try:
        opened = {name: _open(deployment) for name, _open in OPENERS.items()}
    finally:
        rclpy.try_shutdown()
    named = {**opened, **dict.fromkeys(('demo', 'teleop_demo', 'bring_up'), _conductor())}
    recorded = _recorded(named, deployment)
    named['recorder'] = replace(named['recorder'], subscribes=recorded)
    named['player'] |= Endpoints({name: type_name for name, type_name in recorded.items()
                                  if is_sensor(name, type_name)}, {}, {}, {})
    return dict(sorted(named.items()))


def _seen(make: Callable[[], Node], prepare: Callable[[Node], None] = lambda node: None
          ) -> Endpoints:
    node = make()
    try:
        prepare(node)
        return endpoints_of(node)
    finally:
        if hasattr(node, 'close'):
            node.close()
        node.destroy_node()


def _with(**values) -> dict:
    return {'parameter_overrides': [Parameter(name, value=value if isinstance(value, bool)
                                              else str(value)) for name, value in values.items()]}


def _policy(deployment: Deployment) -> Endpoints:
    def configure(node: PolicyNode) -> None:
        if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            raise ValueError(f'{deployment.checkpoint} does not fit {deployment.robot}: see above')
    told = {'robot': deployment.robot, 'checkpoint': deployment.checkpoint,
            'stop_topic': deployment.stop_topic}
    rehearsing = _seen(lambda: PolicyNode(**_with(
        **told, dry_run=True, shadow_checkpoint=deployment.checkpoint)), configure)
    return rehearsing | _seen(lambda: PolicyNode(**_with(**told, dry_run=False)), configure)


def _teleop(deployment: Deployment) -> Endpoints:
    told = {'robot': deployment.robot, 'stop_topic': deployment.stop_topic}
    waiting = _seen(lambda: TeleopNode(**_with(**told, urdf='topic')))
    return waiting | _seen(lambda: TeleopNode(**_with(**told, leader=True)))


def _recorder(deployment: Deployment) -> Endpoints:
    with tempfile.TemporaryDirectory() as folder:
        return _seen(lambda: RecorderNode(**_with(robot=deployment.robot, out=folder)))


def _console(deployment: Deployment) -> Endpoints:
    client = RecorderClient('recorder')
    try:
        return endpoints_of(client.node)
    finally:
        client.close()


def _player(deployment: Deployment) -> Endpoints:
    """Return what it opens without a bag; with one, it publishes what was recorded of sensors."""
    def prepare(node: Node) -> None:
        Playback(node)
        PauseServices(node, None)
        Follower(node, 'policy', threading.Event())
    return _seen(lambda: rclpy.create_node('player'), prepare)


def _conductor() -> Endpoints:
    conductor = Conductor(args=ARGS)
    try:
        return endpoints_of(conductor.node)
    finally:
        conductor.close()


def _recorded(opened: dict[str, Endpoints], deployment: Deployment) -> dict[str, str]:
    """Return what the recorder hears where all others are there."""
    published = {topic.replace('~', executable): type_name for executable, ends in opened.items()
                 for topic, type_name in ends.publishes.items()}
    wanted = read_selection(share_dir() / 'config' / 'recorder.yaml',
                            RobotSpec.from_yaml(deployment.robot))
    return {each.name: published.get(each.name, each.type_name)
            for each in expand(wanted, list(published))}


OPENERS: dict[str, Callable[[Deployment], Endpoints]] = {
    'policy': _policy, 'teleop': _teleop, 'recorder': _recorder, 'console': _console,
    'player': _player,
    'simulated_robot': lambda _: _seen(lambda: SimulatedRobotNode(**_with(viewer=False))),
    'teleop_keyboard': lambda _: _seen(KeyboardNode)}
