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

"""The simulated robot, the policy and, if wanted, the recorder, brought up together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .conductor import Conductor
from .private_graph import NodeProcesses
from ..spec import RobotSpec


@contextmanager
def simulated_session(checkpoint: Path, robot: Path, log_dir: Path, record_to: Path | None = None,
                      scene: Path | None = None, **policy_parameters) -> Iterator[Conductor]:
    """
    Start the processes on this process's graph and configure the policy; end them on leaving.

    Yields the conductor, with the policy active. Without ``scene`` it is the shipped one.
    """
    with NodeProcesses(log_dir) as processes:
        processes.start('simulated_robot', {} if scene is None else {'scene': scene})
        processes.start('policy', {'checkpoint': checkpoint, 'robot': robot,
                                   'dry_run': False, **policy_parameters})
        if record_to is not None:
            processes.start('recorder', {'out': record_to, 'robot': robot})
        with attached_session(processes) as conductor:
            yield conductor


@contextmanager
def attached_session(processes: NodeProcesses | None = None) -> Iterator[Conductor]:
    """Configure and activate a policy that runs already, as under ``ros2 launch``."""
    conductor = Conductor(processes)
    try:
        conductor.configure_and_activate()
        yield conductor
    finally:
        conductor.close()


def replan_period_s(robot: Path, replan_steps: int) -> float:
    """Return the time ``replan_steps`` steps of a chunk take."""
    return replan_steps / RobotSpec.from_yaml(robot).rate_hz
