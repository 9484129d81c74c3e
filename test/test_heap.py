"""A node's threads allocate from one heap."""

import ctypes
import os
from pathlib import Path
import platform
import subprocess
import sys

import graph  # noqa: F401 - it skips where there is no ROS
import pytest

from trimodal_ros.nodes import heap

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='glibc only')

# Threads that allocate at the same time, each more often than it would share by chance.
COUNT_HEAPS = """
import ctypes, threading
import {modules}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
barrier = threading.Barrier(8)
def allocate():
    barrier.wait()
    for _ in range(1000):
        libc.malloc(2000)
    barrier.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = libc.fdopen(1, b'w')
libc.malloc_info(0, file)
libc.fflush(file)
"""


def resident_mb() -> float:
    fields = Path('/proc/self/statm').read_text().split()
    return int(fields[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def count_heaps(modules: str) -> int:
    done = subprocess.run([sys.executable, '-c', COUNT_HEAPS.format(modules=modules)],
                          capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.count('<heap nr=')


@GLIBC
def test_threads_of_a_node_share_one_heap():
    """Catches heaps of DDS's threads, whose pieces pile up to megabytes in an hour."""
    assert count_heaps('rclpy, torch') > count_heaps('trimodal_ros.nodes.policy') == 1


@GLIBC
def test_free_memory_between_what_is_used_goes_back(monkeypatch):
    """Catches a node that keeps every page it ever needed, or trims at every turn of its loop."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(60_000) for _ in range(1000)]   # below the size that is mapped alone
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    trim, full_mb = heap.HeapTrim(), resident_mb()
    for number, block in enumerate(blocks):
        if number % 10:
            libc.free(block)
    trim.tick()
    assert full_mb - resident_mb() < 20
    monkeypatch.setattr(heap, 'TRIM_EVERY_S', 0.0)
    trim.tick()
    assert full_mb - resident_mb() > 40
    for block in blocks[::10]:
        libc.free(block)
