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
Recordings played into a live policy node that rehearses, and what it decides.

The node is a process of its own on a private graph; it goes by ``/clock``, hears the recorded
commands and plans on from them, and sends nothing that anybody obeys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
import tempfile
import threading

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from trajectory_msgs.msg import JointTrajectory

from .bag_player import Paced, play_bag, Stepped
from .conductor import Conductor
from .follower import Follower
from .playback import Playback
from .private_graph import enter_private_graph, GraphError, NodeProcesses
from .ros import HEAR_ALL_QOS, wait_until
from .ros_rollout import write_robot_yaml
from ..evaluate.replay.decisions import ReplayedDecision
from ..evaluate.replay.heard import Hearing, TOPICS
from ..record.episode import EpisodeError
from ..spec import RobotSpec

POLICY = 'policy'
MEET_S = 10.0        # for the node to find what is played
ARRIVE_S = 10.0      # for the last decision to come
POLL_S = 0.005


@dataclass(frozen=True)
class NodeReplay:
    """
    How recordings are played into the node.

    ``rate`` is how many times as fast as it was, 0 in steps: each message when the one before is
    decided on. ``parameters`` are further ones of the policy node.
    """

    rate: float = 0.0
    replan_period_s: float = 0.6
    parameters: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        if not 0 <= self.rate < float('inf'):
            raise ValueError(f'rate: {self.rate}, expected at least 0: times as fast as it was, '
                             'or 0 for steps')


@dataclass(frozen=True, eq=False)
class NodeEpisode:
    """
    What a node decided in one recording.

    ``fault`` says why it could not be judged, or not to its end; '' if it could.
    """

    path: Path
    decisions: list[ReplayedDecision]
    fault: str = ''


def replay_through_node(paths: list[Path], checkpoint: Path, how: NodeReplay,
                        log_dir: Path | None = None) -> Iterator[NodeEpisode]:
    """
    Yield what the policy node decides in each recording, one after another.

    Raises CheckpointError before anything is started, GraphError when the node fails.
    """
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as folder:
        robot_yaml = write_robot_yaml(checkpoint, Path(folder))
        enter_private_graph()
        with rehearsing(checkpoint, robot_yaml, how, log_dir or Path(folder) / 'log') as stage:
            for path in paths:
                yield stage.play(path)


@contextmanager
def rehearsing(checkpoint: Path, robot_yaml: Path, how: NodeReplay, log_dir: Path
               ) -> Iterator[Stage]:
    """Start the node on this process's graph, unconfigured; end it on leaving."""
    parameters = {'ramp_s': 0.0, **how.parameters, 'checkpoint': checkpoint, 'robot': robot_yaml,
                  'replan_period_s': how.replan_period_s, 'dry_run': True,
                  'follow_commands': True, 'use_sim_time': True}
    with NodeProcesses(log_dir) as processes:
        processes.start(POLICY, parameters)
        conductor = Conductor(processes)
        try:
            yield Stage(conductor, RobotSpec.from_yaml(robot_yaml), how)
        finally:
            conductor.close()


class Stage:
    """A policy node and who plays to it, at a ``rate``; it is configured anew every time."""

    def __init__(self, conductor: Conductor, robot: RobotSpec, how: NodeReplay):
        self._conductor, self._robot, self.rate = conductor, robot, how.rate
        self._stop = threading.Event()   # never set: an interrupt raises
        self._hearing = Hearing('', robot)
        self._decided: list[ReplayedDecision] = []
        decision, plan, under = (f'{POLICY}/{topic}' for topic in TOPICS[''])
        for message_class, topic, hear in (
                (DiagnosticArray, decision, self._hear_decision),
                (JointTrajectory, plan, lambda message: self._hearing.hear_plan(message)),
                *((JointTrajectory, under + group.topic.strip('/'),
                   lambda message: self._hearing.hear_trajectory(message))
                  for group in robot.groups)):
            conductor.node.create_subscription(message_class, topic, hear, HEAR_ALL_QOS)

    def _hear_decision(self, message: DiagnosticArray) -> None:
        self._hearing.hear_decision(message)
        self._decided += self._hearing.ready()

    def play(self, path: Path) -> NodeEpisode:
        """Play a recording to the node from its beginning and return what it decided."""
        self._hearing, self._decided = Hearing(str(path), self._robot), []
        playback = Playback(self._conductor.node, self._robot.input_topics)
        fault = ''
        self._conductor.transition(Transition.TRANSITION_CONFIGURE)
        follower = Follower(self._conductor.node, POLICY, self._stop)
        try:
            self._play(path, playback, follower)
        except EpisodeError as error:
            fault = str(error)
        decisions = self._end(playback, follower)
        if self.rate == 0.0:   # its clock stood still while it thought
            decisions = [replace(each, age_ms=None) for each in decisions]
        return NodeEpisode(path, decisions, fault)

    def _play(self, path: Path, playback: Playback, follower: Follower) -> None:
        playback.open(path)
        self._meet(path, playback)
        if self.rate == 0.0:
            play_bag(path, Stepped(playback, follower, self._stop, self._conductor.activate))
        else:
            self._play_paced(path, playback, follower)
        progress = follower.ask()
        if not progress.decisions:
            raise EpisodeError(f'{path}: the node had nothing to decide on: '
                               f'{progress.held_for or progress.not_ready}')

    def _meet(self, path: Path, playback: Playback) -> None:
        """Wait until the node has found what is to be played."""
        if not wait_until(lambda: not playback.unheard(), MEET_S, POLL_S):
            unheard = ', '.join(map(repr, playback.unheard()))
            raise EpisodeError(f'{path}: the node does not hear {unheard}, as it was recorded: is '
                               "its QoS another than the node's?")

    def _play_paced(self, path: Path, playback: Playback, follower: Follower) -> None:
        player, is_over = Paced(playback, self.rate, self._stop), threading.Event()
        follower.begin(playback.published)

        def activate() -> None:
            while not is_over.wait(POLL_S):
                if not follower.ask().not_ready:
                    return self._conductor.activate()
        with ThreadPoolExecutor(1) as thread:
            activating = thread.submit(activate)
            try:
                play_bag(path, player)
            finally:
                is_over.set()
            activating.result()

    def _end(self, playback: Playback, follower: Follower) -> list[ReplayedDecision]:
        """Return what was decided, once it is all here, and let go of the recording."""
        progress = follower.ask()
        wait_until(lambda: self._heard() >= progress.decisions and self._hearing.is_whole,
                   ARRIVE_S, POLL_S)
        if self._heard() < progress.decisions:
            raise GraphError(f'{self._heard()} of {progress.decisions} decisions have come')
        decisions = [*self._decided, *self._hearing.ready(at_end=True)]
        if progress.active:
            self._conductor.transition(Transition.TRANSITION_DEACTIVATE)
        self._conductor.transition(Transition.TRANSITION_CLEANUP)
        playback.close()
        return decisions

    def _heard(self) -> int:
        return len(self._decided) + self._hearing.decisions
