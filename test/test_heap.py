"""A node's threads allocate from one heap."""

import platform
import subprocess
import sys

import graph  # noqa: F401 - it skips where there is no ROS
import pytest

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


def count_heaps(modules: str) -> int:
    done = subprocess.run([sys.executable, '-c', COUNT_HEAPS.format(modules=modules)],
                          capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.count('<heap nr=')


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='heaps are counted by glibc')
def test_threads_of_a_node_share_one_heap():
    """Catches heaps of DDS's threads, whose pieces pile up to megabytes in an hour."""
    assert count_heaps('rclpy, torch') > count_heaps('trimodal_ros.nodes.policy') == 1
