"""``python -m trimodal_ros.sim``: collect labelled episodes on the simulated table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

CONFIG = Path(__file__).resolve().parents[2] / 'config'
ROBOT = CONFIG / 'robots' / 'so101.yaml'
TEMPLATES = CONFIG / 'instructions' / 'train.txt'


def demonstrate(out: Path, episodes: int, seed: int = 0, workers: int = 2, robot: Path = ROBOT,
                templates: Path = TEMPLATES, noise: bool = True) -> None:
    """
    Record episodes of the scripted demonstrator, for training.

    :param out: Directory that gets one rosbag2 directory an episode.
    :param episodes: How many; seeds run from ``seed`` on. Those already there are kept.
    :param seed: Layout of the first episode.
    :param workers: Processes, each with a simulator of its own.
    :param robot: Robot YAML.
    :param templates: Sentence templates, one a line, with {object} and {place}.
    :param noise: Push the arm off its plan now and then, so that recovering is shown too.
    """
    from .collect import collect, Collection
    share = collect(Collection(out, robot, templates, noise=noise),
                    range(seed, seed + episodes), workers)
    print(f'{episodes} episodes in {out}; {100 * share:.1f} % ended in success')


def correct(checkpoint: Path, out: Path, episodes: int, seed: int = 0, workers: int = 2,
            robot: Path = ROBOT, templates: Path = TEMPLATES, replan_steps: int = 4) -> None:
    """
    Record an on-policy round: a checkpoint commands, the demonstrator labels what it meets.

    :param checkpoint: Checkpoint folder of the policy that commands.
    :param out: Directory that gets one rosbag2 directory an episode.
    :param episodes: How many; seeds run from ``seed`` on. Those already there are kept.
    :param seed: Layout of the first episode.
    :param workers: Processes, each with a simulator and a policy of its own.
    :param robot: Robot YAML.
    :param templates: Sentence templates, one a line, with {object} and {place}.
    :param replan_steps: Steps of each chunk that are carried out.
    """
    from .collect import collect, Collection
    share = collect(Collection(out, robot, templates, checkpoint, replan_steps),
                    range(seed, seed + episodes), workers)
    print(f'{episodes} episodes in {out}; the policy succeeded in {100 * share:.1f} %')


def main(args: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    tyro.extras.subcommand_cli_from_dict(
        {'demonstrate': demonstrate, 'correct': correct}, args=args, prog='trimodal_ros.sim',
        description='Collect labelled episodes on the simulated table.')


if __name__ == '__main__':
    main()
