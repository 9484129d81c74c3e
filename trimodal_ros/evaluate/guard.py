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
What a plan's alignment is worth as a warning: does it tell failing from succeeding.

Episodes are run as they are; at each decision the policy is also asked what it would do, had the
same observation been misleading. What it would do is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .mislead import Misleading, misleadings
from .rollout import check_planner, run_jobs, Trial
from .separation import FALSE_ALARMS, separation
from ..plan.policy import Policy
from ..sim.lockstep import run_episode
from ..sim.robot import SimulatedRobot
from ..sim.rollout import PolicyPlanner
from ..spec import Observation, Trajectory

SIMILARITIES = ('image_sentence', 'scene_motion')
AS_IT_IS = 'as it is'
FIRST_DECISIONS = 5  # in which a warning would still be in time
QUANTILES = (0.01, 0.05, 0.5)
DIGITS = 5

Noted = dict[str, dict[str, list[float]]]  # what was seen -> similarity -> of each decision


@dataclass(frozen=True)
class Watched:
    """An episode, and the similarities of its decisions: as they were, and misled."""

    seed: int
    instruction: str
    success: bool
    steps: int
    noted: Noted


class WatchedPlanner:
    """Plans as ``planner`` does, and notes the similarities of what is and what might be seen."""

    def __init__(self, planner: PolicyPlanner, ways: dict[str, Misleading], seed: int):
        self.planner, self.ways, self.seed = planner, ways, seed
        self.noted: Noted = {name: {similarity: [] for similarity in SIMILARITIES}
                             for name in (AS_IT_IS, *ways)}

    def __call__(self, observation: Observation) -> Trajectory | None:
        trajectory = self.planner(observation)
        if trajectory is not None:
            self._note(AS_IT_IS, trajectory)
            for name, mislead in self.ways.items():
                misled = mislead(observation, np.random.default_rng(self.seed))
                self._note(name, self.planner.policy.plan(misled))
        return trajectory

    def _note(self, name: str, trajectory: Trajectory) -> None:
        for similarity, values in self.noted[name].items():
            values.append(round(trajectory.alignment[similarity], DIGITS))


def watch_trials(checkpoint: Path, trials: list[Trial], workers: int,
                 replan_steps: int, max_steps: int = 100) -> list[Watched]:
    """Run trials on several processes and watch their decisions; results in order."""
    check_planner(checkpoint, replan_steps)
    return run_jobs([(_watch, trial, replan_steps, max_steps) for trial in trials], checkpoint,
                    workers)


def _watch(simulated: SimulatedRobot, policy: Policy, trial: Trial, replan_steps: int,
           max_steps: int) -> Watched:
    planner = WatchedPlanner(PolicyPlanner(policy, replan_steps),
                             misleadings(trial, policy.robot), trial.layout.seed)
    result = run_episode(simulated, policy.robot, trial.layout, trial.instruction, planner,
                         max_steps)
    return Watched(trial.layout.seed, trial.instruction, result.success, result.steps,
                   planner.noted)


def measure_guard(watched: Sequence[Watched]) -> dict:
    """
    Return, for each bad thing and similarity, how well it is told from good; plain data.

    Of first decisions, of all and of the means of episodes, as ``separation`` returns it.
    """
    ways = [name for name in watched[0].noted if name != AS_IT_IS]
    comparisons = {'failing episode': _by_success(watched, None),
                   f'failing episode, first {FIRST_DECISIONS} decisions':
                       _by_success(watched, FIRST_DECISIONS),
                   **{name: partial(_by_way, watched, name) for name in ways}}
    return {'episodes': len(watched), 'failed': sum(not episode.success for episode in watched),
            'separation': {name: {similarity: _levels(*sides(similarity))
                                  for similarity in SIMILARITIES}
                           for name, sides in comparisons.items()},
            'quantiles': {similarity: _quantiles(watched, similarity)
                          for similarity in SIMILARITIES},
            'trials': [asdict(episode) for episode in watched]}


def _by_success(watched: Sequence[Watched], first: int | None):
    def sides(similarity: str) -> tuple[list, list]:
        values = [episode.noted[AS_IT_IS][similarity][:first] for episode in watched]
        return tuple([some if episode.success == success else []
                      for some, episode in zip(values, watched)] for success in (True, False))
    return sides


def _by_way(watched: Sequence[Watched], name: str, similarity: str) -> tuple[list, list]:
    return tuple([episode.noted[seen][similarity] for episode in watched]
                 for seen in (AS_IT_IS, name))


def _levels(good: list[list[float]], bad: list[list[float]]) -> dict:
    def told(summary) -> dict | None:
        return separation(*([summary(values) if values else [] for values in side]
                            for side in (good, bad)))
    return {'first decision': told(lambda values: values[:1]), 'decision': told(list),
            'episode': told(lambda values: [float(np.mean(values))])}


def _quantiles(watched: Sequence[Watched], similarity: str) -> dict[str, float]:
    """Return those of decisions as they are, in succeeding episodes: where to set a guard."""
    values = [value for episode in watched if episode.success
              for value in episode.noted[AS_IT_IS][similarity]]
    return {f'{100 * share:g} %': float(np.quantile(values, share)) if values else None
            for share in QUANTILES}


def describe_guard(figures: dict) -> str:
    """Return the figures as a table a person reads."""
    head = [f'{figures["episodes"]} episodes, {figures["failed"]} failed. AUROC (95 % interval): '
            '1 tells all, 0.5 nothing.',
            f'caught: % of bad decisions below {100 * FALSE_ALARMS:g} % of the good', '',
            f'{"":35}{"image and sentence":^46}{"both, and the motion":^46}',
            f'{"told from as it is":35}'
            + 2 * f'{"a decision":>18}{"caught":>8}{"an episode":>18}  ']
    lines = [f'{name:35}' + ''.join(_cells(levels[similarity]) for similarity in SIMILARITIES)
             for name, levels in figures['separation'].items()]
    low = [f'{similarity} in succeeding episodes: ' + ', '.join(
        f'{share} below {value:.3f}' for share, value in quantiles.items() if value is not None)
        for similarity, quantiles in figures['quantiles'].items()]
    return '\n'.join([*head, *lines, '', *low])


def _cells(levels: dict) -> str:
    caught = '' if levels['decision'] is None else f'{100 * levels["decision"]["caught"]:.0f}'
    return f'{_area(levels["decision"]):>18}{caught:>8}{_area(levels["episode"]):>18}  '


def _area(figure: dict | None) -> str:
    if figure is None:
        return 'none'
    low, high = figure['interval_95']
    return f'{figure["auroc"]:.2f} ({low:.2f}-{high:.2f})'
