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

"""From episodes to a checkpoint: the training loop, its log, and resuming it."""

from __future__ import annotations

from collections.abc import Mapping
import csv
from dataclasses import asdict, dataclass, field
import math
from pathlib import Path
import time

import torch

from .batches import BatchSource
from .cache import open_frames
from .card import model_card
from .objective import action_error_rad, DEFAULT_WEIGHTS, task_losses, total_loss
from .parallel import average_gradients, rank, run_together
from .state import load_state, save_state, SETTINGS
from ..embed.language import SentenceEncoder
from ..plan.checkpoint import check_fits, content_hash, load_checkpoint, save_checkpoint
from ..plan.normalize import JointStatistics
from ..plan.policy import Policy, PolicyConfig
from ..progress import progress_bar
from ..spec import RobotSpec

WARMUP_STEPS = 100
VALIDATION_FRAMES = 256
GRADIENT_NORM = 1.0


class NotFinite(ArithmeticError):
    """A loss that is not a number; the last saved state is good."""


@dataclass(frozen=True)
class TrainingSettings:
    """What makes a run: the same settings on the same episodes give the same checkpoint."""

    episodes: tuple[str, ...]
    robot: str
    steps: int = 2400
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    seed: int = 0
    processes: int = 1                    # that share each batch
    start_steps: int = 400                # of batches from the starts of episodes only
    initial: str = ''                     # checkpoint folder to start from
    label_topic: str = 'demonstration'
    policy: PolicyConfig = PolicyConfig()
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))


def train(settings: TrainingSettings, out: Path, device: str = 'cpu', workers: int = 2,
          save_every: int = 250) -> str:
    """
    Train and write the checkpoint ``out``; return its content hash.

    State and ``log.csv`` are kept in ``out`` with ``.training`` added, from which the same
    call goes on after an interrupt. Raises NotFinite when a loss stops being a number.
    """
    robot = RobotSpec.from_yaml(settings.robot)
    roots = [Path(root) for root in settings.episodes]
    open_frames(roots, robot, settings.label_topic, workers)  # built here, once
    run_together(settings.processes, _train, settings, robot, out, device, save_every)
    return content_hash(out)


def _train(settings: TrainingSettings, robot: RobotSpec, out: Path, device: str,
           save_every: int) -> None:
    work = out.with_name(out.name + '.training')
    roots = [Path(root) for root in settings.episodes]
    frames = open_frames(roots, robot, settings.label_topic, workers=1)
    source = BatchSource(frames, settings.batch_size // settings.processes,
                         [settings.seed, rank()], settings.start_steps)
    torch.manual_seed(settings.seed)
    policy = _build_policy(settings, robot, source).to(
        device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(policy.parameters(), settings.learning_rate,
                                  weight_decay=settings.weight_decay)
    first = 0
    if (work / SETTINGS).exists():
        first = load_state(work, asdict(settings), policy, optimizer)
        print(f'resuming {work} at step {first}')
    last_row = _run(settings, source, policy, optimizer, first, work, save_every)
    if rank() == 0:
        training = {**_provenance(settings), 'frames': len(source.train_frames()),
                    'episode_count': len(frames.infos), 'result': last_row}
        save_checkpoint(out, policy.eval(), training, model_card(policy, training))


def _provenance(settings: TrainingSettings) -> dict:
    """Return the settings without paths of this machine: names, and the hash of what it began."""
    return {**asdict(settings), 'episodes': [Path(root).name for root in settings.episodes],
            'robot': Path(settings.robot).name,
            'initial': content_hash(Path(settings.initial)) if settings.initial else ''}


def _build_policy(settings: TrainingSettings, robot: RobotSpec, source: BatchSource) -> Policy:
    if settings.initial:
        policy = load_checkpoint(Path(settings.initial))
        check_fits(Path(settings.initial), policy.robot, robot)
        return policy
    chosen, frames = source.train_frames(), source.frames
    statistics = JointStatistics.fit(
        frames.command_NJ[chosen], frames.chunk_NTJ[chosen], robot.is_gripper_J)
    sentences = SentenceEncoder(settings.policy.language_encoder)
    return Policy(settings.policy, robot, statistics, sentences)


def _run(settings, source, policy, optimizer, first, work, save_every) -> dict:
    leads = rank() == 0
    validation = source.validation(VALIDATION_FRAMES)
    bar = progress_bar(range(first, settings.steps), initial=first, total=settings.steps,
                       desc='train', unit='step', disable=not leads)
    log = TrainingLog(work / 'log.csv', first) if leads else None
    started = time.perf_counter()
    try:
        for step, batch in zip(bar, source.prefetched(first, settings.steps)):
            losses = _step(settings, policy, optimizer, batch, step)
            done = step + 1
            if leads and (done % save_every == 0 or done == settings.steps):
                rate = settings.batch_size * (done - first) / (time.perf_counter() - started)
                error = action_error_rad(policy.eval(), validation)
                log.write({'step': done, **losses, 'held_out_error_rad': round(error, 5),
                           'samples_per_s': round(rate, 1)})
                save_state(work, done, asdict(settings), policy, optimizer)
            bar.set_postfix(action=f'{losses["action_generation"]:.3f}', refresh=False)
    except KeyboardInterrupt:
        print(f'\ninterrupted; the same command goes on from the last state in {work}')
        raise
    return log.last if leads else {}


def _step(settings, policy, optimizer, batch, step: int) -> dict[str, float]:
    torch.manual_seed((settings.seed * 1_000_003 + step) * settings.processes + rank())
    for group in optimizer.param_groups:
        group['lr'] = settings.learning_rate * learning_rate_factor(step, settings.steps)
    losses = task_losses(policy.train(), batch)
    loss = total_loss(losses, settings.weights)
    if not torch.isfinite(loss):
        broken = [task for task, value in losses.items() if not torch.isfinite(value)]
        raise NotFinite(f'step {step}: the loss of {broken} is not finite')
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    average_gradients(policy.parameters())
    torch.nn.utils.clip_grad_norm_(policy.parameters(), GRADIENT_NORM)
    optimizer.step()
    return {task: round(value.item(), 5) for task, value in losses.items()}


def learning_rate_factor(step: int, steps: int) -> float:
    """
    Return the share of the peak learning rate: linear warm-up, then cosine to zero.

    >>> [round(learning_rate_factor(step, 1100), 2) for step in (49, 99, 600, 1100)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return 0.5 * (1 + math.cos(math.pi * progress))


class TrainingLog:
    """``log.csv``: a row a save; rows after the step resumed from are dropped."""

    def __init__(self, path: Path, first: int):
        self.path, self.last = path, {}
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        if path.exists():
            with path.open() as file:
                kept = [row for row in csv.DictReader(file) if int(row['step']) <= first]
            path.unlink()
        for row in kept:
            self.write(row)

    def write(self, row: Mapping) -> None:
        self.last = dict(row)
        fresh = not self.path.exists()
        with self.path.open('a', newline='') as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
