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
Every shipped robot, simulated, driven by chunks at random: what its controllers refuse, and speed.

    python -m benchmarks.robots lockstep [--minutes 10]
    python -m benchmarks.robots graph --out OUT/robots.json [--minutes 10]

The first waits for nothing: the command path and the model of the controllers alone, ten minutes
of the robot's time in about two. The second runs the simulated robot and the policy node on a
private graph, in real time, so leave the machine alone meanwhile: its policy has random weights
and samples its chunks from noise. They are wild at first, to see what controllers refuse, and
mostly go through the clamp; then calm, as those of a trained policy are, for the overhead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
import re
import tempfile
import time

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import tyro

from benchmarks.untrained import RandomChunks, save_untrained
from trimodal_ros.command.decision import MODEL_STAGES, Rules
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.evaluate.statistics import summarize_ms
from trimodal_ros.nodes.conductor import Conductor, count_decisions, TaskResult
from trimodal_ros.nodes.private_graph import enter_private_graph, NodeProcesses
from trimodal_ros.nodes.ros import HEAR_ALL_QOS
from trimodal_ros.paths import share_dir, shipped
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.sim.controller import Refused
from trimodal_ros.sim.layout import make_layout
from trimodal_ros.sim.lockstep import run_episode
from trimodal_ros.sim.robot import SimulatedRobot
from trimodal_ros.sim.scene import Scene
from trimodal_ros.sim.scene_file import read_scene
from trimodal_ros.spec.robot_file import write_robot_file

SENTENCE = 'put the red cube on the left plate'
SEED = 1
WARM_UP_S = 2.0
STALLED_S = 2.0     # without a decision: the policy has stopped


@dataclass
class Lockstep:
    """What came of a run without ROS: counts, and how far joints went of their range, at least."""

    decisions: int = 0
    sent: int = 0
    refused_by_controller: int = 0
    plans_refused: int = 0
    least_travel: float = 0.0


def scene_files() -> list[Path]:
    """Return the scenes, that of the shipped policy first."""
    first = shipped().scene
    others = sorted((share_dir() / 'config' / 'scenes').resolve().glob('*.yaml'))
    return [first, *(path for path in others if path != first)]


class CountingRobot(SimulatedRobot):
    """A simulated robot that notes what its controllers make of what they are sent."""

    def __init__(self, scene: Scene):
        super().__init__(BAG_TYPES, scene)
        self.sent, self.refused, self.commanded = 0, [], []

    def command(self, topic: str, message) -> None:
        self.sent += 1
        try:
            super().command(topic, message)
        except Refused as reason:
            self.refused.append(f'{topic}: {reason}')
        self.commanded.append(self.command_D)


def run_lockstep(robot: CountingRobot, steps: int, seed: int = SEED) -> Lockstep:
    """Drive a robot by random chunks for so many decision steps."""
    spec = robot.scene.robot
    layout = make_layout(seed) if robot.scene.tabletop else None
    result = run_episode(robot, spec, layout, SENTENCE, RandomChunks(seed), steps,
                         linger_steps=steps, rules=Rules(on_limit='clamp'))
    travel_D = np.ptp(robot.commanded, axis=0)
    range_D = np.array([np.ptp(robot.scene.range_of(name)) for name in robot.joint_names])
    return Lockstep(steps, robot.sent, len(robot.refused), len(result.refusals),
                    float((travel_D / range_D).min()))


def lockstep(minutes: float = 10.0) -> None:
    """
    Drive each robot by random chunks, without ROS and as fast as it goes, and print a table.

    :param minutes: Of each robot's own time.
    """
    print('| robot | decisions | messages | refused by a controller | plans refused | '
          'least travel of a joint |\n|---|---|---|---|---|---|')
    for path in progress_bar(scene_files(), desc='robots', unit='robot'):
        robot = CountingRobot(read_scene(path))
        spec = robot.scene.robot
        found = run_lockstep(robot, round(60 * minutes * spec.rate_hz))
        robot.world.close()
        print(f'| {spec.name} | {found.decisions} | {found.sent} | {found.refused_by_controller} '
              f'| {found.plans_refused} | {100 * found.least_travel:.0f} % |', flush=True)


def run_graph(path: Path, wild_s: float, calm_s: float) -> dict:
    """Drive one robot through ROS by wild chunks, then by calm ones; return its figures."""
    scene = read_scene(path)
    wild, refused, stops = _drive(path, scene, wild_s, calm=False)
    calm, refused_calm, stops_calm = _drive(path, scene, calm_s, calm=True)
    return {'robot': scene.robot.name, 'wild_s': wild_s, 'calm_s': calm_s,
            'refused_by_controller': refused + refused_calm, 'stops': stops + stops_calm,
            'wild': _figures(wild), 'calm': _figures(calm)}


