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

"""Plays bags at a pace, or in the steps of a policy node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import threading

from rclpy.node import Node
from std_srvs.srv import Trigger

from .follower import Follower, Stopped
from .playback import Pace, Playback
from .policy_progress import Progress
from ..progress import progress_bar
from ..record.bag_metadata import message_counts
from ..record.reader import read_raw, Recorded

CLOCK_S = 0.01       # between two messages on /clock
BEHIND_S = 0.1       # of real time, after which what was missed is let go
POLL_S = 0.1


class Paced:
    """Plays at a pace; what is played late sets the pace anew."""

    def __init__(self, playback: Playback, rate: float, stop: threading.Event):
        self.playback, self.pace = playback, Pace(rate)
        self._stop = stop

    def begin(self, path: Path, time_ns: int) -> None:
        """Go on from the time of a bag's first message."""
        self.pace.begin(time_ns)

    def play(self, recorded: Recorded) -> None:
        """Publish a message when its time has come. Raises Stopped."""
        while (left_s := self.pace.left_s(recorded.received_ns)) > 0:
            self.playback.tell_time(self.pace.now_ns)
            wait(self._stop, min(left_s, CLOCK_S))
        if left_s < -BEHIND_S:
            self.pace.begin(recorded.received_ns)
        wait(self._stop, 0.0)
        self.playback.tell_time(recorded.received_ns)
        self.playback.publish(recorded)

    def pause(self, is_paused: bool) -> None:
        """Let time stand still, or go on."""
        self.pace.pause(is_paused)


class Stepped:
    """
    Plays the next message when a policy has taken in, and decided on, the one before.

    ``when_ready`` is called after each message at which the policy has all its inputs and is not
    active.
    """

    def __init__(self, playback: Playback, follower: Follower, stop: threading.Event,
                 when_ready: Callable[[], None]):
        self.playback, self.progress = playback, Progress(0)
        self._follower, self._stop, self._when_ready = follower, stop, when_ready
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def begin(self, path: Path, time_ns: int) -> None:
        """Find the policy, at the time of a bag's first message."""
        self._follower.begin(self.playback.published)

    def play(self, recorded: Recorded) -> None:
        """Publish a message and wait. Raises FollowError, or Stopped."""
        while not self._may_go_on.wait(POLL_S):
            wait(self._stop, 0.0)
        self.reach(recorded.received_ns)
        self.playback.publish(recorded)
        self._catch_up(recorded.received_ns)
        if not self.progress.active and not self.progress.not_ready:
            self._when_ready()

    def reach(self, time_ns: int) -> None:
        """Wait until it is that time to the policy."""
        self.playback.tell_time(time_ns)
        self._catch_up(time_ns)

    def _catch_up(self, time_ns: int) -> None:
        self.progress = self._follower.catch_up(time_ns, self.playback.published)

    def pause(self, is_paused: bool) -> None:
        """Let time stand still, or go on."""
        self._may_go_on.clear() if is_paused else self._may_go_on.set()


def wait(stop: threading.Event, seconds: float) -> None:
    """Wait so long; raises Stopped as soon as ``stop`` is set."""
    if stop.wait(seconds):
        raise Stopped


def play_bag(path: Path, player: Paced | Stepped) -> None:
    """Play one bag from end to end. Raises EpisodeError, FollowError, or Stopped."""
    names, is_first, counts = player.playback.open(path), True, message_counts(path)
    total = sum(counts[name] for name in names)
    for recorded in progress_bar(read_raw(path, names), total=total, unit='msg', desc=path.name):
        if is_first:
            player.begin(path, recorded.received_ns)
            is_first = False
        player.play(recorded)


class PauseServices:
    """``~/pause`` and ``~/resume`` (std_srvs/Trigger) of a node that plays."""

    def __init__(self, node: Node, player: Paced | Stepped):
        self._player = player
        node.create_service(Trigger, '~/pause', lambda *asked: self._pause(True, *asked))
        node.create_service(Trigger, '~/resume', lambda *asked: self._pause(False, *asked))

    def _pause(self, is_paused: bool, request, response):
        self._player.pause(is_paused)
        response.success, response.message = True, 'paused' if is_paused else 'goes on'
        return response
