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

"""Nodes of a test on one executor in a thread, and waiting for what they say."""

from contextlib import contextmanager
import threading
import time

import pytest

rclpy = pytest.importorskip('rclpy')
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

PATIENCE_S = 120.0  # a loaded machine takes its time; nothing waits longer than it must


@contextmanager
def spinning(*nodes):
    """Spin nodes in a thread; destroy them after."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.02)
    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for node in nodes:
            if hasattr(node, 'close'):
                node.close()
            node.destroy_node()


def wait_for(condition, what: str):
    """Poll until a condition holds and return its value; fail naming ``what``."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    pytest.fail(f'waited {PATIENCE_S} s in vain for {what}')


def overrides(**values) -> list[Parameter]:
    return [Parameter(name, value=str(value) if not isinstance(value, (int, float, bool))
                      else value) for name, value in values.items()]


def call(node, service_class, service: str):
    """Call a service by a client of ``node``, which spins, and return the answer."""
    client = node.create_client(service_class, service)
    wait_for(client.service_is_ready, service)
    future = client.call_async(service_class.Request())
    wait_for(future.done, f'an answer of {service}')
    return future.result()


def refusals(log: str) -> list[str]:
    """Return what a simulated controller refused, but for what a late machine made late."""
    return [line for line in log.splitlines() if 'refused' in line and 'in the past' not in line]
