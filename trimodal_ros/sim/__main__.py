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

"""``python -m trimodal_ros.sim``: collect labelled episodes on the simulated table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import tyro

from .watched import Patience
from ..command_line import one_line_errors
from ..paths import share_dir, shipped
from ..record.episode import read_info

if TYPE_CHECKING:
    from .collect import Collection

CONFIG = share_dir() / 'config'
SCENE = shipped().scene
GL_PACKAGES = 'libegl1 libegl-mesa0 libgl1-mesa-dri'
DEFAULT_PATIENCE = Patience()
TEMPLATES = CONFIG / 'instructions' / 'train.txt'


def demonstrate(out: Path, episodes: int, seed: int = 0, workers: int = 2, scene: Path = SCENE,
                templates: Path = TEMPLATES, noise: bool = True) -> None:
    """
    Record episodes of the scripted demonstrator, for training.

    :param out: Directory that gets one rosbag2 directory an episode.
    :param episodes: How many; seeds run from ``seed`` on. Those already there are kept,
        if they were recorded with the same settings.
    :param seed: Layout of the first episode.
    :param workers: Processes, each with a simulator of its own.
    :param scene: Scene YAML: the table, and the robot on it.
    :param templates: Sentence templates, one a line, with {object} and {place}.
    :param noise: Push the arm off its plan now and then, so that recovering is shown too.
    """
    from .collect import Collection
    share = _collect(Collection(out, scene, templates, noise=noise), seed, episodes, workers)
    print(f'{episodes} episodes in {out}; {100 * share:.1f} % ended in success')


def correct(checkpoint: Path, out: Path, episodes: int, seed: int = 0, workers: int = 2,
            scene: Path = SCENE, templates: Path = TEMPLATES, replan_steps: int = 4) -> None:
    """
    Record an on-policy round: a checkpoint commands, the demonstrator labels what it meets.

    :param checkpoint: Checkpoint folder of the policy that commands.
    :param out: Directory that gets one rosbag2 directory an episode.
    :param episodes: How many; seeds run from ``seed`` on. Those already there are kept,
        if they were recorded with the same settings.
    :param seed: Layout of the first episode.
    :param workers: Processes, each with a simulator and a policy of its own.
    :param scene: Scene YAML: the table, and the robot on it.
    :param templates: Sentence templates, one a line, with {object} and {place}.
    :param replan_steps: Steps of each chunk that are carried out.
    """
    from .collect import Collection
    share = _collect(Collection(out, scene, templates, checkpoint, replan_steps), seed, episodes,
                     workers)
    print(f'{episodes} episodes in {out}; the policy succeeded in {100 * share:.1f} %')


def watch(checkpoint: Path, out: Path, episodes: int, seed: int = 0, workers: int = 2,
          scene: Path = SCENE, templates: Path = TEMPLATES, replan_steps: int = 4,
          patience: Patience = DEFAULT_PATIENCE) -> None:
    """
    Record a policy that a scripted person watches: who takes over when it gets nowhere.

    The episodes are as a recorder's of a real arm: no labels, but when somebody commanded by
    hand. Training on them is told in doc/how-to/retraining.md.

    :param checkpoint: Checkpoint folder of the policy that commands.
    :param out: Directory that gets one rosbag2 directory an episode.
    :param episodes: How many; seeds run from ``seed`` on. Those already there are kept,
        if they were recorded with the same settings.
    :param seed: Layout of the first episode.
    :param workers: Processes, each with a simulator and a policy of its own.
    :param scene: Scene YAML: the table, and the robot on it.
    :param templates: Sentence templates, one a line, with {object} and {place}.
    :param replan_steps: Steps of each chunk that are carried out.
    :param patience: When the person takes over, and gives back.
    """
    from .collect import Collection
    collection = Collection(out, scene, templates, checkpoint, replan_steps, patience=patience)
    share = _collect(collection, seed, episodes, workers)
    alone = sum(not read_info(collection.path(s)).interventions
                for s in range(seed, seed + episodes))
    print(f'{episodes} episodes in {out}; {100 * share:.1f} % ended in success, '
          f'{100 * alone / episodes:.1f} % without anybody taking over')


def _collect(collection: Collection, seed: int, episodes: int, workers: int) -> float:
    from .collect import collect
    if episodes < 1:
        raise ValueError(f'episodes: {episodes}, expected at least 1')
    _check_readable(collection)
    return collect(collection, range(seed, seed + episodes), workers)


def _check_readable(collection: Collection) -> None:
    """Raise here what every worker would: the pool it breaks loses the reason."""
    from .rollout import PolicyPlanner
    from .scene_file import read_tabletop
    from .sentences import read_templates
    from ..plan.checkpoint import load_checkpoint
    scene = read_tabletop(collection.scene)
    read_templates(collection.templates)
    if collection.checkpoint is not None:
        policy = load_checkpoint(collection.checkpoint, robot=scene.robot)
        PolicyPlanner(policy, collection.replan_steps)


def check() -> None:
    """Render one frame off screen, or say which system packages are missing."""
    try:
        from .scene_file import shipped_scene
        from .world import World
        world = World(shipped_scene())
        world.render(world.scene.cameras[0].name)
        world.close()
    except Exception as error:  # noqa: B902 - OpenGL loaders raise all sorts
        raise SystemExit(
            f'no off-screen OpenGL ({type(error).__name__}: {error}).\n'
            f'Install it with:  apt-get install -y {GL_PACKAGES}\n'
            'or set MUJOCO_GL=osmesa where libOSMesa is there instead') from error


def main(args: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    with one_line_errors():
        tyro.extras.subcommand_cli_from_dict(
            {'demonstrate': demonstrate, 'correct': correct, 'watch': watch, 'check': check},
            args=args,
            prog='trimodal_ros.sim',
            description='The simulated table: collect labelled episodes, check its rendering.')


if __name__ == '__main__':
    main()
