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
An episode as the live node would have seen it: observations with what was commanded then.

Shapes: T steps of a chunk, J joints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .account import Account
from .bag_metadata import message_counts
from .episode import EpisodeError, read_info
from .image_topics import image_topics
from .motion import CommandedChunks
from .reader import read_messages
from ..command.decision import Rules
from ..command.message import from_message
from ..command.others import accepted
from ..command.pilot import Pilot
from ..observe.freshness import Freshness
from ..observe.image import ImageError
from ..observe.instruction import InstructionError, normalize_instruction
from ..observe.joints import JointStateError
from ..observe.observer import Joined, NotReady
from ..observe.stamp import stamp_ns
from ..spec import NS_PER_S, Observation, RobotSpec, SpecError, Trajectory


@dataclass(frozen=True)
class Sampling:
    """
    Which moments of a recording are taken.

    One every ``every_s`` seconds, 0 for every image, if inputs are as fresh as the node asks for.
    """

    every_s: float = 0.0  # seconds between two moments; 0 for every image
    freshness: Freshness = field(default_factory=Freshness)

    def __post_init__(self):
        if not self.every_s >= 0:
            raise ValueError(f'every_s: {self.every_s}, expected seconds, at least 0')


@dataclass(frozen=True, eq=False)
class Moment:
    """An observation and what was commanded, or should have been, from it on: [T, J] in rad."""

    observation: Observation
    chunk_TJ: np.ndarray


def read_moments(path: Path, robot: RobotSpec, label_topic: str, sampling: Sampling,
                 dropped: Counter[str]) -> tuple[bool, Iterator[Moment]]:
    """
    Return whether an episode has messages on ``label_topic``, and its moments.

    They are those of the labels, or else as sampled, by default at the robot's rate: what was
    commanded. Raises what ``read_labelled`` and ``read_commanded`` do.
    """
    if message_counts(path).get(label_topic):
        return True, read_labelled(path, robot, label_topic, sampling.freshness)
    every_s = sampling.every_s or 1 / robot.rate_hz
    return False, read_commanded(path, robot, replace(sampling, every_s=every_s), dropped)


def read_labelled(path: Path, robot: RobotSpec, label_topic: str,
                  freshness: Freshness | None = None) -> Iterator[Moment]:
    """
    Yield a moment for each message on ``label_topic``, which is its chunk.

    Raises EpisodeError where a label has no observation, or is no whole chunk.
    """
    replay = Replay(path, robot, freshness)
    replay.use_compressed(message_counts(path))
    for topic, time_ns, message in read_messages(path, [*replay.topics, label_topic]):
        if topic == label_topic:
            label = _read_trajectory(message, robot, f'{path}, {label_topic!r}, {time_ns} ns')
            if len(label.time_s_T) != robot.horizon:
                raise EpisodeError(f'{path}, {time_ns} ns: {len(label.time_s_T)} steps on '
                                   f'{label_topic!r}, a chunk of {robot.name} has {robot.horizon}')
            try:
                yield Moment(replay.observe(), label.position_TJ)
            except (NotReady, ImageError) as error:
                raise EpisodeError(f'{path}, {time_ns} ns: {error}') from error
        else:
            replay.feed(topic, time_ns, message)


def _read_trajectory(message, robot: RobotSpec, where: str) -> Trajectory:
    try:
        return from_message(message, robot)
    except SpecError as error:
        raise EpisodeError(f'{where}: {error}') from error


def read_commanded(path: Path, robot: RobotSpec, sampling: Sampling,
                   dropped: Counter[str]) -> Iterator[Moment]:
    """
    Yield the moments at which the node could have planned, with what was commanded from then on.

    ``dropped`` counts the others by reason: images of the first camera that go into no moment
    because an input is missing, stale or else not usable, moments that were told something else
    than the episode is about, and chunks that reach past the end of what is known. Yields nothing
    where there is no such moment.
    """
    replay, waiting = Replay(path, robot, sampling.freshness), {}
    info = read_info(path)
    told = normalize_instruction(info.instruction)
    for joined in replay.joined(sampling.every_s, dropped):
        observation = _observe(joined, told, dropped)
        if observation is not None:
            waiting[joined.stamp_ns] = observation
            replay.chunks.ask(joined.stamp_ns)
        for stamp, chunk_TJ in replay.chunks.finished():
            yield Moment(waiting.pop(stamp), chunk_TJ)
    for stamp, chunk_TJ in replay.chunks.rest(replay.now_ns, info.goes_on):
        if np.isnan(chunk_TJ).any():
            dropped['end of the recording'] += 1
        else:
            yield Moment(waiting.pop(stamp), chunk_TJ)


