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
Several processes on one machine that take every step together.

Each has its share of the batch, contrasts within it, and averages gradients with the others
over gloo on loopback. Two cores do this nearly twice as fast as two threads of one process.
"""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import tempfile

import torch
from torch import distributed
from torch.multiprocessing import spawn


def run_together(processes: int, work: Callable, *arguments) -> None:
    """Call ``work(*arguments)`` in each of several processes of one group, on a thread each."""
    if processes == 1:
        work(*arguments)
        return
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as folder:
        spawn(_join, (processes, Path(folder) / 'meet', work, arguments), nprocs=processes)


def _join(rank: int, processes: int, meet: Path, work: Callable, arguments) -> None:
    os.environ['GLOO_SOCKET_IFNAME'] = 'lo'
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', init_method=meet.as_uri(), rank=rank,
                                   world_size=processes)
    try:
        work(*arguments)
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return this process's number in its group, 0 outside of one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(parameters) -> None:
    """Replace every gradient by its mean over the group; nothing to do outside of one."""
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(mean.view_as(gradient))
