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
A policy that goes through a recording, and thinks ahead in batches.

A scout takes every message a window ahead and notes what will be planned from, as if every plan
could be sent. That is thought about at once; then the station takes the same messages and finds
the plans ready. Where it decides otherwise than the scout took it to, it thinks by itself, and the
scout goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from .decisions import ReplayedDecision, unknown_chunk
from .station import Received, Settings, Station
from ...command.decision import Decision
from ...observe.stamp import stamp_ns
from ...plan.batch import BatchPlanner, Thought
from ...record.motion import CommandedChunks
from ...spec import Observation, SpecError, Trajectory

BATCH = 16


class Lookout:
    """Plans nothing, and keeps what it was to plan from."""

    def __init__(self, planner: BatchPlanner):
        policy = planner.policy
        self.content_hash, self.sentences = policy.content_hash, policy.sentences
        self.stopwatch, self.seen = policy.stopwatch, []

    def plan(self, observation: Observation) -> None:
        self.seen.append(observation)


class Foresight:
    """Plans as its policy does, what was foreseen without thinking; ``thoughts`` by identity."""

    def __init__(self, planner: BatchPlanner):
        policy = planner.policy
        self.content_hash, self.sentences = policy.content_hash, policy.sentences
        self.stopwatch, self._planner = policy.stopwatch, planner
        self.thoughts: dict[int, Thought] = {}

    def plan(self, observation: Observation) -> Trajectory:
        if id(observation) not in self.thoughts:
            self.thoughts[id(observation)] = self._planner.think([observation])[0]
        planned = self.thoughts[id(observation)].planned
        if isinstance(planned, SpecError):
            raise planned
        return planned


class Swaps:
    """Every so many decisions, what the policy is asked that is told something else."""

    def __init__(self, sentences: Collection[str], every: int):
        self._sentences, self._every, self._count = sorted(sentences), every, 0

    def draw(self, observations: Sequence[Observation]) -> dict[int, str]:
        """Return another sentence for some of the observations, by place."""
        drawn = {}
        for row, observation in enumerate(observations):
            others = [each for each in self._sentences if each != observation.instruction]
            if self._every and others and self._count % self._every == 0:
                drawn[row] = others[self._count // self._every % len(others)]
            self._count += 1
        return drawn


class Rehearsal:
    """
    One policy in one recording: ``foresee`` a window of messages, then ``go`` through them.

    ``memory`` is shared by policies that go through the same windows, and emptied between them.
    """

    def __init__(self, episode: str, planner: BatchPlanner, settings: Settings, swaps: Swaps,
                 memory: dict, topics: Collection[str]):
        self.episode, self.robot = episode, planner.policy.robot
        self._planner, self._swaps = planner, swaps
        self._lookout, self._foresight = Lookout(planner), Foresight(planner)
        self._scout, self.station = (
            Station(self.robot, policy, settings, on_decision, memory, policy is self._foresight)
            for policy, on_decision in ((self._lookout, lambda decision: None),
                                        (self._foresight, self._note)))
        for station in (self._scout, self.station):
            station.use_compressed(topics)
        self._labels = CommandedChunks(self.robot, self.station.pilot.commanded)
        self._pending: deque[tuple[ReplayedDecision, torch.Tensor | None]] = deque()
        self._ready, self._newest_ns = [], -1

    @property
    def foreseen(self) -> int:
        """How many observations are to be thought about."""
        return len(self._lookout.seen)

    def foresee(self, received: Received) -> None:
        self._scout.reach(received.time_ns)
        self._scout.feed(received)

    def go(self, window: Sequence[Received]) -> Iterator[ReplayedDecision]:
        """Go through what was foreseen; yield decisions when it is known what was recorded."""
        self._think()
        for received in window:
            self._labels.advance(received.time_ns)
            self.station.reach(received.time_ns)
            self.station.feed(received)
            if received.topic == 'joint_states':
                self._measure(received.message)
            self._finish(self._labels.finished())
        self._scout.go_on_from(self.station)
        self._foresight.thoughts.clear()
        while len(self._ready) >= BATCH:
            yield from self._settle(BATCH)

    def _think(self) -> None:
        seen = self._lookout.seen
        for start in range(0, len(seen), BATCH):
            batch = seen[start:start + BATCH]
            self._foresight.thoughts.update(zip(
                map(id, batch), self._planner.think(batch, self._swaps.draw(batch))))
        seen.clear()

    def _measure(self, message) -> None:
        newest = self.station.pilot.observer.newest_joints(stamp_ns(message.header.stamp))
        if newest is not None:  # of all joints
            self._labels.measured(newest.stamp_ns, newest.position_J)

    def _note(self, decision: Decision) -> None:
        observation, planned = decision.observation, decision.planned
        thought = self._foresight.thoughts[id(observation)]
        replayed = ReplayedDecision(
            self.episode, observation.instruction, observation.stamp_ns, self.station.now_ns,
            unknown_chunk(self.robot) if planned is None else planned.position_TJ,
            unknown_chunk(self.robot), decision.trajectory, decision.refusal,
            decision.alignment, thought.swapped_TJ,
            {stage: decision.stages_ms[stage] for stage in ('transport', 'wait')})
        if observation.stamp_ns <= self._newest_ns:   # cameras' clocks went back: no label
            self._ready.append((replayed, None))
            return
        self._newest_ns = observation.stamp_ns
        self._labels.ask(observation.stamp_ns)
        self._pending.append((replayed, thought.z_fused_D))

    def _finish(self, recorded: Iterator[tuple[int, np.ndarray]]) -> None:
        """Join what was recorded to the decisions, which come in the same order."""
        for _, chunk_TJ in recorded:
            replayed, z_fused_D = self._pending.popleft()
            self._ready.append((replace(replayed, recorded_TJ=chunk_TJ), z_fused_D))

    def end(self, end_ns: int) -> Iterator[ReplayedDecision]:
        """Yield the rest of the decisions; of steps after ``end_ns`` nothing is known."""
        # What was under way at the end was never carried out: it is known of no recording.
        self._finish(self._labels.rest(end_ns, goes_on=True))
        self._ready += self._pending
        self._pending.clear()
        while self._ready:
            yield from self._settle(BATCH)

    @torch.inference_mode()
    def _settle(self, count: int) -> Iterator[ReplayedDecision]:
        """Tell how well what was recorded lies with what was seen and said."""
        batch, self._ready = self._ready[:count], self._ready[count:]
        whole = [row for row, (replayed, z_fused_D) in enumerate(batch)
                 if z_fused_D is not None and np.isfinite(replayed.recorded_TJ).all()]
        cosines = {}
        if whole:
            policy = self._planner.policy
            chunk_BTJ = torch.tensor(np.stack([batch[row][0].recorded_TJ for row in whole]),
                                     dtype=torch.float32, device=policy.device)
            z_fused_BD = torch.stack([batch[row][1] for row in whole])
            cosine_B = (policy.embed_motion(chunk_BTJ) * z_fused_BD).sum(-1)
            cosines = dict(zip(whole, cosine_B.tolist()))
        for row, (replayed, _) in enumerate(batch):
            yield replace(replayed, alignment={
                **replayed.alignment, **({'scene_recorded': cosines[row]} if row in cosines
                                         else {})})
