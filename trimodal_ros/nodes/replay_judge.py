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

"""Judges checkpoints by what the live node decides when recordings are played into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .replay import NodeReplay, replay_through_node
from ..evaluate.replay.offline import Job, named, Outcome
from ..evaluate.replay.recorded import judge_heard
from ..evaluate.replay.recording import Recording
from ..record.episode import end_of, EpisodeError


def judge_through_node(paths: list[Path], job: Job, rate: float) -> Iterator[Outcome]:
    """
    Yield what comes of recordings, as ``judge_recordings`` does.

    Each is played once for each checkpoint, ``rate`` times as fast as it was, or in steps for 0.
    What would come of another sentence, and how the recorded motion lies with the scene, a node
    doesn't tell. Raises CheckpointError or SpecError before any is read, GraphError when a node
    fails.
    """
    robot, how, recordings = job.robot(), NodeReplay(rate, job.settings.replan_period_s), {}
    for path in paths:
        try:
            recordings[path] = Recording(path, robot)
        except (ValueError, OSError, KeyError) as error:
            yield Outcome.unread(path, error)
    judged, faults = {path: [] for path in recordings}, {}
    for checkpoint in job.checkpoints:
        for episode in replay_through_node(list(recordings), checkpoint, how):
            try:
                judged[episode.path].append(
                    judge_heard(recordings[episode.path], episode.decisions, job, robot))
            except (EpisodeError, OSError) as error:
                faults[episode.path] = named(episode.path, error)
            faults[episode.path] = faults.get(episode.path) or episode.fault
    for path, recording in recordings.items():
        whole = len(judged[path]) == len(job.checkpoints)
        yield Outcome.of(recording, end_of(path), judged[path] if whole else (), faults[path])