def _observe(joined: Joined, told: str, dropped: Counter[str]) -> Observation | None:
    if joined.instruction != told:
        dropped['told something else' if joined.instruction else 'told nothing'] += 1
        return None
    try:
        return joined.observation()
    except ImageError:
        dropped['unreadable image'] += 1
        return None


class Replay:
    """
    Feeds recorded messages, in order of receipt, to the Pilot of the node.

    What is unreadable is left out, and noted, as there: ``refused`` counts it by topic. Remembers
    the newest messages, and of the motion a horizon.
    """

    def __init__(self, path: Path, robot: RobotSpec, freshness: Freshness | None = None):
        self.path, self.robot = path, robot
        self.now_ns = 0     # receipt of the newest message
        rules = Rules(freshness=freshness or Freshness())
        self.pilot = Pilot(robot, lambda observation: None, lambda: self.now_ns, rules)
        self.observer = self.pilot.observer
        self.chunks = CommandedChunks(robot, self.pilot.commanded)
        self.refused: Counter[str] = Counter()
        self._cameras = {camera.topic: camera.name for camera in robot.cameras}
        self._take = {**dict.fromkeys(self._cameras, self._take_image),
                      'joint_states': self._take_joints, 'instruction': self._take_instruction,
                      **{group.topic: self._take_trajectory for group in robot.groups}}

    def use_compressed(self, topics: Collection[str]) -> None:
        """Take a camera's compressed images where only they were recorded."""
        self._cameras = image_topics(self.robot, topics)
        self._take.update(dict.fromkeys(self._cameras, self._take_image))

    @property
    def topics(self) -> list[str]:
        """Topics the node listens to."""
        return list(self._take)

    def feed(self, topic: str, time_ns: int, message) -> None:
        """Take one message; topics the node doesn't listen to are left out."""
        self.now_ns = time_ns
        self.chunks.advance(time_ns)
        if topic in self._take:
            try:
                self._take[topic](topic, message)
            except (ImageError, JointStateError, InstructionError, SpecError):
                self.refused[topic] += 1

    def _take_image(self, topic: str, message) -> None:
        self.observer.add_image(self._cameras[topic], message, self.now_ns)

    def _take_joints(self, topic: str, message) -> None:
        self.observer.add_joints(message)
        newest = self.observer.newest_joints(stamp_ns(message.header.stamp))
        if newest is not None:  # of all joints
            self.chunks.measured(newest.stamp_ns, newest.position_J)

    def _take_instruction(self, topic: str, message) -> None:
        self.observer.instruction = ''  # of one that can't be read, as the node does
        self.observer.set_instruction(message.data)

    def _take_trajectory(self, topic: str, message) -> None:
        self.pilot.sent(accepted(message, self.robot, self.now_ns))

    def observe(self) -> Observation:
        """Return what the node would observe now. Raises NotReady or ImageError."""
        return self.pilot.join().observation()

    def joined(self, every_s: float, dropped: Counter[str]) -> Iterator[Joined]:
        """
        Feed the whole episode; yield what can be joined first in each ``every_s``, undecoded.

        Tried whenever an image comes. Where an input is missing or not usable nothing is joined,
        as by the node; ``dropped`` counts the images of the first camera that went into no moment
        for that, by reason.
        """
        every_ns, first_ns, due_ns, newest_ns = round(every_s * NS_PER_S), None, 0, 0
        account, reference = Account(dropped), self.robot.cameras[0].name
        self.use_compressed(message_counts(self.path))
        for topic, time_ns, message in read_messages(self.path, self.topics):
            camera = self._cameras.get(topic)
            if camera is not None and self.observer.is_from_before(camera, message):
                due_ns = newest_ns = 0
            if camera == reference:
                account.came(stamp_ns(message.header.stamp), time_ns)
            self.feed(topic, time_ns, message)
            joined = None if camera is None else self._try(account)
            if joined is None or joined.stamp_ns <= newest_ns:
                continue
            newest_ns = joined.stamp_ns
            account.joined(joined.samples[reference].stamp_ns, newest_ns >= due_ns)
            if newest_ns < due_ns:
                continue
            yield joined
            first_ns = newest_ns if first_ns is None else first_ns
            due_ns = newest_ns + (every_ns and every_ns - (newest_ns - first_ns) % every_ns)
        account.end()

    def _try(self, account: Account) -> Joined | None:
        try:
            return self.pilot.join()
        except NotReady as error:
            account.failed(error)
            return None
