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

"""``python -m trimodal_ros.train``: from episode directories to a checkpoint folder."""

from __future__ import annotations

from pathlib import Path

import tyro

from ..paths import share_dir

CONFIG = share_dir() / 'config'


def run(episodes: list[Path], out: Path, robot: Path = CONFIG / 'robots' / 'so101.yaml',
        steps: int = 2400, batch_size: int = 64, learning_rate: float = 1e-3, seed: int = 0,
        start_steps: int = 400, initial: Path | None = None, device: str = 'cpu',
        processes: int = 2, label_topic: str = 'demonstration', save_every: int = 250) -> None:
    """
    Train a policy on recorded episodes and write its checkpoint folder.

    Interrupted or killed, the same command goes on from the last saved state. Progress is in
    OUT.training/log.csv: the loss of each task, the held-out action error and the speed.

    :param episodes: Directories with episodes in them (rosbag2, MCAP), at any depth.
    :param out: Checkpoint folder to write.
    :param robot: Robot YAML: joints, cameras, chunk rate and horizon.
    :param steps: Optimisation steps.
    :param batch_size: Windows a step, each of another episode.
    :param learning_rate: Peak of warm-up and cosine.
    :param seed: Of weights, batches and dropout.
    :param start_steps: Steps at first on the starts of episodes only, where the sentence alone
        tells what to do; give 0 with --initial.
    :param initial: Checkpoint to start from, as after an on-policy round.
    :param device: cpu, or cuda.
    :param processes: That share each batch, one thread each; with a GPU give 1.
    :param label_topic: Topic with the trajectory to imitate, stamped with the image's time.
    :param save_every: Steps between saved states and log rows.
    """
    from .loop import train, TrainingSettings
    settings = TrainingSettings(
        episodes=tuple(map(str, episodes)), robot=str(robot), steps=steps,
        batch_size=batch_size, learning_rate=learning_rate, seed=seed,
        processes=processes, start_steps=start_steps,
        initial='' if initial is None else str(initial), label_topic=label_topic)
    identity = train(settings, out, device, processes, save_every)
    print(f'checkpoint {out}, content hash {identity}')


def main(args: list[str] | None = None) -> None:
    tyro.cli(run, args=args, prog='trimodal_ros.train')


if __name__ == '__main__':
    main()
