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
How old a command is, what the node itself adds to that, and how fast a fault stops the robot.

    python -m benchmarks.latency run --out OUT/latency.json [--seconds 60] [--repeats 50]
    python -m benchmarks.latency table --of OUT/latency.json

Cameras, the policy node and the arm run in processes of their own on a private graph, in real
time, so leave the machine alone meanwhile. The JSON is written after every part.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
import itertools
import json
import os
from pathlib import Path
import platform
import time

from diagnostic_msgs.msg import DiagnosticArray
import tyro

from benchmarks.bare_loop import time_bare_loop
from benchmarks.cameras import CameraRun
from benchmarks.faults import measure_faults
from benchmarks.rig import open_rig, Rig
from trimodal_ros.command.decision import MODEL_STAGES, STAGES
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.evaluate.statistics import summarize_ms
from trimodal_ros.nodes.private_graph import enter_private_graph
from trimodal_ros.observe.stamp import stamp_ns
from trimodal_ros.progress import progress_bar

REPLAN_S = 0.09        # plans from every third frame of a camera at 30 Hz
WARM_UP_S = 2.0
MOST_OVERHEAD = 1.5    # times the bare loop, at p50
MARGIN_MS = 10.0       # of the age, beside the model and one camera period
BARE_TURNS = 300       # at the rate of decisions
FAULT_RUN = CameraRun(2, 640, 480)


@dataclass(frozen=True)
class Record:
    """One decision: its observation's stamp, how old it was when out, and its stages, in ms."""

    stamp_ns: int
    message: str
    age_ms: float
    stages_ms: dict[str, float]

    @classmethod
    def of(cls, message: DiagnosticArray) -> Record:
        """Read what the node publishes on ``~/decision``."""
        status = message.status[0]
        values = {item.key: item.value for item in status.values}
        return cls(stamp_ns(message.header.stamp), status.message, float(values['age_ms']),
                   {stage: float(values[f'{stage}_ms']) for stage in STAGES})

    @property
    def model_ms(self) -> float:
        return sum(self.stages_ms[stage] for stage in MODEL_STAGES)

    @property
    def overhead_ms(self) -> float:
        """All between the last image's arrival and the command's departure but the model."""
        return self.age_ms - self.stages_ms['transport'] - self.model_ms


def run(out: Path, seconds: float = 60.0, sizes: list[str] = ['640x480', '1280x720'],  # noqa: B006
        cameras: list[int] = [1, 2, 3], repeats: int = 50,  # noqa: B006
        triggered: bool = False) -> None:
    """
    Measure every combination of sizes and numbers of cameras, then the faults.

    :param out: JSON file.
    :param seconds: Of every combination.
    :param sizes: Of the images, WIDTHxHEIGHT in pixels.
    :param cameras: How many.
    :param repeats: Of every fault; 0 leaves them out.
    :param triggered: All cameras at once; else each at its own time, spread over a period.
    """
    enter_private_graph()
    figures = {'machine': describe_machine(), 'combinations': [], 'faults': {}}
    runs = [CameraRun(count, *map(int, size.split('x')), triggered=triggered)
            for size, count in itertools.product(sizes, cameras)]
    for each in progress_bar(runs, desc='latency', unit='combination'):
        figures['combinations'].append(measure(each, seconds))
        write_json(out, figures)
    if repeats:
        figures['faults'] = measure_faults(FAULT_RUN, repeats)
    figures['machine']['load_at_end'] = os.getloadavg()[0]
    write_json(out, figures)
    print(f'python -m benchmarks.latency table --of {out}')


def describe_machine() -> dict:
    """Return what figures of time depend on."""
    return {'processor': _processor(), 'cores': len(os.sched_getaffinity(0)),
            'system': platform.platform(), 'load_at_start': os.getloadavg()[0]}


def _processor() -> str:
    lines = Path('/proc/cpuinfo').read_text().splitlines()
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def measure(run: CameraRun, seconds: float, bare_turns: int = BARE_TURNS) -> dict:
    """Return the figures of one combination."""
    with open_rig(run, replan_period_s=REPLAN_S) as rig:
        rig.wait(lambda: all(rig.arrived().values()), 'the first frames to reach the policy')
        before = rig.count_frames()
        rig.start()
        time.sleep(WARM_UP_S)
        watched = watch(rig, seconds)
        after = rig.count_frames()
        refused = list(rig.arm.refused)
    sent, arrived = (sum(late.values()) - sum(early.values())
                     for early, late in zip(before, after))
    return {'width': run.width, 'height': run.height, 'cameras': run.cameras, 'hz': run.hz,
            'triggered': run.triggered, 'seconds': seconds, 'frames_sent': sent,
            'frames_arrived': arrived, 'refused_by_controller': Counter(refused),
            **judge(watched, time_bare_loop(run, bare_turns, 3 * run.period_ns / 1e9), run)}


def watch(rig: Rig, seconds: float) -> dict:
    """Return what was decided and received in so many seconds."""
    pid = rig.processes.pid('policy')
    decided, received, used_s = len(rig.decisions), len(rig.arm.received), cpu_s(pid)
    time.sleep(seconds)
    cpu_share = (cpu_s(pid) - used_s) / seconds
    records = [Record.of(message) for message in rig.decisions[decided:]]
    return {'records': records, 'received': rig.arm.received[received:], 'cpu_share': cpu_share}


