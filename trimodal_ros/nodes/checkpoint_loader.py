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

"""Checkpoints of the policy node: the one it begins with, and those that take over."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import Trigger

from .policy_parameters import read_engine
from .robot_parameters import optional
from .ros import log_traceback, parameter
from ..command.commander import Commander
from ..command.outlet import Thinker
from ..plan.engine import open_policy
from ..spec import Observation, RobotSpec

CHECKPOINT, SHADOW = 'checkpoint', 'shadow_checkpoint'   # parameters


class CheckpointLoader:
    """
    Loads what the parameters checkpoint and shadow_checkpoint of a policy node name.

    Services ``~/load_checkpoint`` and ``~/load_shadow``.
    """

    def __init__(self, node):
        self._node = node
        self._folders = {}  # of the checkpoints in use, by parameter
        group = MutuallyExclusiveCallbackGroup()
        node.create_service(Trigger, '~/load_checkpoint', self._on_load, callback_group=group)
        node.create_service(Trigger, '~/load_shadow', self._on_load_shadow, callback_group=group)

    def first(self, robot: RobotSpec) -> Thinker:
        """Return the policy that the node begins with."""
        folder = parameter(self._node, CHECKPOINT)
        policy = self._load(folder, robot)
        self._folders[CHECKPOINT] = folder
        return policy

    def first_shadow(self, robot: RobotSpec) -> Thinker | None:
        """Return the policy that decides beside it, None for none."""
        folder = optional(self._node, SHADOW)
        shadow = self._load_shadow(folder, robot)
        self._folders[SHADOW] = folder
        return shadow

    def _load(self, folder: str, robot: RobotSpec, is_shadow: bool = False) -> Thinker:
        """Return a policy that has planned once, and so is warm."""
        started = time.perf_counter()
        policy = open_policy(folder, robot, read_engine(self._node))
        if not is_shadow or policy.samples:
            policy.candidates = optional(self._node, 'candidates')
        loaded = time.perf_counter()
        policy.plan(Observation.make_example(robot))
        self._node.get_logger().info(
            f'checkpoint {policy.content_hash} on {policy.runs_on}: loaded in '
            f'{loaded - started:.2f} s, warm-up inference {time.perf_counter() - loaded:.3f} s')
        if policy.fall_back:
            self._node.get_logger().warning(f'checkpoint {policy.content_hash} runs on '
                                            f'{policy.runs_on}: {policy.fall_back}')
        return policy

    def _load_shadow(self, folder: str, robot: RobotSpec) -> Thinker | None:
        return self._load(folder, robot, is_shadow=True) if folder else None

    async def _on_load(self, request, response):
        def take_over(commander: Commander, folder: str) -> None:
            if not folder:
                raise ValueError(f'parameter {CHECKPOINT!r} is empty')
            commander.decider.take_over(self._load(folder, commander.pilot.robot))

        def kept(commander: Commander) -> str:
            return commander.decider.coming_hash
        return await self._answer(response, CHECKPOINT, take_over, kept)

    async def _on_load_shadow(self, request, response):
        def take_over(commander: Commander, folder: str) -> None:
            self._node.shadows.cast(
                commander, self._load_shadow(folder, commander.pilot.robot))

        def kept(commander: Commander) -> str:
            shadow = commander.decider.shadow
            return 'none' if shadow is None else shadow.policy.content_hash
        return await self._answer(response, SHADOW, take_over, kept)

    async def _answer(self, response, name: str, take_over: Callable[[Commander, str], None],
                      kept: Callable[[Commander], str]):
        """Load what a parameter names, in a thread; where that fails all stays as it is."""
        node, commander, done = self._node, self._node.commander, Future()
        if commander is None:
            response.success, response.message = False, 'not configured: configure loads it'
            return response
        folder, before = optional(node, name), kept(commander)
        threading.Thread(target=self._try, args=[take_over, commander, folder, done],
                         name='load', daemon=True).start()
        complaint = await done
        if node.commander is not commander:
            complaint = complaint or 'the node was cleaned up meanwhile'
        if not complaint:
            self._folders[name] = folder
        elif node.commander is commander:  # the parameter names what is in use
            node.set_parameters([Parameter(name, value=self._folders[name])])
        response.success = not complaint
        response.message = (f'{folder or "nothing"} takes over' if response.success
                            else f'not taken over, {before} is kept: {complaint}')
        return response

    def _try(self, take_over: Callable[[Commander, str], None], commander: Commander, folder: str,
             done: Future) -> None:
        try:
            take_over(commander, folder)
            done.set_result('')
        except Exception as error:  # noqa: B902 - whatever is wrong, the old one is kept
            log_traceback(self._node, f'{folder} not taken over')
            done.set_result(str(error) or repr(error))
