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
A scripted person who watches a policy, takes over when it gets nowhere, and gives back.

The episodes are what the recorder node writes of a run that somebody watches: what was seen,
measured, said and commanded, and in ``EpisodeInfo.interventions`` when the person commanded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .demonstrate import Demonstrator, new_episode, PARAPHRASES
from .demonstrator import steps_to_go
from .layout import make_layout
from .lockstep import run_episode
from .robot import SimulatedRobot
from .sentences import draw_sentences
from ..command.pilot import Planner
from ..command.takeover import TAKEOVER_TOPIC
from ..record.episode import EpisodeInfo
from ..record.messages import message_class, serialize
from ..record.qos import LATCHED
from ..spec import Observation, RobotSpec, Trajectory

BOOL = 'std_msgs/msg/Bool'
MAX_STEPS = 120
LINGER_STEPS = 16     # after success
FAR_STEPS = 60        # no task is further from its end than that


@dataclass(frozen=True)
class Patience:
    """
    When the person takes over, and for how long, in decision steps.

    Takes over after ``watch_steps`` in which the task came no nearer to its end, by the
    demonstrator's count; gives back when it is ``gain_steps`` nearer, but commands for at least
    ``least_steps``.
    """

    watch_steps: int = 12
    gain_steps: int = 12
    least_steps: int = 12


class Person:
    """A Planner: the policy's as long as it comes nearer to the end, else the demonstrator's."""

    def __init__(self, demonstrator: Demonstrator, make_policy: Callable[[], Planner],
                 on_takeover: Callable[[bool, int], None], patience: Patience):
        self.demonstrator, self.make_policy = demonstrator, make_policy
        self.on_takeover, self.patience = on_takeover, patience
        self.commands = False
        self._policy = make_policy()
        self._nearest, self._steps = FAR_STEPS, 0   # since it was nearest, or since taking over

    def __call__(self, observation: Observation) -> Trajectory | None:
        is_done = self.demonstrator.simulated.is_done()
        to_go = 0 if is_done else steps_to_go(self.demonstrator.table(), FAR_STEPS)
        self._steps += 1
        if self.commands:
            self._give_back(to_go, observation.stamp_ns)
        else:
            self._watch(to_go, observation.stamp_ns)
        return self.demonstrator.plan(observation) if self.commands else self._policy(observation)

    def _watch(self, to_go: int, time_ns: int) -> None:
        if to_go < self._nearest:
            self._nearest, self._steps = to_go, 0
        elif to_go and self._steps >= self.patience.watch_steps:
            self.commands, self._nearest, self._steps = True, to_go, 0
            self.on_takeover(True, time_ns)

    def _give_back(self, to_go: int, time_ns: int) -> None:
        nearer = self._nearest - to_go >= self.patience.gain_steps or to_go == 0
        if nearer and self._steps >= self.patience.least_steps:
            self.commands, self._nearest, self._steps = False, to_go, 0
            self._policy = self.make_policy()  # plans at once
            self.on_takeover(False, time_ns)


def record_watched_episode(path: Path, simulated: SimulatedRobot, robot: RobotSpec, seed: int,
                           templates: list[str], make_policy: Callable[[], Planner],
                           checkpoint: str = '', patience: Patience | None = None,
                           max_steps: int = MAX_STEPS) -> bool:
    """Record one episode of a watched policy; return whether the task was done in the end."""
    layout = make_layout(seed)
    instruction, *paraphrases = draw_sentences(
        layout.task, templates, PARAPHRASES + 1, np.random.default_rng([seed, 2]))
    taken_ns, given_ns = [], []
    with new_episode(path, robot) as writer:
        writer.add_topic(TAKEOVER_TOPIC, BOOL, [LATCHED])

        def sink(topic, time_ns, message):
            writer.write(topic, time_ns, serialize(message))

        def on_takeover(is_taken, time_ns):
            (taken_ns if is_taken else given_ns).append(time_ns)
            sink(TAKEOVER_TOPIC, time_ns, message_class(BOOL)(data=is_taken))

        person = Person(Demonstrator(simulated), make_policy, on_takeover, patience or Patience())
        result = run_episode(simulated, robot, layout, instruction, person, max_steps,
                             LINGER_STEPS, sink)
        if person.commands:
            given_ns.append(simulated.now_ns)
        writer.close(EpisodeInfo(
            instruction=instruction, robot=robot.content_hash,
            source='mixed' if taken_ns else 'policy',
            outcome='success' if result.success else 'failure', checkpoint=checkpoint,
            paraphrases=tuple(paraphrases), seed=seed, task=asdict(layout.task),
            operator='scripted', interventions=tuple(zip(taken_ns, given_ns))))
    return result.success
