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
Records by keys, in a terminal: one person, as many episodes as wanted, and no file to touch.

Shows how well every topic comes in, the disk, the episodes so far and the recorder's answers.
"""

from __future__ import annotations

from collections import deque
import os
from pathlib import Path
import sys
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from rich.console import Console
from rich.live import Live
from std_msgs.msg import String
from std_srvs.srv import Trigger
import tyro

from .console_view import draw, KEYS, Shown
from .keys import Keys, NoTerminal
from .ros import LATCHED_QOS, qualified, SpinThread, stop_signals

DRAW_S = 0.2
SILENT_S = 3.0     # after which the recorder is taken to be gone
ANSWERS = 6
LAY = 'conductor/lay'   # of record_demo: it lays the table anew
ENTER, ESCAPE, BACKSPACE = ('\r', '\n'), '\x1b', ('\x7f', '\b')


class RecorderClient:
    """
    Hears a recorder and asks it; spins a node on a thread of its own.

    ``episode`` is what it is recording, '' for nothing, as far as it has told; ``table`` what a
    simulated robot tells of its table, '' before it has, None where nothing is ``simulated``.
    """

    def __init__(self, recorder: str, simulated: bool = False):
        self.recorder, self.answers = recorder, deque(maxlen=ANSWERS)
        self._statuses, self._heard_at, self.episode = {}, 0.0, ''
        self._answered_at = -SILENT_S
        self.node = rclpy.create_node(  # its name is never the same: nobody may ask it anything
            f'console_{os.getpid()}', start_parameter_services=False, parameter_overrides=[
                Parameter('start_type_description_service', value=False)])
        self._instruction = self.node.create_publisher(String, 'instruction', LATCHED_QOS)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._services = {name: self.node.create_client(Trigger, f'{recorder}/{name}')
                          for name in KEYS.values()}
        self.table = '' if simulated else None
        if simulated:
            self.node.create_subscription(String, 'simulated_robot/table', self._on_table,
                                          LATCHED_QOS)
            self._services['lay'] = self.node.create_client(Trigger, LAY)
        self._spinning = SpinThread(self.node)

    def _on_table(self, message: String) -> None:
        self.table = message.data

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        prefix = f'{qualified(self.node, self.recorder)}: '
        statuses = {status.name.removeprefix(prefix): status for status in message.status
                    if status.name.startswith(prefix)}
        if statuses:
            self._statuses, self._heard_at = statuses, time.monotonic()
            if 'state' in statuses:
                values = {item.key: item.value for item in statuses['state'].values}
                self._note_episode(values.get('episode', ''))

    def _note_episode(self, told: str) -> None:
        """Note what is recorded, unless it may have been told before the last answer."""
        if told == self.episode or time.monotonic() - self._answered_at >= SILENT_S:
            self.episode = told

    @property
    def statuses(self) -> dict:
        """Return what the recorder told last, by part; nothing of one that is silent."""
        return self._statuses if time.monotonic() - self._heard_at < SILENT_S else {}

    def ask(self, name: str) -> None:
        """Call a service; what it answers comes among the answers."""
        client = self._services[name]
        if not client.service_is_ready():
            self.answers.append(f'! {name}: {self.recorder} has no such service: is it running?')
            return

        def note(future) -> None:
            response = future.result()
            if response.success and name != 'keep':   # known before it is told again, or shown
                self.episode = response.message if name in ('start', 'redo') else ''
                self._answered_at = time.monotonic()
            self._answer(name, response)
        client.call_async(Trigger.Request()).add_done_callback(note)

    def _answer(self, name: str, response: Trigger.Response) -> None:
        mark = '' if response.success else '! '
        hint = '; press i to give one' if mark and 'instruction' in response.message else ''
        self.answers.append(f'{mark}{name}: {response.message}{hint}')

    def lay(self) -> None:
        """Have the simulated table laid anew, which would spoil an episode under way."""
        client = self._services['lay']
        if self.episode:
            self.answers.append('! table: an episode is being recorded: y, n, e or d ends it')
        elif client.service_is_ready():
            self.answers.append('table: being laid anew')
            client.call_async(Trigger.Request()).add_done_callback(
                lambda future: self._answer('table', future.result()))
        else:
            self.answers.append(f'! table: nobody offers {LAY}')

    def say(self, instruction: str) -> None:
        """Give an instruction, to the robot as well as to the recorder."""
        self._instruction.publish(String(data=instruction))
        self.answers.append(f'instruction: {instruction or "none"}')

    def close(self) -> None:
        self._spinning.close()


class Desk:
    """
    What keys do; ``is_open`` until one of them says quit.

    An episode under way is not left by mistake: then quit is to be said twice.
    """

    def __init__(self, client: RecorderClient):
        self._client = client
        self.typed: str | None = None
        self.is_open, self._is_warned = True, False

    def take(self, keys: str) -> None:
        """Take keys that came at once: pasted text is no row of orders."""
        for number, key in enumerate(keys):
            if len(keys) > 1 and self.typed is None and not (number == 0 and key == 'i'):
                self._client.answers.append('! several keys at once: press one at a time')
                return
            self.press(key)

    def press(self, key: str) -> None:
        """Take one key: an order, or a character of an instruction."""
        if self.typed is not None:
            self._type(key)
        elif key in KEYS:
            self._client.ask(KEYS[key])
        elif key == 'i':
            self.typed = ''
        elif key == 't' and self._client.table is not None:
            self._client.lay()
        elif key == 'q' and self._client.episode and not self._is_warned:
            then = ('goes on recording without the console' if self._client.table is None
                    else 'ends, too, and keeps it with outcome unknown')
            self._client.answers.append(
                f'! quit: {Path(self._client.episode).name} is still being recorded: y, n or e '
                f'ends it; after another q the recorder {then}')
            self._is_warned = True
            return
        elif key == 'q':
            self.is_open = False
        self._is_warned = False

    def _type(self, key: str) -> None:
        if key in ENTER:
            self._client.say(self.typed)
            self.typed = None
        elif key == ESCAPE:
            self.typed = None
        elif key in BACKSPACE:
            self.typed = self.typed[:-1]
        elif key.isprintable():
            self.typed += key


def console(recorder: str = 'recorder', simulated: bool = False) -> None:
    """
    Record by keys: start, success, failure, stop, discard, redo, keep; i gives an instruction.

    :param recorder: Name of the recorder node.
    :param simulated: In front of the session of record_demo: shows what the simulated robot tells
        of its table; t has it laid anew; the recorder ends with the console.
    """
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    stop = stop_signals()
    try:
        with Keys() as keys:
            client = RecorderClient(recorder, simulated)
            try:
                _run(client, keys, stop)
            finally:
                client.close()
    finally:
        rclpy.try_shutdown()


def _run(client: RecorderClient, keys: Keys, stop: threading.Event) -> None:
    desk = Desk(client)
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while desk.is_open and not stop.is_set():
            shown = Shown(client.recorder, client.statuses, list(client.answers), desk.typed,
                          client.table)
            live.update(draw(shown, *console.size), refresh=True)
            desk.take(keys.read(DRAW_S))
    if client.episode:
        print(f'{client.recorder} is still recording {client.episode}'
              if client.table is None else
              f'{client.episode} ends with the session; its outcome is unknown')


def main(args: list[str] | None = None) -> None:
    args = remove_ros_args(sys.argv)[1:] if args is None else args
    try:
        tyro.cli(console, args=args, prog='trimodal_ros.nodes.console')
    except NoTerminal as error:
        raise SystemExit(f'error: {error}') from error
    except EOFError as error:
        raise SystemExit(str(error)) from error


if __name__ == '__main__':
    main()
