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

"""Closed-loop success in the lockstep simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .statistics import wilson_interval
from ..command.decision import Rules
from ..paths import shipped
from ..plan.engine import Engine, open_policy
from ..plan.policy import Policy
from ..progress import progress_bar
from ..record.messages import BAG_TYPES
from ..sim.layout import Layout, make_layout, Task
from ..sim.lockstep import run_episode
from ..sim.robot import SimulatedRobot
from ..sim.rollout import PolicyPlanner
from ..sim.scene import Scene
from ..sim.scene_file import read_tabletop
from ..sim.sentences import say
from ..workers import worker_pool

_WORKER = {}
SCENE = shipped().scene


@dataclass(frozen=True)
class Trial:
    """One episode to be judged: the scene, what is said, and what would be disobedience."""

    layout: Layout
    instruction: str
    scene_task: Task

    @property
    def is_swapped(self) -> bool:
        """Tell whether another task is named than the scene was set up for."""
        return self.layout.task != self.scene_task


@dataclass(frozen=True)
class TrialResult:
    """
    How a trial went.

    ``followed_scene``: with a swapped instruction, the scene's own task was done instead.
    """

    seed: int
    instruction: str
    success: bool
    followed_scene: bool
    steps: int
    refusals: tuple[str, ...]


def make_trials(episodes: int, seed: int, templates: Sequence[str], swap: bool) -> list[Trial]:
    """
    Return trials on the layouts of ``seed`` on, templates taken in turn.

    Raises ValueError for less than one episode.
    """
    if episodes < 1:
        raise ValueError(f'episodes: {episodes}, expected at least 1')
    trials = []
    for index in range(episodes):
        scene = make_layout(seed + index)
        layout = scene.with_other_object() if swap else scene
        sentence = say(layout.task, templates[index % len(templates)])
        trials.append(Trial(layout, sentence, scene.task))
    return trials


def check_planner(checkpoint: Path, replan_steps: int, candidates: int = 1,
                  scene: Path = SCENE) -> None:
    """
    Raise here the CheckpointError, SpecError or ValueError that every worker would.

    A process that fails at its start breaks its pool or session, and the reason is lost.
    """
    PolicyPlanner(_load(checkpoint, candidates, read_tabletop(scene)), replan_steps)


def _load(checkpoint: Path, candidates: int, scene: Scene) -> Policy:
    policy = open_policy(checkpoint, scene.robot, engine=Engine(device='cpu'))
    policy.candidates = candidates
    return policy


def run_trials(checkpoint: Path, trials: list[Trial], workers: int, replan_steps: int,
               max_steps: int = 100, candidates: int = 1, rules: Rules | None = None,
               scene: Path = SCENE) -> list[TrialResult]:
    """Run trials on several processes, with a progress bar; results in order."""
    check_planner(checkpoint, replan_steps, candidates, scene)
    jobs = [(run_trial, trial, replan_steps, max_steps, rules) for trial in trials]
    return run_jobs(jobs, checkpoint, workers, candidates, scene)


def run_jobs(jobs: list[tuple], checkpoint: Path, workers: int, candidates: int = 1,
             scene: Path = SCENE) -> list:
    """
    Call functions on several processes, each with a simulated robot and the policy.

    A job is a function and its further arguments: function(simulated, policy, *arguments).
    """
    with worker_pool(workers, _start, checkpoint, candidates, scene) as pool:
        done = pool.map(_call, jobs)
        return list(progress_bar(done, total=len(jobs), desc='rollouts', unit='ep'))


def _start(checkpoint: Path, candidates: int, scene: Path) -> None:
    import torch
    torch.set_num_threads(1)
    table = read_tabletop(scene)
    _WORKER['both'] = SimulatedRobot(BAG_TYPES, table), _load(checkpoint, candidates, table)


def _call(job: tuple[Callable, ...]):
    function, *arguments = job
    return function(*_WORKER['both'], *arguments)


def run_trial(simulated: SimulatedRobot, policy: Policy, trial: Trial, replan_steps: int,
              max_steps: int, rules: Rules | None = None) -> TrialResult:
    """Run one trial; without its success it ends after ``max_steps``."""
    result = run_episode(simulated, policy.robot, trial.layout, trial.instruction,
                         PolicyPlanner(policy, replan_steps), max_steps, rules=rules)
    return TrialResult(
        trial.layout.seed, trial.instruction, result.success,
        trial.is_swapped and simulated.world.table.is_done(trial.scene_task), result.steps,
        tuple(result.refusals))


def summarize(results: list[TrialResult]) -> dict:
    """Return success with its Wilson interval, and every trial."""
    successes = sum(result.success for result in results)
    low, high = wilson_interval(successes, len(results))
    return {
        'episodes': len(results), 'successes': successes,
        'success_rate': successes / len(results), 'wilson_95': [low, high],
        'followed_scene': sum(result.followed_scene for result in results),
        'mean_steps': float(np.mean([result.steps for result in results])),
        'refused_plans': sum(len(result.refusals) for result in results),
        'trials': [asdict(result) for result in results]}
