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

"""The replay command: judge a checkpoint by recordings, and write what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
import math
from pathlib import Path
import sys
import time
from typing import Annotated, get_args, Literal

import tyro

from .assemble import put_together
from .junit import junit_xml
from .offline import Job, judge_recordings, known_duration, Outcome, sentences_of
from .recorded import judge_recorded
from .result import Result
from .station import PolicyFailed, Settings
from .table import describe
from .thresholds import read_thresholds
from ..page import check_files, write_json, write_whole
from ...command_line import describe_error
from ...plan.checkpoint import content_hash
from ...progress import progress_bar
from ...record.episode import find_episodes

THRESHOLD_MISSED, WRONG, NOT_JUDGED = 1, 2, 3   # exit codes; 2 is that of a command line, too
REPLAN_PERIOD_S = (0.05, 5.0)   # the range of the node's parameter
Mode = Literal['offline', 'node', 'recorded']


def replay(bags: list[Path], checkpoint: Path, baseline: Path | None = None,
           mode: Mode = 'offline', thresholds: Path | None = None,
           json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
           html: Path | None = None, junit: Path | None = None, replan_period_s: float = 0.6,
           tolerance_rad: float = 0.05, urdf: Path | None = None, tool_frame: str = '',
           swap_every: int = 4, rate: float = 0.0, workers: int = 2) -> int:
    """
    Judge a checkpoint by recordings: what it would have done at every moment of them.

    The node's own code decides, on what was recorded, as a node does that is in a dry run and
    follows what is commanded; nothing is sent to anybody. Measured is how far plans are from what
    was commanded, how they go together, what limits refuse, and how well they lie with what was
    seen and said; with --baseline also whether the checkpoint is better than that one.
    doc/how-to/replay.md tells what each measure says, and what it doesn't.

    Exits with 1 if a threshold was missed, with 3 if not all recordings could be judged (the
    others are, and count), and with 2 if nothing could be done at all.

    :param bags: Directories with recordings of this robot in them, at any depth: none the
        checkpoint was trained on.
    :param checkpoint: Checkpoint folder to judge.
    :param baseline: Checkpoint folder to compare with, such as the one in use.
    :param mode: 'offline': as fast as the machine goes, thinking takes no time. 'node': through
        the live policy node, over DDS; slower, and shows what only time does. 'recorded':
        nothing is planned anew, judged is what these checkpoints decided when it was recorded,
        in command or as the node's shadow.
    :param thresholds: YAML file of what must be kept to, as config/thresholds.yaml.
    :param json_file: File that gets all figures.
    :param html: File that gets a page with curves and pictures, to open in a browser.
    :param junit: File that gets thresholds and recordings as JUnit XML, for a CI system.
    :param replan_period_s: Time between two plans, as the node's parameter of that name.
    :param tolerance_rad: How far from what was recorded a step may be to be within tolerance.
    :param urdf: URDF of the robot, to measure how far off the tool is.
    :param tool_frame: Link in the URDF that is the tool; needed with --urdf.
    :param swap_every: Every so many decisions the policy is also told another sentence of the
        recordings, to see if it listens; 0: never.
    :param rate: With --mode node, times as fast as it was; 0: in steps, nothing is lost.
    :param workers: Processes that judge recordings, offline.
    """
    try:
        check_files(json=json_file, html=html, junit=junit)
        _check(urdf, tool_frame, workers, swap_every, mode, rate)
        _check_given(bags, replan_period_s, tolerance_rad)
        paths = sorted({path for root in bags for path in find_episodes(root)})
        job = Job((checkpoint,) if baseline is None else (checkpoint, baseline),
                  Settings(replan_period_s), tolerance_rad,
                  '' if urdf is None else urdf.read_text(), tool_frame, sentences_of(paths),
                  swap_every, sum(map(known_duration, paths)))
        result = _replay(paths, job, mode, rate, workers, thresholds)
        print(describe(result))
        _write(result, job.robot(), json_file, html, junit)
    except (ValueError, OSError, PolicyFailed, BrokenProcessPool) as error:
        print(f'error: {describe_error(error)}', file=sys.stderr)
        return WRONG
    if result.failures:
        return THRESHOLD_MISSED
    return NOT_JUDGED if result.faults else 0


def _replay(paths: list[Path], job: Job, mode: Mode, rate: float, workers: int,
            thresholds: Path | None) -> Result:
    robot = job.robot()
    bounds = [] if thresholds is None else read_thresholds(
        thresholds, robot, with_baseline=len(job.checkpoints) > 1)
    settings = {'mode': mode, 'replan_period_s': job.settings.replan_period_s,
                'tolerance_rad': job.tolerance_rad, 'swap_every': job.swap_every,
                'tool_frame': job.tool_frame, **({'rate': rate} if mode == 'node' else {})}
    began_s = time.monotonic()
    outcomes = list(progress_bar(_judged(paths, job, mode, rate, workers), total=len(paths),
                                 desc='replay', unit='bag'))
    return put_together(outcomes, robot, [content_hash(path) for path in job.checkpoints],
                        settings, mode, time.monotonic() - began_s, bounds)


def _check(urdf: Path | None, tool_frame: str, workers: int, swap_every: int, mode: str,
           rate: float) -> None:
    if (urdf is None) != (not tool_frame):
        raise ValueError('--urdf and --tool-frame go together: which link is the tool?')
    for name, value, least in (('workers', workers, 1), ('swap-every', swap_every, 0)):
        if value < least:
            raise ValueError(f'--{name}: {value}, expected at least {least}')
    if rate and mode != 'node':
        raise ValueError(f'--rate {rate}: with --mode node only, {get_args(Mode)[0]} is as fast '
                         'as it goes')


def _check_given(bags: list[Path], replan_period_s: float, tolerance_rad: float) -> None:
    least_s, most_s = REPLAN_PERIOD_S
    if not bags:
        raise ValueError('--bags: name a folder')
    if not least_s <= replan_period_s <= most_s:
        raise ValueError(f'--replan-period-s: {replan_period_s}, expected {least_s:g} to '
                         f'{most_s:g} s, as of the node')
    if not 0 < tolerance_rad < math.inf:
        raise ValueError(f'--tolerance-rad: {tolerance_rad}, expected more than 0 rad')


def _judged(paths: list[Path], job: Job, mode: Mode, rate: float,
            workers: int) -> Iterator[Outcome]:
    if mode == 'offline':
        return judge_recordings(paths, job, workers)
    return judge_recorded(paths, job) if mode == 'recorded' else _through_node(paths, job, rate)


def _through_node(paths: list[Path], job: Job, rate: float) -> Iterator[Outcome]:
    from ...nodes.private_graph import GraphError  # a command may reach right
    from ...nodes.replay_judge import judge_through_node
    try:
        yield from judge_through_node(paths, job, rate)
    except GraphError as error:
        raise ValueError(str(error)) from error   # exits as what can't be judged


def _write(result: Result, robot, json_file: Path | None, html: Path | None,
           junit: Path | None) -> None:
    if json_file is not None:
        write_json(json_file, result.to_json())
    if junit is not None:
        write_whole(junit, junit_xml(result))
    if html is not None:
        from .frames import read_frames
        from .page import write_replay_page
        write_replay_page(html, result, read_frames(result, robot))
        print(f'page: {html.resolve()}')


def main(args: list[str] | None = None) -> None:
    raise SystemExit(tyro.cli(replay, args=args, prog='trimodal_ros.evaluate.replay'))


if __name__ == '__main__':
    main()
