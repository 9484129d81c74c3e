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
Does alignment pay? The same data, steps and seeds, with one objective and with another.

    python -m trimodal_ros.sim demonstrate --out OUT/held_out --episodes 200 --seed 500000
    python -m benchmarks.alignment run --episodes OUT/checkpoint/{demonstrations,round?} \
        --held-out OUT/held_out --out OUT/alignment
    python -m benchmarks.alignment table --out OUT/alignment

Each run trains from nothing, is measured on episodes never trained on and in closed loop, and
leaves one JSON file; interrupted, the same command goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import json
from pathlib import Path

import tyro

from trimodal_ros.evaluate.alignment import measure
from trimodal_ros.evaluate.gallery import embed_episodes
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.evaluate.rollout import make_trials, run_trials, summarize
from trimodal_ros.evaluate.statistics import mean_interval, wilson_interval
from trimodal_ros.paths import shipped
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.spec.topics import LABEL_TOPIC
from trimodal_ros.train.batches import BatchSource
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import train
from trimodal_ros.train.objective import TaskWeights
from trimodal_ros.train.settings import TrainingSettings

ROBOT = shipped().robot
GALLERY = 1000
ROLLOUT_SEED = 1_600_000
REPLAN_STEPS = 6
SENTENCE = 'put the {object} on the {place}'

DEFAULT = TaskWeights()
# Sentences alone are still told apart: without that no policy here heeds which cube is named.
ALIGNMENT = ('vision_language', 'language_action', 'vision_action', 'fused_action',
             'fused_language', 'fused_vision', 'action_reconstruction')
WITHOUT = replace(DEFAULT, **dict.fromkeys(ALIGNMENT, 0.0))
AT_ONCE = replace(WITHOUT, trimodal=0.1, action_reconstruction=1.0)


@dataclass(frozen=True)
class Arm:
    """One objective, and the share of the training episodes it gets."""

    weights: TaskWeights
    pair_loss: str = 'info_nce'
    trimodal_loss: str = 'gram'
    share: float = 1.0


ARMS = {  # the most telling first: seeds are the outer loop
    'no alignment': Arm(WITHOUT),
    'three pairs and fused (default)': Arm(DEFAULT),
    'no alignment, a tenth of the episodes': Arm(WITHOUT, share=0.1),
    'default, a tenth of the episodes': Arm(DEFAULT, share=0.1),
    'three pairs': Arm(replace(DEFAULT, fused_action=0.0, fused_language=0.0, fused_vision=0.0)),
    'SigLIP, three pairs and fused': Arm(DEFAULT, pair_loss='siglip'),
    'GRAM': Arm(AT_ONCE, trimodal_loss='gram'),
    'GRAM, rotating anchor': Arm(AT_ONCE, trimodal_loss='gram_rotating'),
    'TRIANGLE': Arm(AT_ONCE, trimodal_loss='triangle'),
    'Symile': Arm(AT_ONCE, trimodal_loss='symile'),
}


def run(episodes: list[Path], held_out: Path, out: Path, seeds: list[int] = [0, 1, 2],  # noqa: B006
        arms: list[str] = list(ARMS), steps: int = 2000, batch_size: int = 64,  # noqa: B006
        rollouts: int = 100, processes: int = 2) -> None:
    """
    Train and measure every arm with every seed.

    :param episodes: Directories of training episodes.
    :param held_out: Directory of episodes never trained on.
    :param out: Folder for checkpoints and results.
    :param seeds: Seeds of weights and batches.
    :param arms: Which objectives; all by default.
    :param steps: Optimisation steps of every run.
    :param batch_size: Windows a step.
    :param rollouts: Closed-loop trials of every run; 0 leaves them out.
    :param processes: That share the work.
    """
    for seed in seeds:
        for name in arms:
            folder = out / f'{_slug(name)}-{seed}'
            if folder.with_suffix('.json').exists():
                continue
            settings = _settings(ARMS[name], episodes, seed, steps, batch_size)
            print(f'{name}, seed {seed}', flush=True)
            train(settings, folder, processes=processes, save_every=500)
            figures = _measure(folder, held_out, rollouts, processes)
            write_json(folder.with_suffix('.json'), {'arm': name, 'seed': seed, 'steps': steps,
                                                    'batch_size': batch_size, **figures})


