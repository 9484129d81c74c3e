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
Record episodes of the simulated robot by single keys: the console in front of a whole session.

Starts the simulated arm, a policy that does what it is told, the teleop node (a gamepad's Joy
takes over) and the recorder, each a process of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future
from std_srvs.srv import Trigger
import tyro

from .conductor import Conductor
from .front import work_in_front
from .private_graph import enter_private_graph, GraphError, NodeProcesses
from .teleop_demo import SEED, start_session
from ..command_line import one_line_errors
from ..paths import shipped
from ..plan.engine import open_policy
from ..record.episode import EpisodeError
from ..record.table import episode_table
from ..sim.layout import make_layout
from ..spec import RobotSpec


class Dealer:
    """
    Lays the table, and another one each time ``~/lay`` of the conductor is called.

    Each has the next seed. The policy is held meanwhile, and then has no instruction.
    """

    def __init__(self, conductor: Conductor, seed: int):
        self._conductor, self._seed = conductor, seed
        self._thread = ThreadPoolExecutor(1)   # it waits for what the conductor's own one brings
        conductor.set_scene(seed, make_layout(seed).task)

    def open(self) -> None:
        """Offer the service, once the policy is active."""
        self._conductor.node.create_service(   # a group of its own: the others' answers must come
            Trigger, '~/lay', self._on_lay, callback_group=MutuallyExclusiveCallbackGroup())

    async def _on_lay(self, request, response):
        laid = Future()
        self._thread.submit(self._lay).add_done_callback(laid.set_result)
        try:
            response.message, response.success = (await laid).result(), True
        except GraphError as error:
            response.message, response.success = str(error), False
        return response

    def _lay(self) -> str:
        self._seed += 1
        self._conductor.lay_scene(self._seed, make_layout(self._seed).task)
        return 'laid anew; press i to give an instruction'

    def close(self) -> None:
        self._thread.shutdown()


def record(out: Path = Path('out/recordings'), checkpoint: Path | None = None,
           robot: Path | None = None, seed: int = SEED) -> int:
    """
    Record as many episodes as you like, and see what came of them.

    In the console: `i` and a sentence tells the robot what to do, `s` starts an episode, `y` or
    `n` ends it as a success or a failure, `t` lays the table anew, `q` leaves. Which cube lies on
    which plate is told by the simulator. Episodes are added to those in the folder.

    :param out: Folder that gets one episode (rosbag2, MCAP) a folder.
    :param checkpoint: The policy's checkpoint folder (default: the shipped one).
    :param robot: Robot YAML (default: the shipped one's).
    :param seed: Which cubes lie where; each new table has the next.
    """
    robot = robot or shipped().robot
    checkpoint = checkpoint or shipped().checkpoint
    open_policy(checkpoint, robot=RobotSpec.from_yaml(robot))  # refused before anything starts
    out.mkdir(parents=True, exist_ok=True)
    log_dir = out / '.log'
    print(f'ROS domain {enter_private_graph()}, loopback only; logs in {log_dir}')
    with NodeProcesses(log_dir) as processes:
        start_session(processes, robot, 'teleop.yaml', checkpoint, out)
        conductor = Conductor(processes)
        try:
            with closing(Dealer(conductor, seed)) as dealer:
                conductor.configure_and_activate()
                dealer.open()
                work_in_front(processes, 'console', '--simulated')
        finally:
            conductor.close()
    _show(out)
    return 0


def _show(out: Path) -> None:
    try:
        print(*episode_table(out), sep='\n')
    except EpisodeError as error:
        print(error)


def main(args: list[str] | None = None) -> None:
    with one_line_errors(GraphError):
        raise SystemExit(tyro.cli(record, args=args, prog='trimodal_ros.nodes.record_demo'))


if __name__ == '__main__':
    main()
