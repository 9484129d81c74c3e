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

"""Judges what a live policy node decides when recordings are played to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from .decisions import ReplayedDecision
from .heard import with_recorded
from .judge import Judge
from .offline import Job, named, Outcome, outcome_of
from .recording import Recording
from ...record.episode import EpisodeError, read_metadata
from ...spec import RobotSpec


class Played(Protocol):
    """A recording that was played to a node: what it decided, and what was wrong."""

    path: Path
    decisions: Sequence[ReplayedDecision]
    fault: str


Play = Callable[[list[Path], Path], Iterator[Played]]   # recordings, to a checkpoint


def judge_live(paths: list[Path], job: Job, play: Play) -> Iterator[Outcome]:
    """
    Yield what comes of recordings, played to one checkpoint after another.

    Raises CheckpointError or SpecError before anything is played.
    """
    robot, recordings = job.robot(), {}
    for path in paths:
        try:
            recordings[path] = Recording(path, robot)
        except (ValueError, OSError) as error:
            yield Outcome(path, named(path, error))
    judges, faults = {path: [] for path in recordings}, {}
    for checkpoint in job.checkpoints if recordings else ():
        for played in play(list(recordings), checkpoint):
            judge, fault = _judge(played, recordings[played.path], job, robot)
            judges[played.path].append(judge)
            faults[played.path] = faults.get(played.path) or fault
            if len(judges[played.path]) == len(job.checkpoints):
                yield outcome_of(recordings[played.path], judges.pop(played.path),
                                 faults[played.path], _end_ns(recordings[played.path]), {})


def _judge(played: Played, recording: Recording, job: Job, robot: RobotSpec
           ) -> tuple[Judge, str]:
    judge, fault = Judge(job.yardstick(played.path, robot), recording.start_ns), played.fault
    try:
        for decision in with_recorded(played.path, robot, played.decisions):
            judge.add(decision)
    except EpisodeError as error:
        fault = fault or named(played.path, error)
    return judge, fault


def _end_ns(recording: Recording) -> int:
    return recording.start_ns + read_metadata(recording.path)['duration']['nanoseconds']
