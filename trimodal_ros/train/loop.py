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

"""From episodes to a checkpoint: the training loop, and resuming it."""

from __future__ import annotations

from pathlib import Path

import torch

from .batches import Batch, BatchSource, describe_validation
from .cache import Frames, open_frames
from .card import model_card
from .costs import describe_costs, measure_costs
from .log import TrainingLog
from .metrics import validate
from .objective import NotFinite, Objective
from .parallel import group_size, launched, leader_first, mean_over_group, rank, run_together
from .schedule import Clock, learning_rate_factor
from .selection import choose, Chosen, describe
from .settings import provenance, recorded, TrainingSettings
from .state import load_state, save_state, saved_step
from .weighting import gradient_cosines, Weighting
from ..embed.alignment import SIGMOID_BIAS, SIGMOID_SCALE
from ..plan.accelerate import compile_modules
from ..plan.checkpoint import check_replaceable, content_hash, load_checkpoint, save_checkpoint
from ..plan.encoders import open_encoders
from ..plan.normalize import JointStatistics
from ..plan.policy import Policy
from ..progress import progress_bar
from ..spec import RobotSpec

VALIDATION_FRAMES = 256
GRADIENT_NORM = 1.0


def train(settings: TrainingSettings, out: Path, device: str = 'cpu', processes: int = 1,
          workers: int = 2, save_every: int = 250) -> str:
    """
    Train and write the checkpoint ``out``; return its content hash.

    State and ``log.csv`` are kept in ``out`` with ``.training`` added, from which the same
    call goes on after an interrupt. Raises NotFinite when a loss stops being a number, and
    ResumeError when what is kept there is damaged or another run's.
    """
    robot = RobotSpec.from_yaml(settings.robot)
    if not launched():
        _refuse_early(settings, robot, out, processes)
        frames, chosen = _choose(settings, robot, workers)   # built once, here
        print(describe(chosen.account))
        print(describe_validation(_source(settings, frames, chosen, 0, processes)))
    run_together(processes, _train, settings, robot, out, device, workers, save_every)
    return content_hash(out)


def _refuse_early(settings: TrainingSettings, robot: RobotSpec, out: Path,
                  processes: int) -> None:
    """Raise here, before the work, what every process would raise, and the last step."""
    check_replaceable(out)
    saved_step(_work(out), recorded(settings, processes))
    if settings.initial:
        _load_initial(settings, robot)


def _load_initial(settings: TrainingSettings, robot: RobotSpec) -> Policy:
    return load_checkpoint(Path(settings.initial), robot=robot, decoder=settings.policy.decoder)


def _work(out: Path) -> Path:
    return out.with_name(out.name + '.training')


def _choose(settings: TrainingSettings, robot: RobotSpec, workers: int) -> tuple[Frames, Chosen]:
    frames = open_frames(settings.roots, robot, settings.label_topic, workers,
                         settings.sampling)
    return frames, choose(frames, settings.selection)


def _source(settings: TrainingSettings, frames: Frames, chosen: Chosen, process: int,
            processes: int) -> BatchSource:
    """Return where a process has its share of the batches from. Raises ValueError."""
    return BatchSource(frames, settings.batch_size, settings.seed, settings.start_steps, process,
                       processes, settings.episode_limit, chosen.weight_N)


def _train(settings: TrainingSettings, robot: RobotSpec, out: Path, device: str, workers: int,
           save_every: int) -> None:
    with leader_first():
        frames, chosen = _choose(settings, robot, workers)
    source = _source(settings, frames, chosen, rank(), group_size())
    run = Run(settings, robot, source, out, device)
    last_row = run.go(save_every)
    training = {**provenance(settings), 'frames': len(source.train_frames()),
                'episode_count': len(source.train), 'held_out_count': len(source.held_out),
                'windows': source.batch_size, 'data': chosen.account, 'result': last_row}
    with leader_first():  # nobody leaves before there is a checkpoint
        if rank() == 0:
            save_checkpoint(out, run.policy.eval(), training, model_card(run.policy, training))


def _build_policy(settings: TrainingSettings, robot: RobotSpec, source: BatchSource) -> Policy:
    torch.manual_seed(settings.seed)
    if settings.initial:
        return _load_initial(settings, robot)
    chosen, frames = source.train_frames(), source.frames
    statistics = JointStatistics.fit(
        frames.command_NJ[chosen], frames.chunk_NTJ[chosen], robot.is_gripper_J)
    policy = Policy(settings.policy, robot, statistics, *open_encoders(settings.policy))
    if settings.pair_loss == 'siglip':
        for scale in policy.scales.values():
            scale.start_at(SIGMOID_SCALE, SIGMOID_BIAS)
    return policy


