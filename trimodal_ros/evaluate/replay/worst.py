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

"""The worst moments, of each kind a few, none of them the same moment again."""

from __future__ import annotations

from collections.abc import Iterable
import math

from .catalogue import MEASURES
from .decisions import ReplayedDecision
from .result import Moment

APART_S = 1.0   # two moments of one kind, at least
# How many of each kind, in the order they are told in.
KINDS = {'action_error': 12, 'boundary_jump': 6, 'refused': 6, 'late': 3}


class Worst:
    """Keeps the worst moments of an episode."""

    def __init__(self, joint_names: tuple[str, ...]):
        self._joint_names, self._kept = joint_names, {}

    def note(self, decision: ReplayedDecision, time_s: float, measure: str, value: float,
             joint: str = '') -> None:
        """Note how bad a decision is, the greater the worse, and at which joint most."""
        kept, most = self._kept.setdefault(measure, []), KINDS[measure]
        if len(kept) == most and value <= kept[-1].value:
            return
        near = [moment for moment in kept if abs(moment.time_s - time_s) < APART_S]
        if any(moment.value >= value for moment in near):
            return
        joint = joint if joint in self._joint_names else ''   # as a recording may tell anything
        moment = Moment(
            decision.episode, decision.instruction, decision.stamp_ns, time_s, measure, value,
            _told(decision, measure, value, joint), joint, self._planned(decision, joint))
        kept[:] = worst_first([*(each for each in kept if each not in near), moment])[:most]

    def _planned(self, decision: ReplayedDecision, joint: str) -> tuple[float | None, ...]:
        if not joint:
            return ()
        planned_T = decision.planned_TJ[:, self._joint_names.index(joint)].tolist()
        return tuple(round(each, 4) if math.isfinite(each) else None for each in planned_T)

    @property
    def moments(self) -> list[Moment]:
        return [moment for name in KINDS for moment in self._kept.get(name, [])]


def _told(decision: ReplayedDecision, measure: str, value: float, joint: str) -> str:
    if measure in ('refused', 'late'):
        return decision.refusal.text
    return f'{MEASURES[measure].title.lower()} {value:.3f} {MEASURES[measure].unit}, {joint} most'


def worst_first(moments: Iterable[Moment]) -> list[Moment]:
    return sorted(moments, key=lambda moment: (-moment.value, moment.stamp_ns))


def worst_of(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """Return the worst of each kind, of several episodes."""
    moments = list(moments)
    return tuple(moment for name, most in KINDS.items() for moment in worst_first(
        each for each in moments if each.measure == name)[:most])
