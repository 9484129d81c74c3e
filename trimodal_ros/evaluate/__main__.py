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

"""``python -m trimodal_ros.evaluate``: what a checkpoint is worth."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import tyro

from .page import check_files, write_json
from .replay.__main__ import replay
from .search import search
from ..command.blend import Blending
from ..command.decision import OnLimit, Rules
from ..command_line import one_line_errors
from ..paths import shipped
from ..plan.checkpoint import load_checkpoint, read_config
from ..plan.engine import identity
from ..sim.sentences import read_templates
from ..spec.topics import LABEL_TOPIC

SCENE = shipped().scene
DEFAULT_TEMPLATE = 'put the {object} on the {place}'


def rollout(checkpoint: Path, json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
            episodes: int = 200, seed: int = 1_000_000, templates: Path | None = None,
            swap_instruction: bool = False, ros: bool = False, workers: int = 2,
            replan_steps: int = 6, candidates: int = 1, blending: Blending = 'none',
            on_limit: OnLimit = 'refuse', scene: Path = SCENE) -> None:
    """
    Measure closed-loop success on the simulated table, with a Wilson 95 % interval.

    :param checkpoint: Checkpoint folder, or an exported policy.
    :param json_file: File that gets the figures and every trial.
    :param episodes: How many layouts.
    :param seed: Layout of the first; training uses those below 1,000,000.
    :param templates: Sentence templates, one a line, with {object} and {place}, taken in turn.
    :param swap_instruction: Name another object than the one the scene was set up for.
    :param ros: Through the policy node and topics in real time, instead of lockstep.
    :param workers: Processes, in lockstep.
    :param replan_steps: Steps of each chunk that are carried out before the next plan.
    :param candidates: Chunks to sample at each decision; the one that lies best with image and
        sentence is carried out. More than 1 needs a decoder that samples.
    :param blending: How plans go together, as the node's parameter of that name.
    :param on_limit: What becomes of a plan outside the limits, as the node's parameter.
    :param scene: Scene YAML: the table, and the robot on it.
    """
    from .rollout import make_trials, run_trials, summarize
    check_files(json=json_file)
    ways = {'candidates': candidates, 'blending': blending, 'on_limit': on_limit}
    sentences = [DEFAULT_TEMPLATE] if templates is None else read_templates(templates)
    trials = make_trials(episodes, seed, sentences, swap_instruction)
    if ros:
        figures = _through_ros(checkpoint, trials, replan_steps, ways, scene)
    else:
        figures = summarize(run_trials(
            checkpoint, trials, workers, replan_steps, candidates=candidates,
            rules=Rules(blending=blending, on_limit=on_limit), scene=scene))
    figures = {'checkpoint': identity(checkpoint), 'seed': seed, 'ros': ros,
               'scene': [scene.name, hashlib.sha256(scene.read_bytes()).hexdigest()[:16]],
               'swap_instruction': swap_instruction, 'replan_steps': replan_steps, **ways,
               **figures}
    print(describe(figures))
    if json_file is not None:
        write_json(json_file, figures)


def _through_ros(checkpoint: Path, trials: list, replan_steps: int, ways: dict,
                 scene: Path) -> dict:
    from ..nodes.private_graph import GraphError  # a command may reach right
    from ..nodes.ros_rollout import run_trials_through_ros
    try:
        return run_trials_through_ros(checkpoint, trials, replan_steps, ways, scene)
    except GraphError as error:
        raise SystemExit(f'error: {error}') from error


def describe(figures: dict) -> str:
    """Return the figures as lines a person reads."""
    low, high = figures['wilson_95']
    lines = [f'success {figures["successes"]} of {figures["episodes"]} '
             f'({100 * figures["success_rate"]:.1f} %, 95 % interval '
             f'{100 * low:.1f}-{100 * high:.1f} %)']
    if figures['swap_instruction']:
        lines.append(f"did the scene's own task instead: {figures['followed_scene']}")
    if figures['ros']:
        lines += _describe_ros(figures)
    else:
        lines.append(f'plans refused: {figures["refused_plans"]}')
    return '\n'.join(lines)


def _describe_ros(figures: dict) -> list[str]:
    lines = [f'plans refused: {figures["refused_plans"]}, of them late: {figures["late_plans"]}; '
             f'by the controller: {figures["refused_by_controller"]}']
    for name, stage in figures['latency_ms'].items():
        lines.append(f'{name}: no decision' if stage is None else
                     f'{name}: p50 {stage["p50"]:.1f} ms, p99 {stage["p99"]:.1f} ms, '
                     f'max {stage["max"]:.1f} ms over {stage["count"]} decisions')
    factor = figures['real_time_factor']
    return [*lines, f'real-time factor {"not reported" if factor is None else f"{factor:.3f}"}']


def alignment(checkpoint: Path, episodes: list[Path],
              json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
              html: Path | None = None, size: int = 1000, label_topic: str = LABEL_TOPIC,
              workers: int = 2, seed: int = 0) -> None:
    """
    Measure the shared space on recorded episodes: retrieval, geometry and predicted chunks.

    :param checkpoint: Checkpoint folder.
    :param episodes: Directories with episodes in them, at any depth: none it was trained on.
    :param json_file: File that gets the figures.
    :param html: File that gets a page with pictures, to open in a browser.
    :param size: Moments to embed, as many from each episode as from another.
    :param label_topic: Topic with the commanded trajectory of each moment.
    :param workers: Processes that read episodes.
    :param seed: Of which moments are drawn and how they are worded.
    """
    from .alignment import measure
    from .gallery import embed_episodes
    from .report import table, write_alignment_page
    check_files(json=json_file, html=html)
    policy = load_checkpoint(checkpoint)
    gallery = embed_episodes(policy, episodes, size, label_topic, workers, seed)
    weights = read_config(checkpoint)['training'].get('weights', {})
    figures = {'checkpoint': policy.content_hash,
               'tasks_off': [task for task, weight in weights.items() if not weight],
               'folders': [root.name for root in episodes], 'label_topic': label_topic,
               'seed': seed, **measure(policy, gallery)}
    print(table(figures))
    if json_file is not None:
        write_json(json_file, figures)
    if html is not None:
        write_alignment_page(html, figures, gallery)
        print(f'page: {html.resolve()}')


def guard(checkpoint: Path, json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
          episodes: int = 100, seed: int = 1_000_000, workers: int = 2,
          replan_steps: int = 6) -> None:
    """
    Measure what a plan's alignment tells: failing episodes, wrong sentences, bad images.

    Episodes run in lockstep. At every decision the policy is also asked what it would do, had it
    been told something else or had its cameras been covered, black, swapped, shuffled or noise.

    :param checkpoint: Checkpoint folder.
    :param json_file: File that gets the figures and the similarities of every decision.
    :param episodes: How many layouts.
    :param seed: Layout of the first; training uses those below 1,000,000.
    :param workers: Processes.
    :param replan_steps: Steps of each chunk that are carried out before the next plan.
    """
    from .guard import describe_guard, measure_guard, watch_trials
    from .rollout import make_trials
    check_files(json=json_file)
    trials = make_trials(episodes, seed, [DEFAULT_TEMPLATE], swap=False)
    figures = {'checkpoint': identity(checkpoint), 'seed': seed, 'replan_steps': replan_steps,
               **measure_guard(watch_trials(checkpoint, trials, workers, replan_steps))}
    print(describe_guard(figures))
    if json_file is not None:
        write_json(json_file, figures)


def main(args: list[str] | None = None) -> None:
    with one_line_errors():
        code = tyro.extras.subcommand_cli_from_dict(
            {'rollout': rollout, 'alignment': alignment, 'search': search,
             'guard': guard, 'replay': replay}, args=args,
            prog='trimodal_ros.evaluate', description='What a checkpoint is worth.')
    if code:
        raise SystemExit(code)


if __name__ == '__main__':
    main()
