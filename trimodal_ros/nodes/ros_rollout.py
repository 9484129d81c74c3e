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

"""Closed-loop trials through the policy node and topics, in real time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import re
import tempfile

import numpy as np

from .conductor import Conductor, TaskResult
from .private_graph import enter_private_graph
from .session import replan_period_s, simulated_session
from ..command.decision import MODEL_STAGES, STAGES
from ..evaluate.rollout import check_planner, summarize, Trial, TrialResult
from ..evaluate.statistics import summarize_ms
from ..plan.engine import trained_for
from ..progress import progress_bar
from ..sim.scene_file import read_tabletop
from ..spec.robot_file import write_robot_file

TIMEOUT_S = 10.0  # 100 decision steps


def run_trials_through_ros(checkpoint: Path, trials: list[Trial], replan_steps: int,
                           ways: Mapping[str, object], scene: Path) -> dict:
    """
    Run trials one after another; figures as in lockstep, with latencies.

    ``ways`` are further parameters of the policy node.

    Raises GraphError when a node fails, CheckpointError or ValueError before any is started.
    """
    check_planner(checkpoint, replan_steps, ways.get('candidates', 1), scene)
    enter_private_graph()
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as folder:
        robot = Path(folder) / 'robot.yaml'
        write_robot_file(read_tabletop(scene).robot, robot)
        with simulated_session(
                checkpoint, robot, Path(folder) / 'log',
                scene=scene,
                replan_period_s=replan_period_s(robot, replan_steps), **ways) as conductor:
            pairs = [(trial, _run(conductor, trial))
                     for trial in progress_bar(trials, desc='rollouts through ROS', unit='ep')]
        log = (Path(folder) / 'log' / 'simulated_robot.log').read_text()  # to its last word
    results = [result for _, result in pairs]
    return {**summarize([trial_result(trial, result) for trial, result in pairs]),
            'late_plans': sum(reason.startswith('late') for result in results
                              for reason in result.refusals),
            'latency_ms': latencies(results), **robot_figures(log)}


def robot_figures(log: str) -> dict:
    """
    Return what the simulated robot reported.

    The real-time factor is the mean of each scene's last report, which is of the whole scene,
    and None without any. The first scene is left out: in it the other nodes start.
    """
    scenes = [re.findall(r'real-time factor ([\d.]+)', scene)
              for scene in re.split(r'scene \d+:', log)[2:]]
    factors = [float(reports[-1]) for reports in scenes if reports]
    return {'real_time_factor': float(np.mean(factors)) if factors else None,
            'refused_by_controller': log.count('trajectory refused')}


def write_robot_yaml(checkpoint: Path, folder: Path) -> Path:
    """Write the robot a checkpoint was trained for as the YAML nodes read."""
    path = folder / 'robot.yaml'
    write_robot_file(trained_for(checkpoint), path)
    return path


def _run(conductor: Conductor, trial: Trial) -> TaskResult:
    conductor.lay_scene(trial.layout.seed, trial.layout.task, trial.scene_task.object)
    return conductor.run_task(trial.instruction, TIMEOUT_S)


def trial_result(trial: Trial, result: TaskResult) -> TrialResult:
    """Return a task's result as lockstep has it."""
    return TrialResult(trial.layout.seed, trial.instruction, result.success,
                       trial.is_swapped and result.did_scene_task, round(10 * result.seconds),
                       tuple(result.refusals))


def latencies(results: list[TaskResult]) -> dict[str, dict]:
    """
    Return how old the observation was, the model call and everything else.

    Over all decisions, refused ones too: those that came too late are the slowest.
    """
    ages = [age for result in results for age in result.ages_ms]
    stages = {stage: [value for result in results for value in result.stages_ms.get(stage, [])]
              for stage in STAGES}
    models = [sum(times) for times in zip(*(stages[stage] for stage in MODEL_STAGES))]
    overhead = [age - model for age, model in zip(ages, models)]
    named = {'observation age at decision': ages, 'model call': models,
             'node overhead (age less model call)': overhead, **stages}
    return {name: summarize_ms(values) if values else None for name, values in named.items()}
