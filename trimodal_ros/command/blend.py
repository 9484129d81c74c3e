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

"""How a new chunk goes together with the ones before it that reach as far."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import get_args, Literal

import numpy as np

from .playback import CommandedMotion
from ..spec import NS_PER_S, Trajectory

Blending = Literal['none', 'ensemble', 'prefix']
ENSEMBLE_DECAY = 0.01   # m in w_i = exp(-m i), i = 0 for the oldest (ACT, Zhao 2023)
ENSEMBLE_CHUNKS = 16
PREFIX_STEPS = 2
ROUNDING_S = 1e-6


class Blender:
    """
    Remembers what was planned, as far as ``how`` needs it.

    'none': the new chunk as it is. 'ensemble': the mean of all chunks that reach a time, the
    oldest weighted most (temporal ensembling, ACT): what was seen longer ago than an age budget
    allows counts too. 'prefix': the first steps to come stay what is already committed
    (real-time chunking with a clamped prefix).
    """

    def __init__(self, how: Blending = 'none', prefix_steps: int = PREFIX_STEPS):
        if how not in get_args(Blending):
            raise ValueError(f'blending {how!r} is not one of {", ".join(get_args(Blending))}')
        self.how, self.prefix_steps = how, prefix_steps
        self._planned = deque(maxlen=ENSEMBLE_CHUNKS)
        self._instruction = self._newest = None

    def forget(self) -> None:
        """Forget all plans, as after a hold."""
        self._planned.clear()

    def sent(self, is_hold: bool) -> None:
        """Note that the plan blended last was sent, or a hold: that makes all before it void."""
        if is_hold:
            self.forget()
        elif self._newest is not None:
            self._planned.append(self._newest)
        self._newest = None

    def blend(self, planned: Trajectory, instruction: str, commanded: CommandedMotion,
              now_ns: int) -> Trajectory:
        """Return the plan blended with others for the same instruction; its times stay."""
        if instruction != self._instruction:
            self.forget()
            self._instruction = instruction
        self._newest = planned
        if self.how == 'ensemble':
            return self._mean(planned)
        if self.how == 'prefix':
            return self._clamped(planned, commanded, now_ns)
        return planned

    def _mean(self, planned: Trajectory) -> Trajectory:
        total_TJ, weight_T = np.zeros_like(planned.position_TJ), np.zeros(len(planned.time_s_T))
        spans = [(_times_s(other, planned), other) for other in (*self._planned, planned)]
        reaching = [span for span in spans if span[0][-1] >= planned.time_s_T[0] - ROUNDING_S]
        for age, (own_s_T, other) in enumerate(reaching):
            covered_T = ((planned.time_s_T >= own_s_T[0] - ROUNDING_S)
                         & (planned.time_s_T <= own_s_T[-1] + ROUNDING_S))
            weight = np.exp(-ENSEMBLE_DECAY * age)
            weight_T += weight * covered_T
            total_TJ += weight * covered_T[:, None] * np.stack(
                [np.interp(planned.time_s_T, own_s_T, position_T)
                 for position_T in other.position_TJ.T], axis=1)
        return replace(planned, position_TJ=total_TJ / weight_T[:, None])

    def _clamped(self, planned: Trajectory, commanded: CommandedMotion,
                 now_ns: int) -> Trajectory:
        time_ns_T = planned.stamp_ns + np.round(planned.time_s_T * NS_PER_S).astype(np.int64)
        coming = [step for step, time_ns in enumerate(time_ns_T)
                  if now_ns < time_ns <= commanded.end_ns]
        position_TJ = np.array(planned.position_TJ)
        for step in coming[:self.prefix_steps]:
            position_TJ[step] = commanded.position_at(int(time_ns_T[step]))
        return replace(planned, position_TJ=position_TJ)


def _times_s(other: Trajectory, planned: Trajectory) -> np.ndarray:
    """Return another plan's times as seconds after this one's stamp."""
    return other.time_s_T + (other.stamp_ns - planned.stamp_ns) / NS_PER_S
