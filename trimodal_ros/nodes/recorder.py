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
Records what happens on the graph as episodes: raw serialized messages, one bag an episode.

Subscribes to an image topic a camera, as the robot YAML names them, and to the topics of
``config/recorder.yaml``, with the types and QoS of their publishers; publishes ``/diagnostics``.

Services (std_srvs/Trigger): ``~/start``; to end the episode ``~/success``, ``~/failure`` or, where
nobody can tell, ``~/stop``; ``~/discard`` moves it, or the last one, to the trash, and ``~/redo``
begins another then; ``~/keep`` makes an episode of what is in memory: the last ``ring_s`` seconds.
Each answers with the episode's path, or with what is wrong. ``console`` calls them by keys.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as JobFuture
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from .listener import Listener
from .recorder_diagnostics import RecorderDiagnostics
from .recorder_parameters import declare_parameters, read_settings, topics_file
from .ros import now_ns, parameter, qualified, run_node
from ..record.automatic import Automatic, END, START
from ..record.episode import EpisodeError
from ..record.gate import missing
from ..record.recover import recover
from ..record.selection import read_selection
from ..record.session import Session
from ..spec import RobotSpec

ENDINGS = {'stop': 'unknown', 'success': 'success', 'failure': 'failure'}
LOOK_S, FOLLOW_S, DIAGNOSE_S = 0.5, 0.1, 1.0
LOG_EVERY_S = 1.0


class RecorderNode(Node):
    """A shell round record/session.py; an unfinished episode is closed on shutdown."""

    _declare_parameters = declare_parameters

    def __init__(self, **options):
        super().__init__('recorder', **options)
        self._declare_parameters()
        self.robot = RobotSpec.from_yaml(parameter(self, 'robot'))
        settings = read_settings(self, self.robot)
        self._told_at: dict[str, float] = {}
        self.listener = Listener(self, read_selection(topics_file(self), self.robot,
                                                      parameter(self, 'images')))
        self.session = Session(settings, self.listener.kind_of, lambda: now_ns(self), self.tell)
        self.diagnostics = RecorderDiagnostics(qualified(self), parameter(self, 'alive_s'),
                                               lambda: self._optional('operator'))
        self._automatic = Automatic() if self._optional('automatic') else None
        self.listener.start(self.session)
        threading.Thread(target=self._recover, name='recover', daemon=True).start()
        self._open_services()
        self._diagnosis = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LOOK_S, self.listener.look, clock=steady)
        self.create_timer(DIAGNOSE_S, self._diagnose, clock=steady)
        if self._automatic is not None:
            self.create_timer(FOLLOW_S, self._follow, clock=steady)

    def _optional(self, name: str):
        return self.get_parameter(name).value

    def _open_services(self) -> None:
        orders = {'start': self._start, 'discard': self._discard, 'redo': self._redo,
                  'keep': self._keep, **{name: lambda outcome=outcome: self._end(outcome)
                                         for name, outcome in ENDINGS.items()}}
        for name, order in orders.items():
            self.create_service(Trigger, f'~/{name}', self._answer(name, order))

    # -- orders

    def _answer(self, name: str, order: Callable[[], object]):
        async def answer(request, response):
            try:
                response.message, response.success = str(await order()), True
                self.get_logger().info(f'{name}: {response.message}')
            except (ValueError, OSError) as error:
                response.message, response.success = str(error), False
                self.tell('throttled error', f'{name} refused: {error}')
            return response
        return answer

    async def _done(self, job: JobFuture):
        """Return a job's result without keeping the executor waiting."""
        done = Future()
        job.add_done_callback(done.set_result)
        return (await done).result()

    async def _start(self):
        self.listener.look()
        self.listener.fetch()   # what came before belongs to what was before
        lacking = missing(self.listener.topics, now_ns(self), parameter(self, 'alive_s'))
        path = self.session.start(lacking, **self._named())
        for seen in self.listener.topics:
            if seen.complaint:
                self.session.health.find(f'{seen.wanted.name}: {seen.complaint}')
        return path

    def _named(self) -> dict[str, str]:
        return {'operator': self._optional('operator'), 'name': self._optional('episode_name')}

    async def _end(self, outcome: str):
        self.listener.fetch()
        self.listener.look()   # and count what got lost
        return await self._done(self.session.end(outcome))

    async def _discard(self):
        return f'moved to {await self._done(self.session.discard())}'

    async def _redo(self):
        moved = await self._discard()
        try:
            return await self._start()
        except ValueError as error:
            raise ValueError(f'{moved}; {error}') from error

    async def _keep(self):
        return await self._done(self.session.keep(**self._named()))

    # -- by itself

    def _recover(self) -> None:
        """Make episodes of what earlier runs left unfinished, and tell."""
        try:
            for recovery in recover(self.session.settings.folder, show_progress=False):
                self.get_logger().info(f'{recovery}')
        except (EpisodeError, OSError) as error:
            self.get_logger().error(f'nothing recovered: {error}')

    def _follow(self) -> None:
        """Begin and end episodes by the instruction."""
        with self.session.lock:
            session, live = self.session, self.session.live
            recorded = None if session.recording is None else session.recorded_number
            decision = self._automatic.decide(live.instruction, live.number, recorded)
        order = {START: self._start, END: lambda: self._end('unknown')}.get(decision)
        if order is not None:
            self.executor.create_task(self._by_itself, decision, order)

    async def _by_itself(self, decision: str, order) -> None:
        try:
            self.get_logger().info(f'{decision} by the instruction: {await order()}')
        except (ValueError, OSError) as error:
            self.tell('throttled error', f'{decision} by the instruction: {error}')

    def _diagnose(self) -> None:
        try:
            self.session.check()
        except OSError as error:
            self.tell('throttled error', f'{error}')
        self._diagnosis.publish(self.diagnostics.message(
            self.session, self.listener.topics, now_ns(self)))

    def tell(self, level: str, text: str) -> None:
        """Log; a 'throttled error' that begins alike at most once a second."""
        if level == 'info':
            self.get_logger().info(text)
            return
        if level == 'throttled error':
            about, now = text.split(':')[0], time.monotonic()
            if now - self._told_at.get(about, -LOG_EVERY_S) < LOG_EVERY_S:
                return
            self._told_at[about] = now
        self.get_logger().error(text)

    def close(self) -> None:
        """Finish the episode under way."""
        self.listener.close()
        self.session.close()


def main(args: list[str] | None = None) -> None:
    run_node(RecorderNode, args)


if __name__ == '__main__':
    main()
