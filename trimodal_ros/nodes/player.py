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
Plays recordings over DDS, for nodes that run with ``use_sim_time``.

Publishes the recorded topics, each message as it was serialized and with the QoS it was recorded
with, and the time it was received at on ``/clock``. By default sensors only: cameras, joint
states and what else is of sensor_msgs, ``instruction`` and ``robot_description``. Commands, such
as trajectories, takeovers, joysticks, leader arms and stops, are played only where they are named.

Services (std_srvs/Trigger): ``~/pause`` and ``~/resume``.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
import sys
import threading
import time
from typing import Annotated

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
import tyro

from .bag_player import Paced, PauseServices, play_bag, POLL_S, Stepped, wait
from .follower import Follower, Stopped
from .playback import Playback
from .private_graph import GraphError
from .ros import SpinThread, stop_signals
from ..command_line import one_line_errors
from ..record.episode import EpisodeError, find_episodes
from ..record.playing import check_names

INTERRUPTED = 130    # what shells return for it


def play(bags: Annotated[list[Path], tyro.conf.Positional], rate: float = 1.0, loop: bool = False,
         step: bool = False, policy: str = 'policy', topics: tuple[str, ...] = (),
         wait_s: float = 5.0) -> int:
    """
    Play recordings over DDS, for nodes that run with use_sim_time.

    Publishes each message as it was serialized, with the QoS it was recorded with, and the time it
    was received at on /clock. By default sensors only: cameras, joint states and what else is of
    sensor_msgs, instruction and robot_description. Commands, such as trajectories, takeovers,
    joysticks, leader arms and stops, are played only where you name them. Whoever runs on the
    same graph takes all of it for what happens now: have no robot there.

    ~/pause and ~/resume (std_srvs/Trigger) let time stand still and go on. Exits with 1 if a bag
    could not be played to its end; the others are.

    :param bags: Directories with recordings (rosbag2, MCAP) in them, at any depth; played in the
        order given.
    :param rate: Times as fast as it was.
    :param loop: Begin again at the end: the clock jumps back, as for any bag older than the last.
    :param step: Instead of at a rate, play the next message when the policy node has taken in, and
        decided on, the one before: nothing is lost, however slow the machine.
    :param policy: Name of the policy node that --step waits for.
    :param topics: Play these, and nothing else; commands too. Named as in the bag.
    :param wait_s: Seconds to wait, at most, for every topic to have a subscriber.
    """
    if not rate > 0:
        raise ValueError(f'rate: {rate}, expected more than 0')
    if not bags:
        raise ValueError('no bags: name at least one directory with recordings')
    paths = [path for root in bags for path in find_episodes(root)]
    check_names(paths, topics)
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node, stop = rclpy.create_node('player'), stop_signals()
        with closing(SpinThread(node)):
            playback = Playback(node, topics or None)
            if step:
                follower = Follower(node, policy, stop)
                player = Stepped(playback, follower, stop, partial(
                    _wait_for_activation, node, follower, stop))
            else:
                player = Paced(playback, rate, stop)
            PauseServices(node, player)
            _wait_for_subscribers(node, playback, paths, wait_s, stop)
            return _play_all(paths, player, loop)
    except Stopped:
        return INTERRUPTED
    finally:
        rclpy.try_shutdown()


def _wait_for_activation(node: Node, follower: Follower, stop: threading.Event) -> None:
    node.get_logger().info('the policy has all its inputs; waiting for somebody to activate it')
    while not follower.ask().active:
        wait(stop, POLL_S)


def _wait_for_subscribers(node: Node, playback: Playback, paths: list[Path], wait_s: float,
                          stop: threading.Event) -> None:
    """Offer the topics of the first bag that has any, and wait for somebody to listen."""
    for path in paths:
        try:
            playback.open(path)
        except EpisodeError:
            continue   # told when it is played
        break
    deadline = time.monotonic() + wait_s
    while playback.unheard() and time.monotonic() < deadline:
        wait(stop, POLL_S)
    unheard = playback.unheard()
    if unheard:
        node.get_logger().warning(f'nobody subscribes to {", ".join(unheard)}')


def _play_all(paths: list[Path], player: Paced | Stepped, loop: bool) -> int:
    """Play every bag that can be played, and tell of the others; return the exit code."""
    while True:
        bad = [path for path in paths if not _played(path, player)]
        if not loop or len(bad) == len(paths):
            return 1 if bad else 0


def _played(path: Path, player: Paced | Stepped) -> bool:
    try:
        play_bag(path, player)
    except EpisodeError as error:
        print(f'error: {error}', file=sys.stderr)
        return False
    return True


def main(args: list[str] | None = None) -> None:
    args = remove_ros_args(sys.argv)[1:] if args is None else args
    with one_line_errors(GraphError):
        raise SystemExit(tyro.cli(play, args=args, prog='trimodal_ros.nodes.player'))


if __name__ == '__main__':
    main()
