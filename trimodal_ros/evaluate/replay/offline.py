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
Replays recordings offline on several processes.

A process loads the checkpoints once and judges one recording after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .judge import Judge, Judged, MOST_ROWS, Yardstick
from .recording import Recording
from .result import Episode
from .station import Settings
from ...command.frame import FramePosition
from ...observe.instruction import normalize_instruction
from ...plan.batch import BatchPlanner
from ...plan.checkpoint import check_fits, read_config
from ...plan.engine import Engine, open_policy, trained_for
from ...plan.normalize import JointStatistics
from ...record.bag_metadata import message_counts
from ...record.episode import EpisodeError, read_info, read_metadata
from ...record.image_topics import image_topics
from ...spec import NS_PER_S, RobotSpec
from ...workers import worker_pool

_WORKER = {}
ENGINE = Engine(device='cpu')   # as a node has: with more threads sums have another order


@dataclass(frozen=True)
class Job:
    """
    What is to be judged and how, in plain data for every process.

    ``checkpoints`` are the one to be judged and, if any, the baseline. ``urdf`` is its text, ''
    for none, and ``tool_frame`` the link in it that is the tool. ``sentences`` are what a policy
    is told instead, every ``swap_every`` decisions, 0 for never. ``total_s`` is how long all
    recordings are, which share what is drawn; 0 for those that needn't.
    """

    checkpoints: tuple[Path, ...]
    settings: Settings = Settings()
    tolerance_rad: float = Yardstick.tolerance_rad
    urdf: str = ''
    tool_frame: str = ''
    sentences: tuple[str, ...] = ()
    swap_every: int = 4
    total_s: float = 0.0

    def robot(self) -> RobotSpec:
        """Return the robot all checkpoints are for. Raises CheckpointError, or SpecError."""
        robot, *others = map(trained_for, self.checkpoints)
        for path, other in zip(self.checkpoints[1:], others):
            check_fits(path, other, robot)
        if self.urdf:
            FramePosition(self.urdf, robot, self.tool_frame)
        return robot

    def yardstick(self, path: Path, robot: RobotSpec) -> Yardstick:
        """
        Return what decisions in a recording are judged by.

        A gripper is open above the middle of what the checkpoint was trained on.
        """
        statistics = JointStatistics.from_dict(read_config(self.checkpoints[0])['normalization'])
        positions_m = None if not self.urdf else FramePosition(
            self.urdf, robot, self.tool_frame).positions_m
        share = duration_of(path) / self.total_s if self.total_s else 1.0
        return Yardstick(robot, max(self.settings.replan_period_s, camera_period_s(path, robot)),
                         np.array(statistics.chunk_offset), self.tolerance_rad, positions_m,
                         round(MOST_ROWS * min(1.0, share)))


class Outcome(NamedTuple):
    """What came of a recording: by checkpoint, in the order of the job's; none with a fault."""

    episode: Episode   # without figures
    judged: tuple[Judged, ...] = ()

    @classmethod
    def unread(cls, path: Path, error: Exception) -> Outcome:
        """Return what comes of a recording that can't be read."""
        return cls(Episode(str(path), named(path, error)))

    @classmethod
    def of(cls, recording: Recording, end_ns: int, judged: Iterable[Judged],
           fault: str = '') -> Outcome:
        """Return what comes of a recording that was read until ``end_ns``."""
        info, start_ns = recording.info, recording.start_ns
        return cls(Episode(
            str(recording.path), fault, info.instruction, info.outcome, start_ns,
            (end_ns - start_ns) / NS_PER_S, dropped=recording.holds), tuple(judged))


def camera_period_s(path: Path, robot: RobotSpec) -> float:
    """Return the time between two images of the slowest camera, on average; 0 if unknown."""
    counts = message_counts(path)
    fewest = min(counts.get(topic, 0) for topic in image_topics(robot, counts))
    return duration_of(path) / (fewest - 1) if fewest > 1 else 0.0


def duration_of(path: Path) -> float:
    """Return how long a recording is, in s, by its metadata. Raises EpisodeError."""
    return read_metadata(path)['duration']['nanoseconds'] / NS_PER_S


def known_duration(path: Path) -> float:
    """Return how long a recording is, in s; 0 for one that can't be read."""
    with suppress(ValueError, KeyError, TypeError):   # told when it is judged
        return duration_of(path)
    return 0.0


def sentences_of(paths: list[Path]) -> tuple[str, ...]:
    """Return what robots were told in recordings, those left out that can't be read."""
    found = set()
    for path in paths:
        try:
            found.add(normalize_instruction(read_info(path).instruction))
        except ValueError:   # told when it is judged
            continue
    return tuple(sorted(found - {''}))


def judge_recordings(paths: list[Path], job: Job, workers: int) -> Iterator[Outcome]:
    """
    Yield what comes of recordings, as they are done; torch has one thread meanwhile.

    Raises CheckpointError or SpecError before any is read.
    """
    threads = torch.get_num_threads()
    try:
        yield from _judged(paths, job, workers)
    finally:
        torch.set_num_threads(threads)


def _judged(paths: list[Path], job: Job, workers: int) -> Iterator[Outcome]:
    job.robot()
    for checkpoint in job.checkpoints:
        read_config(checkpoint)   # of an exported policy: refused, its layers can't be looked at
    if workers == 1 or len(paths) == 1:
        _start(job)
        yield from map(judge_recording, paths)
        return
    for checkpoint in job.checkpoints:
        open_policy(checkpoint, engine=ENGINE)   # here, where the reason isn't lost
    paths = sorted(paths, key=known_duration, reverse=True)   # no long one alone at the end
    with worker_pool(min(workers, len(paths)), _start, job) as pool:
        for done in as_completed([pool.submit(judge_recording, path) for path in paths]):
            yield done.result()


def planners_of(job: Job) -> list[BatchPlanner]:
    """Return what plans, by checkpoint, as a node on the CPU would."""
    return [BatchPlanner(open_policy(path, engine=ENGINE)) for path in job.checkpoints]


def _start(job: Job) -> None:
    _WORKER['job'], _WORKER['robot'] = job, job.robot()
    _WORKER['planners'] = planners_of(job)


def judge_recording(path: Path) -> Outcome:
    """Return what comes of one recording; what is wrong with it is told in its ``fault``."""
    job, robot = _WORKER['job'], _WORKER['robot']
    try:
        recording = Recording(path, robot)
        yardstick, start_ns = job.yardstick(path, robot), recording.start_ns
    except (ValueError, OSError, KeyError) as error:
        return Outcome.unread(path, error)
    judges = [Judge(yardstick, start_ns) for _ in _WORKER['planners']]
    fault = ''
    try:
        for place, decision in recording.replay(_WORKER['planners'], job.settings, job.sentences,
                                                job.swap_every):
            judges[place].add(decision)
    except (EpisodeError, OSError) as error:
        fault = named(path, error)
    return _outcome(recording, judges, fault)


def _outcome(recording: Recording, judges: list[Judge], fault: str) -> Outcome:
    end_ns = recording.now_ns or recording.start_ns
    judged = tuple(judge.end(end_ns) for judge in judges)
    if not judged[0].count and not fault:
        fault = (f'{recording.path}: nothing could be decided on: '
                 f'{", ".join(recording.holds) or "no complete set of inputs"}')
    return Outcome.of(recording, end_ns, judged, fault)


def named(path: Path, error: Exception) -> str:
    """Return an error's text, which begins with the recording it is about."""
    text = str(error) if not isinstance(error, KeyError) else f'{error!r} is missing'
    return text if str(path) in text else f'{path}: {text}'

