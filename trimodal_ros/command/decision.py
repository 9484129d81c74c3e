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

"""What a plan must keep to, and what comes of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args, Literal, NamedTuple

from .blend import Blending, PREFIX_STEPS
from ..observe.freshness import Freshness
from ..spec import Observation, Trajectory

OnLimit = Literal['refuse', 'clamp']
Reason = Literal['', 'late', 'expired', 'limits', 'workspace', 'guard', 'arm is elsewhere',
                 'not a plan', 'other']
MODEL_STAGES = ('vision', 'language', 'decode', 'alignment')
STAGES = ('transport', 'wait', 'convert', *MODEL_STAGES, 'check', 'publish')


@dataclass(frozen=True)
class Rules:
    """
    What a plan must keep to.

    ``max_first_step_rad`` is from the measured arm to the next planned point; an arm joint
    further than ``max_tracking_error_rad`` from its command doesn't follow it. ``ramp_s`` is the
    time to full speed after ``Pilot.begin``.
    """

    freshness: Freshness = Freshness()
    max_tracking_error_rad: float = 0.5
    max_first_step_rad: float = 1.0
    on_limit: OnLimit = 'refuse'
    blending: Blending = 'none'
    prefix_steps: int = PREFIX_STEPS
    ramp_s: float = 0.0

    def __post_init__(self):
        if self.on_limit not in get_args(OnLimit):
            raise ValueError(f'on_limit {self.on_limit!r} is not one of '
                             f'{", ".join(get_args(OnLimit))}')


@dataclass(frozen=True)
class Refusal:
    """
    Why a plan may not be sent; false where it may.

    ``reason`` is 'other' where a recording doesn't tell it; ``joint`` is the one whose limits
    refuse the plan, '' where it isn't that.
    """

    reason: Reason = ''
    text: str = ''
    joint: str = ''

    def __bool__(self):
        return bool(self.reason)


class Outcome(NamedTuple):
    """What may be sent of a plan, when it leaves what is commanded, what was wrong or clamped."""

    trajectory: Trajectory | None = None
    begins_ns: int = 0
    refusal: Refusal = Refusal()
    clamped: str = ''


@dataclass(frozen=True)
class Decision:
    """
    What came of one observation.

    ``trajectory`` may be sent (None: go on as before); ``refusal`` says why the plan may not be,
    and what goes out then, if anything, is a hold: ``holds``. It leaves what is commanded at
    ``begins_ns``: sent later, it would be a step. ``alignment`` is the plan's; ``planned`` is the
    plan as the model made it, None where it made none. ``started_ns`` is when it was begun to be
    decided, by the clock.
    ``stages_ms``: 'transport' from the oldest image's stamp until the last one is here, 'wait'
    until it is decided on, 'convert', those of the model, 'check'; the commander adds 'publish'.
    0 where it did not come to that. ``clamped`` says which limit the plan left, where it was
    followed as closely as the limits allow.
    """

    observation: Observation
    trajectory: Trajectory | None
    refusal: Refusal
    stages_ms: Mapping[str, float]
    holds: bool = False
    begins_ns: int = 0
    alignment: Mapping[str, float] = field(default_factory=dict)
    planned: Trajectory | None = None
    started_ns: int = 0
    clamped: str = ''
