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

"""A policy as the lockstep loop's planner."""

from __future__ import annotations

from ..plan.policy import Policy
from ..spec import Observation, Trajectory


class PolicyPlanner:
    """Plans anew every ``replan_steps`` decision steps; make one for each episode."""

    def __init__(self, policy: Policy, replan_steps: int):
        if not 1 <= replan_steps <= policy.robot.horizon:
            raise ValueError(f'replan_steps must be 1..{policy.robot.horizon}, '
                             f'got {replan_steps}')
        self.policy, self.replan_steps = policy, replan_steps
        self._step = 0

    def __call__(self, observation: Observation) -> Trajectory | None:
        due = self._step % self.replan_steps == 0
        self._step += 1
        return self.policy.plan(observation) if due else None
