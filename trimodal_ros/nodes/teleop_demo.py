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
Move the simulated robot by hand: in the terminal by keys, or by a gamepad.

Starts the simulated arm, the teleop node and the recorder as processes of their own, and with
--policy a policy that can be taken over from: move, and it gives way; let go, and it goes on.
"""

from __future__ import annotations

import os
from pathlib import Path

import tyro

from .conductor import Conductor
from .demo import INSTRUCTIONS, prepare_folder, task_of
from .front import work_in_front
from .private_graph import enter_private_graph, GraphError, NodeProcesses
from ..command_line import one_line_errors
from ..evaluate.film import camera_frames, write_animation
from ..paths import shipped
from ..plan.engine import open_policy
from ..sim.scene_file import shipped_scene
from ..spec import RobotSpec

SEED = 3_000_000
TOOL_FRAME = 'gripper_frame_link'


def teleop(out: Path = Path('out/teleop'), policy: bool = False,
           instruction: str = '', checkpoint: Path | None = None,
           robot: Path | None = None, mapping: str = 'keyboard.yaml', record: bool = True) -> int:
    """
    Move the simulated robot by hand, and look at what was recorded.

    Keys are told in the terminal. Hold one to move, let go to stop; `m` goes on from joint to
    Cartesian space. With a display there is a window with the robot in it.

    :param out: Folder for recordings, which are added to it, and film and logs of the last.
    :param policy: Start a policy, too, to take over from and give back to.
    :param instruction: What the robot is told, a cube and a plate (default: red to the left).
    :param checkpoint: The policy's checkpoint folder (default: the shipped one).
    :param robot: Robot YAML (default: the shipped one's).
    :param mapping: Axes and buttons: keyboard.yaml for keys, teleop.yaml for a gamepad whose
        node publishes joy on this graph, or a file of yours.
    :param record: Record what happens as one episode.
    """
    instruction = instruction or INSTRUCTIONS[0]
    task = task_of(instruction)
    robot = robot or shipped().robot
    checkpoint = checkpoint or shipped().checkpoint
    if policy:  # refused here, before anything is cleared or started
        open_policy(checkpoint, robot=RobotSpec.from_yaml(robot))
    prepare_folder(out, keep=('episodes',))
    print(f'ROS domain {enter_private_graph()}, loopback only; logs in {out / "log"}')
    with NodeProcesses(out / 'log') as processes:
        start_session(processes, robot, mapping, checkpoint if policy else None,
               out / 'episodes' if record else None)
        conductor = Conductor(processes)
        try:
            _begin(conductor, instruction, task, policy)
            episode = _play(conductor, processes, mapping == 'keyboard.yaml', record)
        finally:
            conductor.close()
    if episode:
        _show(out, Path(episode))
    return 0


def start_session(processes: NodeProcesses, robot: Path, mapping: str, checkpoint: Path | None,
                  record_to: Path | None) -> None:
    """Start the simulated arm and teleop; a policy and a recorder if there is what for."""
    processes.start('simulated_robot', {'seed': SEED})
    processes.start('teleop', {
        'robot': robot, 'mapping': mapping, 'tool_frame': TOOL_FRAME,
        'urdf': shipped_scene().urdf})
    if checkpoint is not None:
        processes.start('policy', {'checkpoint': checkpoint, 'robot': robot, 'dry_run': False})
    if record_to is not None:
        processes.start('recorder', {'out': record_to, 'robot': robot})


def _begin(conductor: Conductor, instruction: str, task, with_policy: bool) -> None:
    conductor.set_scene(SEED, task)
    if with_policy:
        conductor.configure_and_activate()
    conductor.say(instruction)


def _play(conductor: Conductor, processes: NodeProcesses, by_keys: bool, record: bool) -> str:
    """Let the person play until they end it; return the episode's path, '' for none."""
    if record:
        conductor.start_recording()
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        print('no display, so no window: the film is written at the end'
              if record else 'no display, so no window')
    work_in_front(processes, 'teleop_keyboard' if by_keys else None)
    return conductor.trigger('recorder/stop') if record else ''


def _show(out: Path, episode: Path) -> None:
    write_animation(*camera_frames(episode, 'front/image_raw'), out / 'film.webp')
    print(f'recorded: {episode}\nfilm: {(out / "film.webp").resolve()}')


def main(args: list[str] | None = None) -> None:
    with one_line_errors(GraphError):
        raise SystemExit(tyro.cli(teleop, args=args, prog='trimodal_ros.nodes.teleop_demo'))


if __name__ == '__main__':
    main()
