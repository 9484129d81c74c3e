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
Control for ranking by alignment: carry out the sample that is nearest to the mean of all.

    python -m benchmarks.central --checkpoint DIR --json FILE

What to look for: ``evaluate rollout --candidates N`` on the same layouts should succeed more often
(``benchmarks.paired``), or alignment only finds out which sample is the odd one.
Shapes: N candidates, T steps, J joints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro

from trimodal_ros.evaluate.__main__ import DEFAULT_TEMPLATE
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.evaluate.rollout import (
    check_planner,
    make_trials,
    run_jobs,
    run_trial,
    summarize,
    Trial,
    TrialResult,
)
from trimodal_ros.plan.policy import Policy, Scene
from trimodal_ros.sim.robot import SimulatedRobot

MAX_STEPS = 100


def run(checkpoint: Path, json_file: Annotated[Path, tyro.conf.arg(name='json')],
        episodes: int = 100, seed: int = 1_000_000, candidates: int = 16, workers: int = 2,
        replan_steps: int = 6) -> None:
    """
    Print how many episodes succeed.

    :param checkpoint: Checkpoint folder, with a decoder that samples.
    :param json_file: File that gets the figures and every trial.
    :param episodes: How many layouts.
    :param seed: Layout of the first.
    :param candidates: Chunks to sample at each decision.
    :param workers: Processes.
    :param replan_steps: Steps of each chunk that are carried out before the next plan.
    """
    check_planner(checkpoint, replan_steps, candidates)
    trials = make_trials(episodes, seed, [DEFAULT_TEMPLATE], swap=False)
    figures = summarize(run_jobs([(_run, trial, replan_steps) for trial in trials], checkpoint,
                                 workers, candidates))
    print(f'{figures["successes"]} of {episodes}, 95 % interval {figures["wilson_95"]}')
    write_json(json_file, figures)


def _run(simulated: SimulatedRobot, policy: Policy, trial: Trial,
         replan_steps: int) -> TrialResult:
    policy.__class__ = CentralPolicy
    return run_trial(simulated, policy, trial, replan_steps, MAX_STEPS)


class CentralPolicy(Policy):
    """Samples as a policy does, and has the most central sample as its only candidate."""

    def sample(self, scene: Scene, command_BJ: torch.Tensor, seed: int) -> torch.Tensor:
        chunk_NTJ = super().sample(scene, command_BJ, seed)
        return nearest_to_mean(chunk_NTJ / self.normalizer.chunk_scale, chunk_NTJ)


def nearest_to_mean(unit_NTJ: torch.Tensor, chunk_NTJ: torch.Tensor) -> torch.Tensor:
    """
    Return the chunk [1, T, J] whose scaled values are nearest to their mean (in L1).

    >>> nearest_to_mean(torch.tensor([[[0.0]], [[5.0]], [[6.0]]]), torch.arange(3)[:, None, None])
    tensor([[[1]]])
    """
    far_N = (unit_NTJ - unit_NTJ.mean(0)).abs().mean((1, 2))
    return chunk_NTJ[far_N.argmin()][None]


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
