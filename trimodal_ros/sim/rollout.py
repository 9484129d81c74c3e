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
