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
How the tasks' losses become one gradient: fixed weights, learned ones, or projected gradients.

Every method starts from the fixed weights lambda_i and works on lambda_i L_i. The methods are
those of ``torchjd``. A plain sum holds its own against them (Kurin 2022), so it is the default.
Shapes: K tasks, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import nn
from torchjd.aggregation import PCGradWeighting, UPGradWeighting
from torchjd.scalarization import DWA, FAMO, Sum, UW

from .parallel import mean_over_group, same_for_all

Method = Literal['fixed', 'uncertainty', 'dwa', 'famo', 'pcgrad', 'upgrad']
UNCERTAINTY_BOUND = 4.0  # of |s_i|: the floor of InfoNCE isn't 0, and s_i would run away
DWA_STEPS = 100          # that count as one of DWA's epochs
Losses = Mapping[str, torch.Tensor]


class Weighting(nn.Module):
    """
    The method and its state.

    ``uncertainty``: Kendall 2018, sum_i e^{-s_i} L_i / 2 + s_i / 2, |s_i| at most 4. ``dwa``:
    Liu 2019. ``famo``: Liu 2023, which costs a second look at each batch. ``pcgrad``: Yu 2020
    and ``upgrad``: Quinton 2024 project the tasks' gradients, a backward pass each.
    """

    def __init__(self, method: Method, weights: Mapping[str, float]):
        super().__init__()
        self.tasks = tuple(weights)
        self.register_buffer('lambda_K', torch.tensor(list(weights.values())), persistent=False)
        count = len(weights)
        self.scalarizer = {'fixed': Sum, 'uncertainty': lambda: UW(count), 'dwa': DWA,
                           'famo': lambda: FAMO(count)}.get(method, Sum)()
        self.projection = {'pcgrad': PCGradWeighting, 'upgrad': lambda: UPGradWeighting(
            torch.ones(count))}.get(method, lambda: None)()

    def backward(self, losses: Losses, parameters: list[nn.Parameter]) -> dict[str, float]:
        """Leave this process's gradient in the parameters; return each task's weight in it."""
        if self.projection is not None:
            return self._project(losses, parameters)
        value_K = self._values(losses)
        loss = self.scalarizer(value_K)
        share_K, = torch.autograd.grad(loss, value_K, retain_graph=True)
        loss.backward()
        return self._named(share_K)

    def _values(self, losses: Losses) -> torch.Tensor:
        """Return lambda_i L_i: the mean of all processes in value, this one's in gradient."""
        value_K = self.lambda_K * torch.stack([losses[task] for task in self.tasks])
        mean_K = value_K.detach().clone()
        mean_over_group([mean_K])
        return value_K + (mean_K - value_K).detach()

    def _named(self, share_K: torch.Tensor) -> dict[str, float]:
        return dict(zip(self.tasks, (share_K * self.lambda_K).tolist()))

    def _project(self, losses: Losses, parameters: list[nn.Parameter]) -> dict[str, float]:
        scaled = {task: value * losses[task] for task, value in zip(self.tasks, self.lambda_K)}
        gradient_KP = task_gradients(scaled, parameters)
        share_K = same_for_all(self.projection(gradient_KP @ gradient_KP.T))
        pieces = (share_K @ gradient_KP).split([value.numel() for value in parameters])
        for parameter, piece in zip(parameters, pieces):
            parameter.grad = piece.view_as(parameter).clone()
        return self._named(share_K)

    @torch.no_grad()
    def after_step(self, step: int, losses_again: Callable[[], Losses]) -> None:
        """Let the method learn from the optimizer's step."""
        if isinstance(self.scalarizer, FAMO):
            self.scalarizer.update(self._values(losses_again()))
        elif isinstance(self.scalarizer, DWA) and (step + 1) % DWA_STEPS == 0:
            self.scalarizer.step()
        elif isinstance(self.scalarizer, UW):
            self.scalarizer.log_var.clamp_(-UNCERTAINTY_BOUND, UNCERTAINTY_BOUND)

    def memory(self) -> dict[str, torch.Tensor]:
        """Return what the method remembers beside its parameters, for an exact resume."""
        method = self.scalarizer
        if isinstance(method, FAMO) and method._optimizer is not None:
            return dict(method._optimizer.state_dict()['state'][0])
        if isinstance(method, DWA) and method._n_batches + len(method._previous_averages):
            kept = {f'average_{k}': value for k, value in enumerate(method._previous_averages)}
            if method._n_batches:
                kept.update(sum=method._loss_sum, count=torch.tensor(method._n_batches))
            return kept
        return {}

    def recall(self, kept: Mapping[str, torch.Tensor]) -> None:
        """Put back what ``memory`` returned."""
        method = self.scalarizer
        if isinstance(method, FAMO) and kept:
            method._optimizer = torch.optim.Adam(
                [method._w], lr=method.lr, weight_decay=method.weight_decay)
            groups = method._optimizer.state_dict()['param_groups']
            method._optimizer.load_state_dict({'state': {0: dict(kept)}, 'param_groups': groups})
        elif isinstance(method, DWA) and kept:
            method._previous_averages = [kept[name] for name in sorted(kept)
                                         if name.startswith('average_')]
            method._loss_sum, method._n_batches = kept.get('sum'), int(kept.get('count', 0))


def task_gradients(losses: Losses, parameters: list[nn.Parameter]) -> torch.Tensor:
    """Return each task's gradient [K, P], the mean of all processes; the graph stays."""
    rows = []
    for loss in losses.values():
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([
            torch.zeros_like(parameter).flatten() if gradient is None else gradient.flatten()
            for gradient, parameter in zip(gradients, parameters)]))
    gradient_KP = torch.stack(rows)
    mean_over_group([gradient_KP])
    return gradient_KP


def gradient_cosines(losses: Losses, parameters: list[nn.Parameter],
                     reference: str) -> dict[str, float]:
    """Return the cosine of each task's gradient with that of ``reference``; NaN if either is 0."""
    gradient_KP = task_gradients(losses, parameters)
    own_P = gradient_KP[list(losses).index(reference)]
    norm_K = gradient_KP.norm(dim=1) * own_P.norm()
    return dict(zip(losses, (gradient_KP @ own_P / norm_K).tolist()))
