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
Decisions as a policy node tells them on its topics, put together again.

A live node in a dry run is heard so, and a recording of a node, or of its shadow. Messages are
duck-typed: of ROS, or of a bag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import numpy as np

from .decisions import heard_chunk, ReplayedDecision, unknown_chunk
from ...command.decision import Refusal, STAGES
from ...command.guard import SCORES
from ...command.message import addressed, from_message
from ...observe.stamp import stamp_ns
from ...record.episode import end_of, EpisodeError
from ...record.moments import Replay
from ...record.reader import read_messages
from ...spec import RobotSpec, SpecError, Trajectory

PENDING = 32   # decisions for whose plan there is still time to come: topics overtake each other
SHADOW = 'shadow'
# Of the policy that commands or rehearses, and of its shadow: decision, plan, and what comes
# before a controller's topic.
TOPICS = {'': ('decision', 'debug/plan', 'debug/'),
          SHADOW: ('shadow/decision', 'shadow/plan', 'shadow/')}


class Hearing:
    """Puts together what comes on the topics of one policy, in any order; for one episode."""

    def __init__(self, episode: str, robot: RobotSpec):
        self._episode, self._robot = episode, robot
        self._told: list = []
        self._plans: dict[int, Trajectory] = {}
        self._sent: dict[int, Trajectory] = {}
        self._parts: dict[int, list[Trajectory]] = {}   # of robots with several controllers

    def hear_plan(self, message) -> None:
        """Take a plan as the model made it. Raises SpecError for one of another robot."""
        _keep(self._plans, from_message(message, self._robot))

    def hear_trajectory(self, message) -> None:
        """
        Take what was sent to one controller, or would have been.

        Raises SpecError for one of another robot.
        """
        part = from_message(message, addressed(message, self._robot))
        if part.robot.joint_names == self._robot.joint_names:
            return _keep(self._sent, part)
        parts = self._parts.setdefault(part.stamp_ns, [])
        parts.append(part)
        whole = _joined(parts, self._robot)
        if whole is not None:
            _keep(self._sent, whole)
            del self._parts[part.stamp_ns]
        _limit(self._parts)

    def hear_decision(self, message) -> None:
        """Take the record of a decision."""
        self._told.append(message)

    @property
    def decisions(self) -> int:
        """Records that have not been asked for yet."""
        return len(self._told)

    @property
    def is_whole(self) -> bool:
        """Tell whether every plan and trajectory that the records tell of has come."""
        return all(self._has(message) for message in self._told)

    def _has(self, message) -> bool:
        stamp, values = stamp_ns(message.header.stamp), _values(message)
        return ((values.get('planned') != 'true' or stamp in self._plans)
                and (values.get('sent') != 'true' or stamp in self._sent))

    def ready(self, at_end: bool = False) -> Iterator[ReplayedDecision]:
        """Yield, in order, the decisions that nothing more will come for; at the end, all."""
        while self._told and (at_end or len(self._told) > PENDING):
            yield self._decision(self._told.pop(0))

    def _decision(self, message) -> ReplayedDecision:
        stamp, status, values = stamp_ns(message.header.stamp), message.status[0], _values(message)
        plan, sent = self._plans.pop(stamp, None), self._sent.pop(stamp, None)
        refusal = Refusal() if status.message == 'commanded' else Refusal(
            values.get('reason', 'other'), status.message, values.get('joint', ''))
        planned_TJ = unknown_chunk(self._robot)
        if plan is not None:
            planned_TJ = plan.position_TJ
        elif sent is not None and not refusal:
            planned_TJ = heard_chunk(sent, self._robot)
        stages_ms = {stage: float(values[f'{stage}_ms']) for stage in STAGES
                     if f'{stage}_ms' in values}
        began_ns = stamp + round(1e6 * (stages_ms.get('transport', 0) + stages_ms.get('wait', 0)))
        return ReplayedDecision(
            self._episode, values['instruction'], stamp, int(values.get('started_ns', began_ns)),
            planned_TJ, unknown_chunk(self._robot), sent, refusal,
            {name: float(values[name]) for name in SCORES if name in values},
            stages_ms=stages_ms, age_ms=float(values['age_ms']))


