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
Memory and time of the contrastive losses by batch size, forward and backward.

    python -m benchmarks.loss_memory

Each size runs in a process of its own; what it adds to the peak of a process with a batch of 64
is printed beside the size of one whole similarity matrix.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from typing import Literal

import torch
import tyro

from trimodal_ros.embed.alignment import info_nce, Samples, Side, sigmoid_loss
from trimodal_ros.embed.trimodal import gram_volume, symile, volume_loss

DIM, MOTION_VALUES, INSTRUCTIONS = 128, 192, 50
Loss = Literal['info_nce', 'siglip', 'gram', 'symile']


def run(losses: list[Loss] = ['info_nce', 'siglip', 'gram'],  # noqa: B006
        sizes: list[int] = [2048, 8192, 32768]) -> None:  # noqa: B006
    """
    Print a Markdown table.

    :param losses: Which.
    :param sizes: Batch sizes.
    """
    print('| loss | batch | one matrix, MB | peak of the loss, MB | seconds |')
    print('|---|---|---|---|---|')
    for loss in losses:
        for size in sizes:
            idle_mb, _ = _alone(loss, size, False)
            peak_mb, seconds = _alone(loss, size, True)
            print(f'| {loss} | {size} | {4 * size * size / 2**20:.0f} | {peak_mb - idle_mb:.0f} '
                  f'| {seconds:.1f} |', flush=True)


def _alone(*arguments) -> tuple[float, float]:
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(_measure, arguments)


def _measure(loss: Loss, size: int, with_loss: bool) -> tuple[float, float]:
    torch.set_num_threads(1)
    _forward_and_back(loss, 64)  # what libraries take at first isn't the loss's
    started = time.perf_counter()
    if with_loss:
        _forward_and_back(loss, size)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return peak_mb, time.perf_counter() - started


def _forward_and_back(loss: Loss, size: int) -> None:
    torch.manual_seed(0)
    vectors = [torch.nn.functional.normalize(torch.randn(size, DIM), dim=1).requires_grad_()
               for _ in range(3)]
    told = Samples(torch.randint(INSTRUCTIONS, (size,)))
    itself = Samples(torch.arange(size), torch.randn(size, MOTION_VALUES), 0.02)
    _loss(loss, vectors, told, itself).backward()


def _loss(name: Loss, vectors, told: Samples, itself: Samples) -> torch.Tensor:
    text, image, motion = vectors
    scale = torch.tensor(10.0)
    if name == 'info_nce':
        return info_nce(Side.of(told, image), Side.of(told, text), scale)
    if name == 'siglip':
        return sigmoid_loss(Side.of(told, image), Side.of(told, text), scale, -scale)
    if name == 'gram':
        return volume_loss(gram_volume, Side.of(told, text), Side.of(told, image, motion), scale)
    shuffled = torch.randperm(len(text))
    return symile(Side.of(itself, text), Side.of(itself, image, motion), scale, shuffled)


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
