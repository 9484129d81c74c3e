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

"""One at a time: a folder that a run collects into, an episode that is written or recovered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import errno
import fcntl
import os
from pathlib import Path
import signal

from .episode import EpisodeError


class LockedError(EpisodeError):
    """Another process, or another part of this one, is at work in a folder."""


@contextmanager
def locked(folder: Path, wait: bool) -> Iterator[None]:
    """
    Hold a folder until the end, or until the process's; nothing is left behind in it.

    While another run holds it: waits, or else raises LockedError; also where it was moved away.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError as error:
        raise LockedError(f'{folder}: another run has moved it away') from error
    try:
        _lock(descriptor, folder, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(folder, descriptor):
            raise LockedError(f'{folder}: another run has moved it away')
        yield
    finally:
        os.close(descriptor)


def is_being_written(file: Path) -> bool:
    """
    Tell whether anybody has a file open for writing, locks or not.

    False where the file system can't tell; a lease on a file is granted while nobody has.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # ignored, should one open it now
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, how: int) -> None:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError as error:
        raise LockedError(f'{folder}: another run is writing there; wait for its end, or name '
                          'another folder') from error


def _is_at(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False