def cpu_s(pid: int) -> float:
    """Return the CPU time, in s, that a process has used so far."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def judge(watched: dict, bare_ms: list[float], run: CameraRun) -> dict:
    """Return the figures of what was watched, and whether the aims are met."""
    records, received = watched['records'], watched['received']
    commanded = [record for record in records if record.message == 'commanded']
    times = {
        'age': [record.age_ms for record in commanded],
        'age_received': [(each.at_ns - each.stamp_ns) / 1e6 for each in received
                         if not each.is_hold],
        'model': [record.model_ms for record in commanded],
        'overhead': [record.overhead_ms for record in commanded],
        'overhead_and_transport': [record.age_ms - record.model_ms for record in commanded],
        **{stage: [record.stages_ms[stage] for record in commanded] for stage in STAGES},
        'bare_loop': bare_ms}
    summaries = {name: summarize_ms(values) for name, values in times.items() if values}
    return {'decisions': len(records), 'commanded': len(commanded),
            'refusals': Counter(record.message for record in records
                                if record.message != 'commanded'),
            'holds': sum(each.is_hold for each in received),
            'policy_cpu_share': watched['cpu_share'], 'ms': summaries,
            **_aims(summaries, run)}


def _aims(summaries: dict, run: CameraRun) -> dict:
    if 'age' not in summaries:
        return {}
    ratio = summaries['overhead']['p50'] / summaries['bare_loop']['p50']
    most_ms = summaries['model']['p99'] + run.period_ns / 1e6 + MARGIN_MS
    return {'overhead_ratio': ratio, 'overhead_met': ratio <= MOST_OVERHEAD,
            'age_most_ms': most_ms, 'age_met': summaries['age']['p99'] <= most_ms}


# -- tables

def table(of: Path) -> None:
    """
    Print the figures in a JSON file as Markdown.

    :param of: That ``run`` wrote.
    """
    figures = json.loads(of.read_text())
    machine = figures['machine']
    print(f'{machine["processor"]}, {machine["cores"]} cores, load '
          f'{machine["load_at_start"]:.1f} before; {figures["combinations"][0]["seconds"]:g} s '
          'each; ms\n')
    for rows in (overhead_rows, age_rows, stage_rows):
        print_table(rows(figures['combinations']))
    if figures['faults']:
        print_table(fault_rows(figures['faults']))


def print_table(rows: list[list[str]]) -> None:
    head, *body = rows
    for row in (head, ['---'] * len(head), *body):
        print(f'| {" | ".join(row)} |')
    print()


def _name(figures: dict) -> str:
    return f'{figures["cameras"]} x {figures["width"]}x{figures["height"]}'


def _pair(figures: dict, name: str) -> str:
    times = figures['ms'][name]
    return f'{times["p50"]:.1f} / {times["p99"]:.1f}'


def _met(is_met: bool) -> str:
    return 'met' if is_met else 'missed'


def overhead_rows(combinations: list[dict]) -> list[list[str]]:
    """Return the rows of the node's own time beside the bare loop's."""
    head = ['images', 'frames arrived', 'decisions (refused)', 'overhead p50 / p99',
            'bare loop p50 / p99', f'ratio at p50 (at most {MOST_OVERHEAD})',
            'with transport p50 / p99']
    return [head, *([
        _name(each), f'{each["frames_arrived"]} of {each["frames_sent"]}',
        f'{each["decisions"]} ({each["decisions"] - each["commanded"]})',
        _pair(each, 'overhead'), _pair(each, 'bare_loop'),
        f'{each["overhead_ratio"]:.2f}, {_met(each["overhead_met"])}',
        _pair(each, 'overhead_and_transport')] for each in combinations)]


def age_rows(combinations: list[dict]) -> list[list[str]]:
    """Return the rows of how old the image is when a command based on it goes out."""
    head = ['images', 'age p50', 'p99', 'max', 'at most at p99', '',
            'received, p50 / p99', 'CPU of the policy, cores']
    return [head, *([
        _name(each), *(f'{each["ms"]["age"][figure]:.1f}' for figure in ('p50', 'p99', 'max')),
        f'{each["age_most_ms"]:.1f}', _met(each['age_met']), _pair(each, 'age_received'),
        f'{each["policy_cpu_share"]:.2f}'] for each in combinations)]


def stage_rows(combinations: list[dict]) -> list[list[str]]:
    """Return the rows of the stages, p50 / p99."""
    return [['images', *STAGES, 'model'], *(
        [_name(each), *(_pair(each, stage) for stage in (*STAGES, 'model'))]
        for each in combinations)]


def fault_rows(faults: dict) -> list[list[str]]:
    """Return the rows of the time from fault to hold."""
    head = ['fault', 'times', 'missed', 'p50', 'p99', 'max',
            f'p99 at most {faults["most_ms"]:g}']
    rows = [[name, str(fault['injected']), str(fault['missed']),
             *(f'{fault["ms"][figure]:.1f}' for figure in ('p50', 'p99', 'max')),
             _met(fault['met'])] for name, fault in faults['by_fault'].items()]
    return [head, *rows]


if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict({'run': run, 'table': table}, description=__doc__)
