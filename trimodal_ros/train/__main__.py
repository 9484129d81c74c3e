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

from inspect import signature
from pathlib import Path
import sys
from typing import Annotated

import tyro

from .configuration import with_configuration
from .objective import PairLoss, TaskWeights, TrimodalLoss
from .selection import KindWeights, Outcome, read_names, Selection
from .weighting import Method
from ..command_line import one_line_errors
from ..paths import share_dir, shipped
from ..plan.checkpoint import read_policy_config
from ..plan.engine import Compiling, Precision
from ..plan.policy import DecoderName, PolicyConfig
from ..record.moments import Sampling
from ..spec.topics import LABEL_TOPIC

CONFIG = share_dir() / 'config'
ROBOT = shipped().robot
DEFAULT_WEIGHTS, DEFAULT_POLICY = TaskWeights(), PolicyConfig()
DEFAULT_FRAMES, DEFAULT_SAMPLING = KindWeights(), Sampling()


def run(episodes: list[Path], out: Path, robot: Path = ROBOT,
        steps: int = 2400, batch_size: int = 64, learning_rate: float = 1e-3, seed: int = 0,
        start_steps: int = 400, initial: Path | None = None, device: str = 'cpu',
        processes: int = 2, label_topic: str = LABEL_TOPIC, save_every: int = 250,
        weights: TaskWeights = DEFAULT_WEIGHTS, weighting: Method = 'fixed',
        pair_loss: PairLoss = 'info_nce', trimodal_loss: TrimodalLoss = 'gram', memory: int = 512,
        precision: Precision = 'float32', compiling: Compiling = 'off', episode_limit: int = 0,
        vision_width: int = 128, vision_encoder: str = '', vision_frozen: bool = False,
        vision_adapter_rank: int = 0,
        language_encoder: str = DEFAULT_POLICY.language_encoder,
        language_frozen: bool = True, language_adapter_rank: int = 0,
        decoder: Annotated[DecoderName | None,
                           tyro.conf.arg(aliases=('--policy.decoder',))] = None,
        frame_weights: KindWeights = DEFAULT_FRAMES, before_s: float = 1.0,
        leave_out_outcomes: Annotated[tuple[Outcome, ...], tyro.conf.arg(
            metavar='{success,failure,unknown} ...')] = (),
        keep_unhealthy: bool = False,
        leave_out: Path | None = None, only: Path | None = None,
        sampling: Sampling = DEFAULT_SAMPLING, config: Path | None = None) -> None:
    """
    Train a policy on recorded episodes and write its checkpoint folder.

    Interrupted or killed, the same command goes on from the last saved state. Progress is in
    OUT.training/log.csv: each task's loss, weight, held-out metric and the cosine of its gradient
    with action generation's, the held-out action error, the speed, and the share of the time
    spent waiting for data. On several machines or GPUs: accelerate launch -m trimodal_ros.train
    and the same arguments.

    Episodes with a label topic and those of a recorder go together. Of the latter what was
    commanded is imitated, by weights for whose command it was. What is used and what is left out,
    and why, is printed, and goes into the model card.

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
    :param processes: That share each batch, one thread each; with a GPU give 1. Under accelerate
        launch its own number counts.
    :param label_topic: Topic with the trajectory to imitate, stamped with the image's time. An
        episode without any message on it is taken for a recorder's.
    :param save_every: Steps between saved states and log rows.
    :param weights: Weight of each task; 0 switches it off.
    :param weighting: How the tasks are put together, starting from these weights.
    :param pair_loss: Of the pairwise contrastive tasks.
    :param trimodal_loss: Of the task trimodal, which is off unless it has a weight.
    :param memory: Past motions kept as further negatives.
    :param precision: Of the encoders and the decoder; losses are always float32.
    :param compiling: Encoders and decoder by torch.compile, with CUDA graphs or without; what
        can't be had is told, and done without.
    :param episode_limit: Train on so many episodes, evenly spread; 0 means all.
    :param vision_width: Channels of the feature maps: a multiple of 32.
    :param vision_encoder: Pretrained transformers model: a local folder, a hub name, package:NAME
        or a JSON file with a plain configuration (random weights). Without it a small
        convolutional encoder is trained from scratch.
    :param vision_frozen: Leave the pretrained vision encoder as it is.
    :param vision_adapter_rank: Rank of low-rank adapters of a frozen vision encoder; 0: none.
    :param language_encoder: Transformers text encoder: a local folder, a hub name or
        package:NAME.
    :param language_frozen: Leave the language encoder as it is; else it is trained too, and
        becomes part of the checkpoint.
    :param language_adapter_rank: Rank of low-rank adapters of a frozen language encoder; 0: none.
    :param decoder: chunk has one answer; flow samples, and can rank candidates. Without it: as
        the checkpoint of --initial has, else chunk. If that has another, all but the decoder's
        head is taken from it.
    :param frame_weights: How much a frame counts by its kind; 0 leaves the kind out.
    :param before_s: Seconds before an intervention that are left out, with what leads there.
    :param leave_out_outcomes: Leave out episodes that ended so.
    :param keep_unhealthy: Train on episodes too whose recording the recorder found bad.
    :param leave_out: File that names episodes to leave out: what evaluate search --json writes,
        such as of --disagreements, or text with a path a line.
    :param only: File of the same form; episodes it doesn't name are left out.
    :param sampling: Which moments of a recorder's episode are frames: one each 1 / rate of the
        robot unless every_s is given.
    :param config: YAML with any of these options, such as those in config/train; what is given as
        an argument counts.
    """
    from .loop import train
    from .parallel import rank
    from .settings import TrainingSettings
    settings = TrainingSettings(
        episodes=tuple(map(str, episodes)), robot=str(robot), steps=steps,
        batch_size=batch_size, learning_rate=learning_rate, seed=seed,
        start_steps=start_steps, initial='' if initial is None else str(initial),
        label_topic=label_topic, weights=weights, weighting=weighting, pair_loss=pair_loss,
        trimodal_loss=trimodal_loss, memory=memory, precision=precision,
        compiling=compiling,
        episode_limit=episode_limit, policy=PolicyConfig(
            language_encoder, vision_width=vision_width, vision_encoder=vision_encoder,
            vision_frozen=vision_frozen, language_frozen=language_frozen,
            vision_adapter_rank=vision_adapter_rank,
            language_adapter_rank=language_adapter_rank,
            decoder=decoder or _decoder_of(initial)),
        sampling=sampling, selection=Selection(
            frame_weights, before_s, leave_out_outcomes, keep_unhealthy, _named(leave_out),
            _named(only)))
    identity = train(settings, out, device, processes, save_every=save_every)
    if rank() == 0:
        print(f'checkpoint {out}, content hash {identity}')


def _named(file: Path | None) -> tuple[str, ...]:
    return () if file is None else read_names(file)


def _decoder_of(initial: Path | None) -> DecoderName:
    return (DEFAULT_POLICY if initial is None else read_policy_config(initial)).decoder


def main(args: list[str] | None = None) -> None:
    try:
        with one_line_errors(ArithmeticError):
            args = with_configuration(sys.argv[1:] if args is None else args,
                                      tuple(signature(run).parameters))
            tyro.cli(run, args=args, prog='trimodal_ros.train')
    except RuntimeError as error:  # of one of several processes: its traceback is the message
        print(error, file=sys.stderr)
        raise SystemExit(f'error: {str(error).strip().splitlines()[-1]}') from None


if __name__ == '__main__':
    main()
