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


class CheckpointLoader:
    """Loads what the parameter checkpoint names; ``~/load_checkpoint`` of a policy node."""

    def __init__(self, node):
        self._node = node
        self._folder = ''  # of the checkpoint in use
        node.create_service(Trigger, '~/load_checkpoint', self._on_load,
                            callback_group=MutuallyExclusiveCallbackGroup())

    def first(self, robot: RobotSpec) -> Thinker:
        """Return the policy that the node begins with."""
        self._folder = parameter(self._node, 'checkpoint')
        return self._load(self._folder, robot)

    def _load(self, folder: str, robot: RobotSpec) -> Thinker:
        """Return a policy that has planned once, and so is warm."""
        started = time.perf_counter()
        policy = open_policy(folder, robot, read_engine(self._node))
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

    async def _on_load(self, request, response):
        node, commander, done = self._node, self._node.commander, Future()
        if commander is None:
            response.success, response.message = False, 'not configured: configure loads it'
            return response
        folder, before = parameter(node, 'checkpoint'), commander.decider.coming_hash
        threading.Thread(target=self._take_over, args=[commander, folder, done],
                         name='load', daemon=True).start()
        complaint = await done
        if node.commander is not commander:
            complaint = complaint or 'the node was cleaned up meanwhile'
        if not complaint:
            self._folder = folder
        elif node.commander is commander:  # the parameter names what is in use
            node.set_parameters([Parameter('checkpoint', value=self._folder)])
        response.success = not complaint
        response.message = (f'{folder} takes over' if response.success
                            else f'not taken over, {before} is kept: {complaint}')
        return response

    def _take_over(self, commander: Commander, folder: str, done: Future) -> None:
        try:
            commander.decider.take_over(self._load(folder, commander.pilot.robot))
            done.set_result('')
        except Exception as error:  # noqa: B902 - whatever is wrong, the old one is kept
            log_traceback(self._node, f'{folder} not taken over')
            done.set_result(str(error) or repr(error))
