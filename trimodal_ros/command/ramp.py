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

"""Ramping in: the same way, slowly at first, after the robot has been told to begin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..spec import NS_PER_S, Trajectory


def ramp_in(planned: Trajectory, now_ns: int, began_ns: int, ramp_s: float) -> Trajectory:
    """
    Return the plan slowed down so that its speed grows evenly to full in ``ramp_s``.

    The way stays the same: points still to come are reached later. At u seconds after the
    beginning the plan is carried out at u / ramp_s of its speed, so that it gets on by
    (u^2 - u0^2) / (2 ramp_s) from u0 to u, and at full speed afterwards.
    """
    u0 = (now_ns - began_ns) / NS_PER_S
    if u0 >= ramp_s:
        return planned
    now_s = (now_ns - planned.stamp_ns) / NS_PER_S
    ahead_s_T = planned.time_s_T - now_s
    whole_s = (ramp_s**2 - u0**2) / (2 * ramp_s)  # of the plan, by the end of the ramp
    within_T = np.sqrt(u0**2 + 2 * ramp_s * np.maximum(ahead_s_T, 0.0))
    u_T = np.where(ahead_s_T <= whole_s, within_T, ramp_s + ahead_s_T - whole_s)
    return replace(planned, time_s_T=np.where(ahead_s_T > 0, now_s + u_T - u0, planned.time_s_T))
