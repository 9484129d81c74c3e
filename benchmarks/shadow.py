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
How much later the active policy commands while a shadow decides beside it.

    python -m benchmarks.shadow

One policy node on a private graph decides alone, beside a shadow of its own size and beside one of
the shipped size, in turns whose order changes. In real time: leave the machine alone meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import tempfile
import time

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import tyro

from benchmarks.cameras import CameraRun
from benchmarks.circling import make_robot, SMALL, write_checkpoint
from benchmarks.latency import describe_machine, print_table, Record, REPLAN_S, WARM_UP_S, watch
from benchmarks.rig import HEAR_ALL_QOS, open_rig, Rig
from trimodal_ros.nodes.private_graph import enter_private_graph
from trimodal_ros.plan.policy import PolicyConfig
from trimodal_ros.progress import progress_bar

ALONE = 'alone'
SHADOWS = {'beside a shadow of its size': SMALL, 'beside one of the shipped size': PolicyConfig()}
TIMES = {'age': lambda record: record.age_ms, 'overhead': lambda record: record.overhead_ms,
         'model': lambda record: record.model_ms}
PERCENTS = (50, 99)


@dataclass(frozen=True)
class Turn:
    """What the active policy did in some seconds, and how often a shadow decided meanwhile."""

    records: Sequence[Record]
    cpu_share: float
    shadow_decisions: int

    @property
    def commanded(self) -> list[Record]:
        return [record for record in self.records if record.message == 'commanded']


def run(seconds: float = 15.0, rounds: int = 6, cameras: int = 2, width: int = 640,
        height: int = 480) -> None:
    """
    Print age, overhead and model time of the active policy, alone and beside a shadow.

    :param seconds: Of each turn; a round has one of each kind.
    :param rounds: How many.
    :param cameras: How many, at 30 Hz; every third frame is decided on.
    :param width: Of the images, in pixels.
    :param height: Of the images, in pixels.
    """
    enter_private_graph()
    machine = describe_machine()
    turns = measure(CameraRun(cameras, width, height), seconds, rounds)
    print(f'{machine["processor"]}, {machine["cores"]} cores, load '
          f'{machine["load_at_start"]:.1f} before; {cameras} x {width}x{height}, {rounds} x '
          f'{seconds:g} s each; p50 / p99 in ms, in brackets how much more than alone, least to '
          'most of the rounds\n')
    print_table(rows(turns))


def measure(run: CameraRun, seconds: float, rounds: int) -> dict[str, list[Turn]]:
    """Return turns alone and beside each of SHADOWS, one of each a round."""
    with tempfile.TemporaryDirectory() as name, open_rig(run, replan_period_s=REPLAN_S) as rig:
        folders = {ALONE: ''}
        for number, (kind, config) in enumerate(SHADOWS.items()):
            folders[kind] = f'{name}/{number}'
            write_checkpoint(make_robot(run.cameras), Path(folders[kind]), config)
        heard: list[DiagnosticArray] = []
        rig.conductor.node.create_subscription(
            DiagnosticArray, 'policy/shadow/decision', heard.append, HEAR_ALL_QOS)
        rig.wait(lambda: all(rig.arrived().values()), 'the first frames to reach the policy')
        rig.start()
        turns: dict[str, list[Turn]] = {kind: [] for kind in folders}
        for kind in progress_bar(_order([*folders], rounds), desc='shadow', unit='turn'):
            turns[kind].append(_turn(rig, folders[kind], heard, seconds))
    return turns


def _order(kinds: list[str], rounds: int) -> list[str]:
    """Return every kind once a round, there and back: what drifts falls on all alike."""
    return [kind for number in range(rounds) for kind in kinds[::(-1) ** number]]


def _turn(rig: Rig, shadow: str, heard: list[DiagnosticArray], seconds: float) -> Turn:
    rig.conductor.set_parameters('policy', shadow_checkpoint=shadow)
    rig.conductor.trigger('policy/load_shadow')
    if shadow:
        count = len(heard)
        rig.wait(lambda: len(heard) > count, 'the shadow to decide')
    rig.wait_for_motion()
    time.sleep(WARM_UP_S)
    count = len(heard)
    watched = watch(rig, seconds)
    return Turn(watched['records'], watched['cpu_share'], len(heard) - count)


def rows(turns: Mapping[str, Sequence[Turn]]) -> list[list[str]]:
    """Return a row of each kind."""
    head = ['', 'decisions (refused)', *TIMES, 'CPU of the policy, cores', "shadow's decisions"]
    return [head, *(_row(kind, turns[kind], turns[ALONE]) for kind in turns)]


def _row(kind: str, turns: Sequence[Turn], alone: Sequence[Turn]) -> list[str]:
    decided = sum(len(turn.records) for turn in turns)
    refused = decided - sum(len(turn.commanded) for turn in turns)
    return [kind, f'{decided} ({refused})',
            *(' / '.join(_cell(of, percent, turns, alone) for percent in PERCENTS)
              for of in TIMES.values()),
            f'{np.mean([turn.cpu_share for turn in turns]):.2f}',
            str(sum(turn.shadow_decisions for turn in turns))]


def _cell(of, percent: int, turns: Sequence[Turn], alone: Sequence[Turn]) -> str:
    def figure(some: Sequence[Turn]) -> float:
        return np.percentile([of(record) for turn in some for record in turn.commanded], percent)
    if turns is alone:
        return f'{figure(turns):.1f}'
    more = [figure([one]) - figure([other]) for one, other in zip(turns, alone)]
    return f'{figure(turns):.1f} ({min(more):+.1f} to {max(more):+.1f})'


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
