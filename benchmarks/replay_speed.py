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

"""How many moments a second replay judges, beside a plain loop over the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
import multiprocessing
from pathlib import Path
import tempfile
import time

import numpy as np
import torch

from benchmarks.replay_bags import write_long
from trimodal_ros.evaluate.action import chunk_errors
from trimodal_ros.evaluate.replay import offline, recording
from trimodal_ros.evaluate.replay.offline import Job, judge_recording, sentences_of
from trimodal_ros.evaluate.replay.rehearsal import Rehearsal
from trimodal_ros.evaluate.replay.station import Received, Settings
from trimodal_ros.paths import shipped
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import find_episodes, read_metadata
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.moments import read_commanded, Sampling
from trimodal_ros.sim.demonstrate import record_episode
from trimodal_ros.sim.robot import SimulatedRobot
from trimodal_ros.spec import NS_PER_S, RobotSpec

SHIPPED = shipped().checkpoint
SENTENCES = ['put the {object} on the {place}']
SEED = 1_000_000     # layouts that nothing was trained on
EVERY_IMAGE_S = 0.1  # at 10 Hz
WARM_UP_S = 10


def speed(checkpoint: Path = SHIPPED, bags: int = 4, seconds: int = 150,
          rounds: int = 3) -> None:
    """
    Print moments a second and times real time: replay, and a plain loop, both started up.

    Recordings have two cameras at 10 Hz, and every image is decided on. The plain loops go on
    one moment after another: one as replay does, but for the other sentence it asks for now and
    then; the other only reads, observes and plans, and measures the action error.

    :param checkpoint: Checkpoint folder, for the simulated robot.
    :param bags: Recordings, made of as many simulated episodes.
    :param seconds: How long each is.
    :param rounds: How often all of it is done; the fastest of each counts.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = make_recordings(Path(folder), checkpoint, bags, seconds)
        duration_s = sum(read_metadata(path)['duration']['nanoseconds'] for path in paths
                         ) / NS_PER_S
        job = Job((checkpoint,), Settings(EVERY_IMAGE_S), sentences=sentences_of(paths))
        warm = make_recordings(Path(folder) / 'warm', checkpoint, 1, WARM_UP_S)
        rows = {}
        for threads in (1, 2):
            name = f'plain loop, {threads} thread{"s" * (threads > 1)}'
            rows[name] = fastest(rounds, lambda threads=threads: one_by_one(paths, job, threads))
            rows[f'{name}, plans alone'] = fastest(
                rounds, lambda threads=threads: plans_alone(paths, threads))
        for workers in (1, 2):
            with started(job, workers, warm[0]) as judge:
                name = f'replay, {workers} process{"es" * (workers > 1)}'
                rows[name] = fastest(rounds, lambda judge=judge: judge(paths))
    plain = {suffix: max(rate for name, (_, rate) in rows.items()
                         if name.startswith('plain') and name.endswith(suffix))
             for suffix in ('thread', 'threads', 'alone')}
    whole = max(plain['thread'], plain['threads'])
    print('| | moments | a second | times real time | times the plain loop | plans alone |')
    print('|---|---:|---:|---:|---:|---:|')
    for name, (moments, rate) in rows.items():
        print(f'| {name} | {moments} | {rate:.0f} | {rate * duration_s / moments:.1f} | '
              f'{rate / whole:.2f} | {rate / plain["alone"]:.2f} |')


def make_recordings(folder: Path, checkpoint: Path, bags: int, seconds: int) -> list[Path]:
    """Record simulated demonstrations, and make them longer."""
    robot, simulated = load_checkpoint(checkpoint).robot, SimulatedRobot(BAG_TYPES)
    for number in range(bags):
        source = folder / '.short' / f'seed_{number}'
        record_episode(source, simulated, robot, SEED + number, SENTENCES, 'demonstration')
        write_long(source, folder / f'bag_{number}', lambda gone_s, size: gone_s < seconds)
    simulated.world.close()
    return find_episodes(folder)


def fastest(rounds: int, run) -> tuple[int, float]:
    """Return how many moments there are and how many a second, of the fastest of some runs."""
    best = 0.0
    for _ in range(rounds):
        began_s = time.perf_counter()
        moments = run()
        best = max(best, moments / (time.perf_counter() - began_s))
    return moments, best


class OneByOne(Rehearsal):
    """Foresees nothing, and so thinks of one moment after another."""

    def foresee(self, received: Received) -> None:
        """Leave it to the station."""


def one_by_one(paths: list[Path], job: Job, threads: int) -> int:
    """Judge every moment, one after another; return how many there were."""
    recording.Rehearsal = OneByOne
    with limited(threads):
        if job not in _STARTED:
            offline._start(job)
            torch.set_num_threads(threads)
            _STARTED.append(job)
        moments = sum(judge_recording(path).judged[0].count for path in paths)
    recording.Rehearsal = Rehearsal
    return moments


def plans_alone(paths: list[Path], threads: int) -> int:
    """Plan from every moment, one after another; return how many there were."""
    policy = offline._WORKER['planners'][0].policy
    with limited(threads):
        return sum(len(_errors(policy, path, policy.robot)) for path in paths)


@contextmanager
def limited(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


_STARTED = []


def _errors(policy, path: Path, robot: RobotSpec) -> np.ndarray:
    planned, recorded = [], []
    for moment in read_commanded(path, robot, Sampling(), Counter()):
        planned.append(policy.plan(moment.observation).position_TJ)
        recorded.append(moment.chunk_TJ)
    chunk_errors(np.stack(planned), np.stack(recorded), robot.joint_names)
    return np.stack(planned)


@contextmanager
def started(job: Job, workers: int, warm_up: Path) -> Iterator:
    """Yield what judges recordings on processes that are started up and have judged one."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, offline._start, (job,)) as pool:
        list(pool.map(judge_recording, [warm_up] * 4 * workers))

        def judge(paths: list[Path]) -> int:
            return sum(each.judged[0].count for each in pool.map(judge_recording, paths))
        yield judge
