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

"""Keys from a terminal as they are pressed, and the terminal as it was, however that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
import select
import signal
import sys
import termios
import tty

ESCAPE = '\x1b'


class TerminalError(RuntimeError):
    """There is no terminal to read keys from."""


@contextmanager
def pressed_keys() -> Iterator[Callable[[float], list[str]]]:
    """
    Yield a function that waits up to so many seconds and returns the keys pressed meanwhile.

    They are not echoed; Ctrl-C and Ctrl-Z do what they always do. The terminal is as it was while
    stopped and afterwards: a small process restores it should this one be killed. For the main
    thread, and before any other is started. Raises TerminalError where there is no terminal.
    """
    if not sys.stdin.isatty():
        raise TerminalError('no terminal to read keys from; start it in one')
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    guard = _start_guard(file, before)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}

    def pause(number, frame) -> None:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)

    def go_on(number=None, frame=None) -> None:
        signal.signal(signal.SIGTSTP, pause)
        tty.setcbreak(file)
    try:
        signal.signal(signal.SIGCONT, go_on)
        go_on()
        yield lambda timeout_s: _read(file, timeout_s)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        termios.tcsetattr(file, termios.TCSADRAIN, before)
        os.close(guard)


def _read(file: int, timeout_s: float) -> list[str]:
    if not select.select([file], [], [], timeout_s)[0]:
        return []
    text = os.read(file, 1024).decode(errors='replace')
    if not text:
        raise TerminalError('the terminal is gone')
    if text[:2] in (ESCAPE + '[', ESCAPE + 'O'):  # an arrow, a function key
        return []
    return list(text)


def _start_guard(file: int, before: list) -> int:
    """Start what restores the terminal when the returned end of a pipe is closed."""
    reads, writes = os.pipe()  # neither is inherited by programs started later
    if os.fork():
        os.close(reads)
        return writes
    os.setsid()  # from where a terminal may be set at any time, and Ctrl-C isn't heard
    os.close(writes)
    os.read(reads, 1)
    termios.tcsetattr(file, termios.TCSADRAIN, before)
    os._exit(0)