class Run:
    """One process's part in a training run."""

    def __init__(self, settings: TrainingSettings, robot: RobotSpec, source: BatchSource,
                 out: Path, device: str):
        self.settings, self.source = settings, source
        self.work, self.recorded = _work(out), recorded(settings, group_size())
        self.policy = _build_policy(settings, robot, source).to(
            device, memory_format=torch.channels_last)
        self.objective = Objective(settings.weights, self.policy, settings.pair_loss,
                                   settings.trimodal_loss, settings.memory,
                                   getattr(torch, settings.precision)).to(device)
        self.weighting = Weighting(settings.weighting, settings.weights.on()).to(device)
        self.modules = {'policy': self.policy, 'objective': self.objective,
                        'weighting': self.weighting}
        self.parameters = list(self.policy.parameters())
        learned = list(self.weighting.parameters()) if settings.weighting == 'uncertainty' else []
        self.optimizer = torch.optim.AdamW(
            [{'params': self.parameters}, {'params': learned, 'weight_decay': 0.0}],
            settings.learning_rate, weight_decay=settings.weight_decay)
        self._tell_costs(source.at(0))
        self.first = self._resume()

    def _tell_costs(self, batch: Batch) -> None:
        """Print what the parts cost, compile them if asked, and say so if that fails."""
        share = self.source.mine.stop - self.source.mine.start
        if rank() == 0:
            print(describe_costs(measure_costs(self.policy, batch, share,
                                               self.objective.precision),
                                 share, self.policy.device))
        missing = self._compile(batch)
        if rank() == 0 and missing:
            print(f'compiling {self.settings.compiling!r}: {missing}')

    def _compile(self, batch: Batch) -> str:
        def learn_once() -> None:
            losses = self.objective.eval()(self.policy.train(), batch)
            sum(losses.values()).backward()
            self.optimizer.zero_grad(set_to_none=True)
        if self.settings.compiling == 'off':
            return ''
        return compile_modules(self.policy.parts(), self.settings.compiling, learn_once,
                               self.policy.device)

    def _resume(self) -> int:
        step, memory = load_state(self.work, self.recorded, self.modules, self.optimizer)
        self.weighting.recall(memory)
        if step and rank() == 0:
            print(f'resuming {self.work} at step {step}')
        return step

    def go(self, save_every: int) -> dict:
        """Take all steps that are left; return the last row of the log."""
        steps, leads = self.settings.steps, rank() == 0
        validation = self.source.validation(VALIDATION_FRAMES)
        bar = progress_bar(range(self.first, steps), initial=self.first, total=steps,
                           desc='train', unit='step', disable=not leads)
        log = TrainingLog(self.work / 'log.csv', self.first) if leads else None
        clock = Clock()
        try:
            for step, batch in zip(bar, clock.watch(self.source.prefetched(self.first, steps))):
                at_save = (step + 1) % save_every == 0 or step + 1 == steps
                row = self.step(batch, step, at_save)
                if leads and at_save:
                    rate = self.source.batch_size * (step + 1 - self.first) / clock.elapsed_s()
                    log.write({'step': step + 1, **row, **validate(self.policy, validation),
                               'samples_per_s': round(rate, 1),
                               'waited_for_data': round(clock.waited_share(), 4)})
                    save_state(self.work, step + 1, self.recorded, self.modules,
                               self.optimizer, self.weighting.memory())
        except KeyboardInterrupt:
            if leads:
                print('\n' + self._how_to_go_on())
            raise
        return log.last if leads else {}

    def _how_to_go_on(self) -> str:
        saved = saved_step(self.work, self.recorded)
        return (f'the same command goes on from step {saved}, the last state in {self.work}'
                if saved else 'no state was saved yet: the same command begins anew')

    def step(self, batch: Batch, step: int, watch_closely: bool = False) -> dict[str, float]:
        """Take one step; return each task's loss and weight, and, if asked, gradient cosine."""
        torch.manual_seed((self.settings.seed * 1_000_003 + step) * group_size() + rank())
        for group in self.optimizer.param_groups:
            group['lr'] = self.settings.learning_rate * learning_rate_factor(
                step, self.settings.steps)
        self.policy.train()
        losses = self._losses(batch, step)
        row = {f'loss_{task}': value.item() for task, value in losses.items()}
        if watch_closely and 'action_generation' in losses:
            cosines = gradient_cosines(losses, self._shared(), 'action_generation')
            row.update({f'cosine_{task}': value for task, value in cosines.items()})
        self.optimizer.zero_grad(set_to_none=True)
        weights = self.weighting.backward(losses, self.parameters)
        row.update({f'weight_{task}': value for task, value in weights.items()})
        self._descend(batch, step)
        self.weighting.after_step(step, lambda: self._losses(batch, step, again=True))
        return {name: round(value, 5) for name, value in row.items()}

    def _losses(self, batch: Batch, step: int, again: bool = False) -> dict[str, torch.Tensor]:
        try:
            losses = self.objective.train(not again)(self.policy, batch)
        except NotFinite as error:
            raise _not_finite(batch, step, str(error)) from error
        broken = [task for task, value in losses.items() if not torch.isfinite(value)]
        if broken:
            raise _not_finite(batch, step, f'the loss of {", ".join(broken)} is not finite')
        return losses

    def _descend(self, batch: Batch, step: int) -> None:
        mean_over_group(value.grad for group in self.optimizer.param_groups
                        for value in group['params'] if value.grad is not None)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        if not torch.isfinite(norm):
            raise _not_finite(batch, step, 'the gradient is not finite')
        self.optimizer.step()

    def _shared(self) -> list[torch.nn.Parameter]:
        """Return the parameters of the encoders, which the tasks share."""
        encoders = (self.policy.vision, self.policy.sentences, self.policy.language,
                    self.policy.motion)
        return [parameter for encoder in encoders for parameter in encoder.parameters()
                if parameter.requires_grad]


def _not_finite(batch: Batch, step: int, what: str) -> NotFinite:
    return NotFinite(f'step {step}: {what}; episodes of the batch: {", ".join(batch.episodes)}')
