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
An MCAP file that is never far from being safe on the disk.

A thread closes the chunk under way and syncs the file every ``sync_s``, whether messages come or
not. While a sync takes no longer than ``sync_s``, what is older than twice that survives a power
cut; what has reached the operating system survives the death of the process.
"""

from __future__ import annotations

from collections.abc import Callable
import errno
import os
from pathlib import Path
import threading
import time

from mcap.writer import CompressionType, Writer

CHUNK_BYTES = 2**20
COMPRESSIONS = {each.name.lower(): each for each in CompressionType}


def check_settings(compression: str, sync_s: float) -> None:
    """Raise ValueError for settings that SyncedMcap doesn't take."""
    if compression not in COMPRESSIONS:
        raise ValueError(f'compression: {compression!r}, expected one of '
                         f'{", ".join(map(repr, COMPRESSIONS))}')
    if not sync_s > 0:
        raise ValueError(f'sync_s: {sync_s}, expected seconds above 0')


class SyncedMcap:
    """
    Writes a new MCAP file, from any thread.

    ``before_sync`` is called, with the file locked, before each sync that has something to do.
    After an error of the disk every call raises OSError, and ``failure`` holds it.
    """

    def __init__(self, path: Path, compression: str, sync_s: float,
                 before_sync: Callable[[Writer], None]):
        check_settings(compression, sync_s)
        self.failure: OSError | None = None
        self._sync_s, self._before_sync = sync_s, before_sync
        self._file, self._is_open = path.open('xb'), True
        self._mcap = Writer(self._file, CHUNK_BYTES, COMPRESSIONS[compression])
        self._mcap.start(profile='ros2')
        self._writing, self._ending = threading.RLock(), threading.Event()
        self._unwritten_s = self._unsynced_s = None  # since when, by the monotonic clock
        self._thread = threading.Thread(target=self._keep_synced, name='sync', daemon=True)
        self._thread.start()

    @property
    def unsynced_s(self) -> float:
        """Age in seconds of the oldest bytes a power cut would take now."""
        unwritten_s, unsynced_s = self._unwritten_s, self._unsynced_s  # as they pass bytes on
        since = [each for each in (unwritten_s, unsynced_s) if each is not None]
        return time.monotonic() - min(since) if since else 0.0

    def edit(self, change: Callable[[Writer], object]):
        """Return ``change(writer)``, with the file locked. Raises OSError."""
        with self._writing:
            if self.failure is not None:
                raise self.failure
            if not self._is_open:
                raise OSError(errno.EBADF, 'closed already')
            if self._unwritten_s is None:
                self._unwritten_s = time.monotonic()
            try:
                return change(self._mcap)
            except OSError as error:
                self.failure = error
                raise

    def _keep_synced(self) -> None:
        due_s = time.monotonic() + self._sync_s
        while not self._ending.wait(max(0.0, due_s - time.monotonic())):
            due_s = time.monotonic() + self._sync_s
            try:
                self._sync()
            except Exception as error:  # noqa: B902 - nobody else would hear of it
                self.failure = error if isinstance(error, OSError) else OSError(repr(error))
                return

    def _sync(self) -> None:
        with self._writing:
            if self._unwritten_s is None or self.failure is not None:
                return
            self._before_sync(self._mcap)
            self._mcap.flush()
            self._unsynced_s, self._unwritten_s = self._unwritten_s, None
        os.fdatasync(self._file.fileno())
        self._unsynced_s = None

    def finish(self, last: Callable[[Writer], None]) -> None:
        """Call ``last(writer)``, then write the index, sync and close. Raises OSError."""
        def finish(mcap: Writer) -> None:
            last(mcap)
            mcap.finish()
            self._is_open = False
        self._stop()
        self.edit(finish)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is; nothing happens where it is closed already."""
        self._stop()
        self._is_open = False
        try:
            self._file.close()
        except OSError as error:  # what is in Python's buffer doesn't fit
            self.failure = error
            self._file.raw.close()

    def _stop(self) -> None:
        self._ending.set()
        self._thread.join()