def _keep(kept: dict[int, Trajectory], trajectory: Trajectory) -> None:
    kept.setdefault(trajectory.stamp_ns, trajectory)   # a hold may follow it at once
    _limit(kept)


def _limit(kept: dict) -> None:
    while len(kept) > 2 * PENDING:   # holds among them, which nobody asks for
        del kept[next(iter(kept))]


def _joined(parts: list[Trajectory], robot: RobotSpec) -> Trajectory | None:
    """Return trajectories of a robot's controllers as one; None while one is missing."""
    column = {name: (part, index) for part in parts
              for index, name in enumerate(part.robot.joint_names)}
    if set(column) != set(robot.joint_names):
        return None
    columns = [column[name] for name in robot.joint_names]
    velocity_TJ = None
    if all(part.velocity_TJ is not None for part in parts):
        velocity_TJ = np.stack([part.velocity_TJ[:, index] for part, index in columns], axis=1)
    return Trajectory(robot, parts[0].stamp_ns, parts[0].time_s_T, np.stack(
        [part.position_TJ[:, index] for part, index in columns], axis=1), velocity_TJ)


def _values(message) -> dict[str, str]:
    return {value.key: value.value for value in message.status[0].values}


def read_heard(path: Path, robot: RobotSpec, content_hash: str,
               policy: str = 'policy') -> list[ReplayedDecision]:
    """
    Return the recorded decisions of one checkpoint, whether it commanded or was the shadow.

    ``policy`` is the node's name. Raises EpisodeError for a recording without any, which tells
    whose it has.
    """
    hearings = {'': Hearing(str(path), robot), SHADOW: Hearing(str(path), robot)}
    take, decisions = {}, set()
    for name, hearing in hearings.items():
        decision, plan, under = (f'{policy}/{topic}' for topic in TOPICS[name])
        take.update({decision: hearing.hear_decision, plan: hearing.hear_plan, **{
            under + group.topic.strip('/'): hearing.hear_trajectory for group in robot.groups}})
        decisions.add(decision)
    take.update({group.topic: hearings[''].hear_trajectory for group in robot.groups})
    decided, found = set(), []
    for topic, _, message in read_messages(path, list(take)):
        if topic in decisions:
            decider = _values(message)['checkpoint']
            decided.add(decider)
            if decider != content_hash:
                continue
        try:
            take[topic](message)
        except SpecError:   # of the robot's other arm, or a person's
            continue
        found += [each for hearing in hearings.values() for each in hearing.ready()]
    found += [each for hearing in hearings.values() for each in hearing.ready(at_end=True)]
    if not found:
        raise EpisodeError(f'{path}: no decision of the checkpoint {content_hash}; recorded are '
                           f'those of {", ".join(sorted(decided)) or "none"}')
    return sorted(found, key=attrgetter('stamp_ns'))


def with_recorded(path: Path, robot: RobotSpec, decisions: Iterable[ReplayedDecision]
                  ) -> Iterator[ReplayedDecision]:
    """
    Yield decisions, which come in the order of their stamps, with what was commanded from then on.

    Steps past the end of the recording are NaN. Raises EpisodeError.
    """
    replay, waiting, asked = Replay(path, robot), iter(decisions), {}
    coming = next(waiting, None)
    motion = ['joint_states', *(group.topic for group in robot.groups)]
    for topic, time_ns, message in read_messages(path, motion):
        while coming is not None and coming.decided_ns <= time_ns:
            if coming.stamp_ns not in asked:
                replay.chunks.ask(coming.stamp_ns)
                asked[coming.stamp_ns] = coming
            coming = next(waiting, None)
        replay.feed(topic, time_ns, message)
        for stamp, chunk_TJ in replay.chunks.finished():
            yield replace(asked.pop(stamp), recorded_TJ=chunk_TJ)
    for each in [coming, *waiting] if coming is not None else []:
        replay.chunks.ask(each.stamp_ns)
        asked[each.stamp_ns] = each
    for stamp, chunk_TJ in replay.chunks.rest(end_of(path), goes_on=True):
        yield replace(asked.pop(stamp), recorded_TJ=chunk_TJ)
