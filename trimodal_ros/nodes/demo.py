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
The main job from one command: a robot that does what it is told, on a real ROS 2 graph.

Starts the simulated arm, the policy and the recorder as processes of their own, gives one
instruction after another, and writes a table, films and a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import shutil
import sys

from rclpy.utilities import remove_ros_args
import tyro

from .conductor import Conductor, TaskResult
from .private_graph import enter_private_graph, GraphError
from .session import attached_session, simulated_session
from ..command_line import one_line_errors
from ..evaluate.film import camera_frames, write_animation, write_strip
from ..evaluate.page import write_page
from ..evaluate.statistics import percentile
from ..paths import shipped
from ..plan.engine import open_policy
from ..progress import progress_bar
from ..sim.layout import OBJECTS, PLACES, Task
from ..spec import RobotSpec

INSTRUCTIONS = (
    'put the red cube on the left plate',
    'move the blue cube to the right plate',
    'pick up the green cube and place it on the left plate',
    'could you bring the yellow cube to the right plate, please?',
    'the red cube belongs on the right plate',
    'kindly deposit the blue cube on the left plate',
)
FIRST_SEED = 2_000_000
TIMEOUT_S = 12.0
NEEDED_SHARE = 5 / 6
MARKER = '.trimodal_ros_demo'
EPISODES = 'episodes'


@dataclass(frozen=True)
class Shown:
    """One row of the table and one entry of the page."""

    instruction: str
    success: bool
    seconds: float
    age_p50: float
    age_p99: float
    strip: str
    animation: str
    episode: str


def task_of(instruction: str) -> Task:
    """
    Return the task a sentence is about, to lay a scene and to judge it by.

    Raises ValueError when it does not name one cube and one plate of the simulated table.

    >>> task_of('put the Red cube on the left plate')
    Task(object='red cube', place='left plate')
    """
    words = instruction.lower().replace(',', ' ').replace('.', ' ').replace('?', ' ').split()
    objects = [name for name in OBJECTS if name.split()[0] in words]
    places = [name for name in PLACES if name.split()[0] in words]
    if len(objects) != 1 or len(places) != 1:
        raise ValueError(f'{instruction!r}: on this table an instruction names one of '
                         f'{", ".join(OBJECTS)} and one of {", ".join(PLACES)}')
    return Task(objects[0], places[0])


def demo(out: Path = Path('out/demo'), checkpoint: Path | None = None,
         robot: Path | None = None, instruction: str = '', attach: bool = False,
         replan_period_s: float = 0.6) -> int:
    """
    Tell the simulated robot what to do and watch it: table, films and a page.

    :param out: Folder for the page, films, episodes and logs; an earlier demo's is replaced.
    :param checkpoint: Checkpoint folder (default: the shipped one).
    :param robot: Robot YAML (default: the shipped one's).
    :param instruction: One sentence of your own instead of the six shown.
    :param attach: Use nodes that run already, as under ros2 launch, instead of starting them.
    :param replan_period_s: Time between plans.
    """
    instructions = (instruction,) if instruction else INSTRUCTIONS
    tasks = [task_of(text) for text in instructions]
    checkpoint = checkpoint or shipped().checkpoint
    robot = robot or shipped().robot
    spec = RobotSpec.from_yaml(robot)
    identity = open_policy(  # refused here, before anything is cleared or started
        checkpoint, robot=spec).content_hash
    prepare_folder(out, keep=(EPISODES,) if attach else ())  # a running recorder has its own
    if attach:
        session = attached_session()
    else:
        print(f'ROS domain {enter_private_graph()}, loopback only; logs in {out / "log"}')
        session = simulated_session(checkpoint, robot, out / 'log', out / EPISODES,
                                    replan_period_s=replan_period_s)
    shown = []
    with session as conductor:
        for index, (text, task) in enumerate(zip(instructions, tasks)):
            result = _run_one(conductor, FIRST_SEED + index, text, task)
            shown.append(_show(out, index, result))
    write_page('demo_page', out / 'index.html', title='One instruction after another',
               subtitle=f'{spec.name}, simulated; checkpoint {identity}. Left and '
                        "right are the arm's own; the front camera looks at it.", rows=shown)
    print_table(shown)
    print(f'page: {(out / "index.html").resolve()}')
    done = sum(row.success for row in shown)
    return 0 if done >= NEEDED_SHARE * len(shown) else 1


def prepare_folder(out: Path, keep: tuple[str, ...] = ()) -> None:
    """Clear the folder of an earlier demo, and of nothing else; ``keep`` is another's."""
    out.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in out.iterdir() if path.name not in keep]
    if earlier and not (out / MARKER).exists():
        raise SystemExit(f'error: {out} is not empty and not an earlier demo; '
                         'name another --out')
    for path in earlier:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (out / MARKER).touch()


def _run_one(conductor: Conductor, seed: int, text: str, task: Task) -> TaskResult:
    conductor.lay_scene(seed, task)
    with progress_bar(total=TIMEOUT_S, desc=text[:48].ljust(48), unit='s',
              bar_format='{desc} {bar:20} {n:4.1f} s') as bar:
        def progress(seconds: float) -> None:
            bar.update(seconds - bar.n)
        result = conductor.run_task(text, TIMEOUT_S, progress, record=True)
    return result


def _show(out: Path, index: int, result: TaskResult) -> Shown:
    times_ns, images = camera_frames(Path(result.episode), 'front/image_raw')
    strip, animation = f'task{index + 1}.png', f'task{index + 1}.webp'
    write_strip(images, out / strip)
    write_animation(times_ns, images, out / animation)
    return Shown(result.instruction, result.success, result.seconds,
                 percentile(result.ages_ms, 50), percentile(result.ages_ms, 99), strip,
                 animation, str(result.episode))


def print_table(rows: list[Shown]) -> None:
    """Print what was asked, whether it was done, and how old what was seen had become."""
    width = max(len(row.instruction) for row in rows)
    print(f'\n{"instruction":{width}}  success  seconds  age p50  age p99')
    for row in rows:
        print(f'{row.instruction:{width}}  {"yes" if row.success else "NO":>7}'
              f'{row.seconds:9.1f}{row.age_p50:6.0f} ms{row.age_p99:6.0f} ms')
    print(f'{sum(row.success for row in rows)} of {len(rows)} done')


def main(args: list[str] | None = None) -> None:
    args = remove_ros_args(sys.argv)[1:] if args is None else args
    with one_line_errors(GraphError):
        raise SystemExit(tyro.cli(demo, args=args, prog='trimodal_ros.nodes.demo'))


if __name__ == '__main__':
    main()
