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
"""Where PyTorch computes, and how it gets there."""

from __future__ import annotations

import torch


def choose_device(name: str) -> str:
    """Return 'cuda' or 'cpu' for 'auto' or either. Raises ValueError for a GPU not there."""
    if name == 'cuda' and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for and no GPU is visible; use 'auto'")
    return 'cpu' if name == 'cpu' or not torch.cuda.is_available() else 'cuda'


def to_device(value: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy to a GPU from pinned memory, without waiting for it; elsewhere plainly."""
    if device.type != 'cuda' or value.device.type != 'cpu':
        return value.to(device)
    return (value if value.is_pinned() else value.pin_memory()).to(device, non_blocking=True)
