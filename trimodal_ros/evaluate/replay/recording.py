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

"""Goes through a recording offline, as fast as the machine does, in windows of bounded size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from .decisions import ReplayedDecision
from .measures import LONGEST_GAP_S
from .rehearsal import BATCH, Rehearsal, Swaps
from .station import Received, Settings
from ...command.interlock import NO_INSTRUCTION
from ...plan.batch import BatchPlanner
from ...record.bag_metadata import message_counts
from ...record.episode import (
    end_of,
    EpisodeError,
    EpisodeInfo,
    of_other_robot,
    read_info,
    start_of,
)
from ...record.image_topics import image_topics
from ...record.reader import read_messages
from ...spec import NS_PER_S, RobotSpec

WINDOW_BYTES = 2**26     # about, of messages that are held at once
MESSAGE_BYTES = 2**10    # of any message, besides its data


class Recording:
    """
    One recorded episode, to be replayed by one or more policies for the same robot.

    Raises EpisodeError, naming what is missing, for one that no policy can decide in.
    """

    def __init__(self, path: Path, robot: RobotSpec):
        self.path, self.robot = path, robot
        self.info = check_recording(path, robot)
        self.start_ns, self.rehearsals = start_of(path), []

    @property
    def now_ns(self) -> int:
        """Receipt of the newest message that was replayed; 0 before the first."""
        return self.rehearsals[0].station.now_ns if self.rehearsals else 0

    @property
    def holds(self) -> dict[str, int]:
        """What the first policy was held for, and how often, but for having been told nothing."""
        if not self.rehearsals:
            return {}
        counts = self.rehearsals[0].station.holds
        return {what: count for what, count in counts.items() if what != NO_INSTRUCTION}

    def replay(self, planners: Sequence[BatchPlanner], settings: Settings,
               sentences: Collection[str] = (), swap_every: int = 4
               ) -> Iterator[tuple[int, ReplayedDecision]]:
        """
        Yield what each policy decides, with its place among ``planners``.

        Every ``swap_every`` decisions a policy is also told another one of ``sentences``.
        Raises EpisodeError, where the rest of the recording can't be read, after what comes
        before.
        """
        memory, topics = {}, message_counts(self.path)
        self.rehearsals = [Rehearsal(str(self.path), planner, settings,
                                     Swaps(sentences, swap_every), memory, topics)
                           for planner in planners]
        fault = None
        try:
            for window in self._windows():
                for place, rehearsal in enumerate(self.rehearsals):
                    yield from ((place, decision) for decision in rehearsal.go(window))
                memory.clear()
        except EpisodeError as error:
            fault = error
        end_ns = self.now_ns if fault else end_of(self.path)
        for place, rehearsal in enumerate(self.rehearsals):
            yield from ((place, decision) for decision in rehearsal.end(end_ns))
        if fault is not None:
            raise fault

    def _windows(self) -> Iterator[list[Received]]:
        """Yield messages that all policies have foreseen; what comes before a fault, too."""
        window, held = [], 0
        fault = None
        messages = self._messages()
        while True:
            try:
                received = next(messages, None)
            except EpisodeError as error:
                received, fault = None, error
            if received is not None:
                window.append(received)
                held += MESSAGE_BYTES + len(getattr(received.message, 'data', ()))
                for rehearsal in self.rehearsals:
                    rehearsal.foresee(received)
            foreseen = max(rehearsal.foreseen for rehearsal in self.rehearsals)
            if received is None or foreseen >= BATCH or held > WINDOW_BYTES:
                yield window
                window, held = [], 0
            if received is None:
                break
        if fault is not None:
            raise fault

    def _messages(self) -> Iterator[Received]:
        before_ns = self.start_ns
        for message in read_messages(self.path, self.rehearsals[0].station.topics):
            received = Received(*message)
            ahead_s = (received.time_ns - before_ns) / NS_PER_S
            if ahead_s > LONGEST_GAP_S:
                raise EpisodeError(
                    f'{self.path}: its clock jumps ahead by {ahead_s:.1f} s, '
                    f'{(before_ns - self.start_ns) / NS_PER_S:.1f} s after its start; what comes '
                    'after is left out: record it as an episode of its own')
            before_ns = received.time_ns
            yield received


def check_recording(path: Path, robot: RobotSpec) -> EpisodeInfo:
    """Return what a recording is about; raise EpisodeError for one no policy can decide in."""
    info, counts = read_info(path), message_counts(path)
    if not sum(counts.values()):
        raise EpisodeError(f'{path}: empty, not one message was recorded')
    wrong = of_other_robot(info, robot)
    if wrong:
        raise EpisodeError(f'{path}: {wrong}')
    missing = [topic for topic in (*image_topics(robot, counts), 'joint_states',
                                   'instruction') if not counts.get(topic)]
    if missing:
        raise EpisodeError(
            f'{path}: no message on {", ".join(map(repr, missing))}, without which a policy '
            f'decides nothing; recorded are {", ".join(map(repr, sorted(counts)))}')
    return info
