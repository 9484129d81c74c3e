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

"""A ROS graph of one's own on this machine, and processes that end with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import signal
import subprocess
import sys

from ..paths import share_dir

DOMAINS = range(1, 101)  # within the ports Linux leaves free
STOP_TIMEOUT_S = 15.0


class GraphError(RuntimeError):
    """The ROS graph, or a node on it, is not as it is needed; the message says which."""


def enter_private_graph() -> int:
    """
    Confine this process and its children to loopback and a domain nobody else here uses.

    Call before ``rclpy.init``. Returns the domain id; it is freed when the process ends.
    """
    domain = _claim_domain()
    os.environ.update({
        'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(share_dir() / 'config' / 'fastdds.xml')})
    return domain


def _claim_domain() -> int:
    # Of the machine, as domains are, whatever TMPDIR says: where Fast DDS has its memory too.
    folder = Path('/dev/shm') / f'trimodal_ros_domains_{os.getuid()}'
    folder.mkdir(exist_ok=True)
    offset = os.getpid() % len(DOMAINS)
    for domain in [*DOMAINS[offset:], *DOMAINS[:offset]]:
        file = os.open(folder / str(domain), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        return domain  # the lock lives as long as the process: the file stays open
    raise GraphError(f'all {len(DOMAINS)} private ROS domains of this machine are in use')


@contextmanager
def uninterrupted() -> Iterator[None]:
    """
    Put SIGINT and SIGTERM off until the end; for the main thread.

    An interrupt between a process's start and its being noted would leave it behind.
    """
    caught = []
    before = {number: signal.signal(number, lambda number, frame: caught.append(number))
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in caught:
            signal.raise_signal(number)


def command_of(module: str, *arguments: str) -> list[str]:
    """
    Return the command that runs a module of this room, and ends when the caller is gone.

    Even one that was killed, which ends nothing itself: a robot would go on that nobody watches.
    ``setpriv`` is Linux's own (util-linux); the caller's thread counts, so it is for the main one.
    """
    return ['setpriv', '--pdeathsig', 'TERM', sys.executable, '-m',
            f'trimodal_ros.nodes.{module}', *arguments]


class NodeProcesses:
    """Executables of this package, each in a process of its own; ended on leaving."""

    def __init__(self, log_dir: Path):
        self.log_dir = Path(log_dir)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._running = {}

    def start(self, executable: str, parameters: dict, node: str = '') -> None:
        """Start ``trimodal_ros.nodes.<executable>`` with parameters; its log goes to a file."""
        node = node or executable
        command = command_of(executable, '--ros-args', '-r', f'__node:={node}')
        for name, value in parameters.items():
            command += ['-p', f'{name}:={value}']
        environment = {**os.environ, 'ROS_LOG_DIR': str(self.log_dir),
                       'PYTHONUNBUFFERED': '1', 'OMP_WAIT_POLICY': 'passive'}
        with (self.log_dir / f'{node}.log').open('w') as log, uninterrupted():
            self._running[node] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment,
                stdin=subprocess.DEVNULL, start_new_session=True)

    def check(self) -> None:
        """Raise GraphError with the end of its log when a process has ended by itself."""
        for node, process in self._running.items():
            if process.poll() is not None:
                raise GraphError(f'{node} ended with {process.returncode}; the end of '
                                 f'its log:\n{self.tail(node)}')

    def tail(self, node: str, lines: int = 15) -> str:
        """Return the last lines of a node's log."""
        text = (self.log_dir / f'{node}.log').read_text(errors='replace')
        return '\n'.join(text.splitlines()[-lines:])

    def pid(self, node: str) -> int:
        return self._running[node].pid

    def stop(self) -> None:
        """End all, politely at first."""
        with uninterrupted():
            for process in self._running.values():
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
            for process in self._running.values():
                try:
                    process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self._running.clear()

    def __enter__(self):
        # SIGTERM becomes an exception, as SIGINT is: else they would outlive this process.
        self._before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        return self

    def __exit__(self, *exception):
        self.stop()
        signal.signal(signal.SIGTERM, self._before)
