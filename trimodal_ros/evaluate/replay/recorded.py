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

"""Judges decisions that were heard: from a live node, or in a recording of one and its shadow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .decisions import ReplayedDecision
from .heard import read_heard, with_recorded
from .judge import Judge, Judged
from .offline import Job, Outcome
from .recording import Recording
from ...plan.checkpoint import content_hash
from ...record.episode import end_of
from ...spec import RobotSpec


def judge_recorded(paths: list[Path], job: Job) -> Iterator[Outcome]:
    """
    Yield what comes of the decisions that were recorded of the job's checkpoints.

    Each commanded in the recording or was the shadow; nothing is planned anew. Raises
    CheckpointError or SpecError before any is read.
    """
    robot, hashes = job.robot(), [content_hash(path) for path in job.checkpoints]
    for path in paths:
        try:
            recording = Recording(path, robot)
            judged = [judge_heard(recording, read_heard(path, robot, each), job, robot)
                      for each in hashes]
        except (ValueError, OSError, KeyError) as error:
            yield Outcome.unread(path, error)
        else:
            yield Outcome.of(recording, end_of(path), judged)


def judge_heard(recording: Recording, decisions: Sequence[ReplayedDecision], job: Job,
                robot: RobotSpec) -> Judged:
    """Return what comes of decisions in the order of their stamps. Raises EpisodeError."""
    judge = Judge(job.yardstick(recording.path, robot), recording.start_ns)
    for decision in with_recorded(recording.path, robot, decisions):
        judge.add(decision)
    return judge.end(end_of(recording.path))
