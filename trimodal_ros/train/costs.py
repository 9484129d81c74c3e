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
What each part of a policy costs: its memory in training, and how long it takes in a plan.

Weights are in float32; AdamW keeps a gradient and two moments of each trained one. What the
backward pass needs is measured on a few samples of a batch and scaled to the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import statistics
import time

import torch
from torch import nn

from .batches import Batch
from ..plan.device import to_device
from ..plan.policy import Policy

SAMPLES = 2
TIMES = 5
FLOAT_BYTES, OPTIMIZER_BYTES = 4, 12  # of a weight; of a trained one: gradient, two moments
MB = 1e6


@dataclass(frozen=True)
class Cost:
    """``activations`` in bytes a batch, of the backward pass; ``latency_ms`` of one input."""

    part: str
    weights: int
    trained: int
    activations: float
    latency_ms: float

    @property
    def memory_mb(self) -> float:
        return (FLOAT_BYTES * self.weights + OPTIMIZER_BYTES * self.trained
                + self.activations) / MB


def measure_costs(policy: Policy, batch: Batch, batch_size: int,
                  precision: torch.dtype) -> list[Cost]:
    """Return the cost of each encoder and of the decoder, on the policy's device."""
    training, inputs = policy.training, _inputs(policy, batch)
    costs = [_measure(policy, part, modules, call, batch_size / SAMPLES, precision)
             for part, (modules, call) in _parts(policy, batch, inputs).items()]
    policy.train(training)
    return costs


def _inputs(policy: Policy, batch: Batch) -> dict[str, torch.Tensor]:
    return {name: to_device(image[:SAMPLES], policy.device)
            for name, image in batch.images.items()}


def _parts(policy: Policy, batch: Batch, images: dict[str, torch.Tensor]):
    """Return of each part its modules, and a call on a number of samples."""
    chunk_BTJ, command_BJ = (to_device(value[:SAMPLES], policy.device)
                             for value in (batch.chunk_BTJ, batch.command_BJ))
    with torch.no_grad():
        maps, z_BD = policy.eval().vision(images)

    def see(count):
        return policy.vision({name: image[:count] for name, image in images.items()})

    def read(count):
        return policy.language(*policy.sentences.encode(batch.sentences[:count]))

    def act(count):
        scene = policy.relate({name: each[:count] for name, each in maps.items()}, z_BD[:count],
                              z_BD[:count], command_BJ[:count], command_BJ[:count])
        return policy.decoder.decode(scene.context_BF)
    return {'vision encoder': ((policy.vision,), see),
            'language encoder': ((policy.sentences, policy.language), read),
            'action encoder': ((policy.motion,),
                               lambda count: policy.embed_motion(chunk_BTJ[:count])),
            'decoder': ((policy.decoder,), act)}


def _measure(policy: Policy, part: str, modules: tuple[nn.Module, ...], call: Callable,
             scale: float, precision: torch.dtype) -> Cost:
    weights = {id(value): value for module in modules for value in _weights(module)}.values()
    with policy.autocast(precision):
        policy.train()
        kept = _kept_bytes(lambda: call(SAMPLES), weights)
        policy.eval()
        latency_ms = _latency_ms(lambda: call(1), policy.device)
    return Cost(part, sum(value.numel() for value in weights),
                sum(value.numel() for value in weights if value.requires_grad),
                kept * scale, latency_ms)


def _weights(module: nn.Module) -> list[torch.Tensor]:
    """Return all weights, those of frozen encoders too, which are no parameters."""
    hidden = [value for each in module.modules() for model in getattr(each, '_hidden', ())
              for value in model.parameters()]
    return [*module.parameters(), *hidden]


def _kept_bytes(call: Callable, weights) -> int:
    """Return the bytes that the backward pass would need, beside the weights."""
    own = {value.untyped_storage().data_ptr() for value in weights}
    kept = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return value
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        alive = call()
    total = sum(size for place, size in kept.items() if place not in own)
    del alive
    return total


@torch.inference_mode()
def _latency_ms(call: Callable, device: torch.device) -> float:
    times_ms = []
    for _ in range(TIMES):
        started = time.perf_counter()
        call()
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        times_ms.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times_ms)


def describe_costs(costs: list[Cost], batch_size: int, device: torch.device) -> str:
    """Return the costs as lines of text, and on a GPU whether they fit."""
    lines = [f'{"":18}{"weights":>10}{"trained":>10}{"AdamW":>10}{"backward":>10}{"latency":>10}']
    for cost in costs:
        lines.append(
            f'{cost.part:18}{cost.weights / 1e6:8.2f} M{cost.trained / 1e6:8.2f} M'
            f'{OPTIMIZER_BYTES * cost.trained / MB:7.0f} MB{cost.activations / MB:7.0f} MB'
            f'{cost.latency_ms:7.1f} ms')
    total_mb = sum(cost.memory_mb for cost in costs)
    lines.append(f'in all {total_mb:.0f} MB for batches of {batch_size} on {device}; latency is '
                 'of one set of images, one sentence, one chunk')
    if device.type == 'cuda':
        has_mb = torch.cuda.get_device_properties(device).total_memory / MB
        lines.append(f'the GPU has {has_mb:.0f} MB' + (
            '' if total_mb < has_mb else ', which is less: give a smaller batch_size'))
    return '\n'.join(lines)