def _drive(path: Path, scene: Scene, seconds: float, calm: bool) -> tuple[TaskResult, int, int]:
    """Return what was decided, and how often a controller refused and the policy stopped."""
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as name:
        folder = Path(name)
        checkpoint = save_untrained(folder / 'checkpoint', scene.robot, calm)
        write_robot_file(scene.robot, folder / 'robot.yaml')
        with NodeProcesses(folder / 'log') as processes:
            processes.start('simulated_robot', {'scene': path, 'viewer': False})
            processes.start('policy', {'checkpoint': checkpoint, 'robot': folder / 'robot.yaml',
                                       'dry_run': False, 'on_limit': 'clamp'})
            conductor = Conductor(processes)
            try:
                conductor.configure_and_activate()
                result, stops = _watch(conductor, processes, seconds)
            finally:
                conductor.close()
        log = (folder / 'log' / 'simulated_robot.log').read_text()
    return result, log.count('trajectory refused'), stops


def _watch(conductor: Conductor, processes: NodeProcesses,
           seconds: float) -> tuple[TaskResult, int]:
    """Do what an operator does when chunks at random press an arm on the table: let it go on."""
    decisions, seen, stops = [], 0, 0
    conductor.say(SENTENCE)
    time.sleep(WARM_UP_S)
    conductor.node.create_subscription(DiagnosticArray, 'policy/decision', decisions.append,
                                       HEAR_ALL_QOS)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        processes.check()
        time.sleep(STALLED_S)
        if len(decisions) == seen:
            stops += conductor.ask('policy/resume').success
        seen = len(decisions)
    result = TaskResult(SENTENCE, False, seconds)
    count_decisions(result, list(decisions))
    return result, stops


def _figures(result: TaskResult) -> dict:
    return {'decisions': len(result.ages_ms), 'plans_refused': len(result.refusals),
            'why': Counter(re.sub(r'-?\d[\d.]*', 'N', why) for why in result.refusals),
            **_overhead(result)}


def _overhead(result: TaskResult) -> dict:
    """Return ages less model calls, in ms, with and without the way from the simulator."""
    models = [sum(times) for times in zip(*(result.stages_ms[stage] for stage in MODEL_STAGES))]
    overheads = [age - model for age, model in zip(result.ages_ms, models)]
    node = [overhead - transport for overhead, transport
            in zip(overheads, result.stages_ms['transport'])]
    return {'overhead_ms': summarize_ms(overheads), 'node_overhead_ms': summarize_ms(node),
            'model_ms': summarize_ms(models), 'stages_p50_ms': {
                stage: summarize_ms(times)['p50'] for stage, times in result.stages_ms.items()}}


def graph(out: Path, minutes: float = 10.0, calm_minutes: float = 2.0,
          robots: tuple[str, ...] = ()) -> None:
    """
    Drive each robot through ROS, in real time; print a table and write a JSON after each.

    :param out: JSON file.
    :param minutes: For each robot, of wild chunks.
    :param calm_minutes: For each robot, of calm chunks.
    :param robots: Only these, by the names of their scenes' files.
    """
    enter_private_graph()
    found = []
    print('| robot | decisions | refused by a controller | plans refused | stops | wild: node '
          'overhead p50 / p99 ms | calm | calm, of the first |\n|---|---|---|---|---|---|---|---|')
    chosen = [path for path in scene_files() if not robots or path.stem in robots]
    for path in progress_bar(chosen, desc='robots', unit='robot'):
        found.append(run_graph(path, 60 * minutes, 60 * calm_minutes))
        write_json(out, {'robots': found})
        print(_row(found[-1], found[0]), flush=True)


def _row(figures: dict, first: dict) -> str:
    wild, calm = figures['wild'], figures['calm']
    ratio = calm['node_overhead_ms']['p50'] / first['calm']['node_overhead_ms']['p50']
    times = ' | '.join(f'{each["node_overhead_ms"]["p50"]:.1f} / '
                       f'{each["node_overhead_ms"]["p99"]:.1f}' for each in (wild, calm))
    return (f'| {figures["robot"]} | {wild["decisions"]} | {figures["refused_by_controller"]} '
            f'| {wild["plans_refused"]} | {figures["stops"]} | {times} | {ratio:.2f} |')


if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict({'lockstep': lockstep, 'graph': graph},
                                         description=__doc__)