def _slug(name: str) -> str:
    return ''.join(letter if letter.isalnum() else '_' for letter in name)


def _settings(arm: Arm, episodes: list[Path], seed: int, steps: int,
              batch_size: int) -> TrainingSettings:
    settings = TrainingSettings(
        tuple(map(str, episodes)), str(ROBOT), steps=steps, batch_size=batch_size, seed=seed,
        weights=arm.weights, pair_loss=arm.pair_loss, trimodal_loss=arm.trimodal_loss)
    if arm.share == 1.0:
        return settings
    from trimodal_ros.spec import RobotSpec
    frames = open_frames(episodes, RobotSpec.from_yaml(ROBOT), LABEL_TOPIC, workers=2)
    count = len(BatchSource(frames, batch_size, seed).train)
    return replace(settings, episode_limit=round(arm.share * count))


def _measure(checkpoint: Path, held_out: Path, rollouts: int, workers: int) -> dict:
    policy = load_checkpoint(checkpoint)
    space = measure(policy, embed_episodes(policy, [held_out], GALLERY, LABEL_TOPIC, workers))
    if not rollouts:
        return {'space': space}
    trials = make_trials(rollouts, ROLLOUT_SEED, [SENTENCE], swap=False)
    closed_loop = summarize(run_trials(checkpoint, trials, workers, REPLAN_STEPS))
    del closed_loop['trials']
    return {'space': space, 'closed_loop': closed_loop}


COLUMNS = {
    'V->L R@1': lambda f: 100 * f['retrieval']['V->L']['recall_at_1'],
    'A->L R@1': lambda f: 100 * f['retrieval']['A->L']['recall_at_1'],
    'L->A R@1': lambda f: 100 * f['retrieval']['L->A']['recall_at_1'],
    'V->A R@1': lambda f: 100 * f['retrieval']['V->A']['recall_at_1'],
    'V->A R@10': lambda f: 100 * f['retrieval']['V->A']['recall_at_10'],
    '(V,L)->A R@1': lambda f: 100 * f['retrieval']['(V,L)->A']['recall_at_1'],
    'action error, mrad': lambda f: 1000 * f['action']['mean_rad'],
}


def table(out: Path) -> None:
    """
    Print the results in ``out`` as a Markdown table.

    Means over the seeds with 95 % Student intervals; success over all trials with Wilson's.
    """
    results = [json.loads(path.read_text()) for path in sorted(out.glob('*.json'))]
    print(f'| objective | seeds | {" | ".join(COLUMNS)} | success |')
    print('|---|---|' + '---|' * (len(COLUMNS) + 1))
    for arm in ARMS:
        mine = [result for result in results if result['arm'] == arm]
        if mine:
            cells = [_cell([column(result['space']) for result in mine])
                     for column in COLUMNS.values()]
            print(f'| {arm} | {len(mine)} | {" | ".join(cells)} | {_success(mine)} |')


def _cell(values: list[float]) -> str:
    if len(values) == 1:
        return f'{values[0]:.1f}'
    mean, half = mean_interval(values)
    return f'{mean:.1f} ± {half:.1f}'


def _success(results: list[dict]) -> str:
    loops = [result['closed_loop'] for result in results if 'closed_loop' in result]
    done, trials = (sum(loop[key] for loop in loops) for key in ('successes', 'episodes'))
    low, high = wilson_interval(done, trials)
    return f'{done} of {trials} ({100 * low:.1f}-{100 * high:.1f} %)' if trials else ''


if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict({'run': run, 'table': table}, description=__doc__)
