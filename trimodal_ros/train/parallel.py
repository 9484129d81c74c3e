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
Several processes that take every step together, on one machine or on many.

Each has its share of the batch and contrasts it with the whole: two processes with half the
batch have the loss and the gradients of one with all of it. Started by ``accelerate launch`` or
``torchrun``, the group they made is joined; else processes are started here, a thread each, which
on two cores is nearly twice as fast as two threads of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import tempfile

import torch
from torch import distributed
from torch.multiprocessing import ProcessRaisedException, spawn


def launched() -> bool:
    """Return whether a launcher started this process as one of a group."""
    return int(os.environ.get('WORLD_SIZE', '1')) > 1


def run_together(processes: int, work: Callable, *arguments) -> None:
    """
    Call ``work(*arguments)`` in every process of a group.

    What one of the processes started here raises is a RuntimeError with its traceback.
    """
    if launched():
        _take_part(work, arguments, backend=_backend(), init_method='env://')
    elif processes == 1:
        work(*arguments)
    else:
        with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as folder:
            try:
                spawn(_join, (processes, Path(folder) / 'meet', work, arguments), processes)
            except ProcessRaisedException as error:
                raise RuntimeError(str(error)) from None


def _backend() -> str:
    """Choose a GPU for this process, where there are any."""
    if not torch.cuda.is_available():
        return 'gloo'
    torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    return 'cpu:gloo,cuda:nccl'


def _join(rank: int, processes: int, meet: Path, work: Callable, arguments) -> None:
    # torch tells of the parent's death by SIGINT, which jobs in a shell's background ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ['GLOO_SOCKET_IFNAME'] = 'lo'
    torch.set_num_threads(1)
    _take_part(work, arguments, backend='gloo', init_method=meet.as_uri(), rank=rank,
               world_size=processes)


def _take_part(work: Callable, arguments, **group) -> None:
    distributed.init_process_group(**group)
    try:
        work(*arguments)
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return this process's number in its group, 0 outside of one."""
    if distributed.is_initialized():
        return distributed.get_rank()
    return int(os.environ.get('RANK', '0'))


def group_size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


class _Gather(torch.autograd.Function):
    """All processes' rows in order of rank; the gradient of each comes back to its owner."""

    @staticmethod
    def forward(context, here: torch.Tensor) -> torch.Tensor:
        context.rows = len(here)
        parts = [torch.empty_like(here) for _ in range(group_size())]
        distributed.all_gather(parts, here.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient[rank() * context.rows:(rank() + 1) * context.rows]


def gather(here: torch.Tensor) -> torch.Tensor:
    """
    Return the rows [B, ...] of all processes [M, ...], differentiable.

    Each process's loss must be the mean over its own rows, and gradients averaged after: then
    they are those of the mean over all rows.
    """
    return here if group_size() == 1 else _Gather.apply(here)


@contextmanager
def leader_first():
    """Let the first process pass alone, and the others after it."""
    if rank() > 0:
        distributed.barrier()
    yield
    if rank() == 0 and group_size() > 1:
        distributed.barrier()


def same_for_all(value: torch.Tensor) -> torch.Tensor:
    """Return the first process's value in every process."""
    if group_size() > 1:
        distributed.broadcast(value, 0)
    return value


@torch.no_grad()
def mean_over_group(tensors: Iterable[torch.Tensor]) -> None:
    """Replace every tensor by its mean over the group; nothing to do outside of one."""
    tensors = list(tensors)
    if group_size() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= group_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(mean.view_as(tensor))
