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
By what to choose among sampled chunks: how far the chosen one is from what was commanded.

    python -m benchmarks.ranking --checkpoint DIR --episodes BAGS --bank BAGS

What to look for: alignment, with or without the prior taken off, should come nearer to the best
possible choice than to the first sample. InfoNCE over motions learns log p(a|c) - log p(a), so
that ``alignment less prior`` takes off log mean_j exp(s cos(f_j, a)) over a bank of scenes f_j.
Shapes: B moments, N candidates, X values of a flat chunk, M bank, D shared dimension, E episodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import time

import numpy as np
import torch
import tyro

from trimodal_ros.evaluate.gallery import choose_moments
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.policy import Policy
from trimodal_ros.spec import Observation
from trimodal_ros.spec.topics import LABEL_TOPIC
from trimodal_ros.train.batches import Batch, collect
from trimodal_ros.train.cache import Frames, open_frames
from trimodal_ros.train.objective import embed

BATCH, RESAMPLES = 64, 2000


def run(checkpoint: Path, episodes: list[Path], bank: list[Path], candidates: int = 16,
        size: int = 1000, seed: int = 0) -> None:
    """
    Print a Markdown table of errors with 95 % bootstrap intervals over episodes, and the cost.

    :param checkpoint: Checkpoint folder, with a decoder that samples.
    :param episodes: Directories with episodes it was not trained on.
    :param bank: Directories with episodes whose scenes stand for all scenes.
    :param candidates: Chunks a moment.
    :param size: Moments, and scenes in the bank.
    :param seed: Of moments and noise.
    """
    policy = load_checkpoint(checkpoint)
    policy.candidates = candidates  # refused where there is nothing to choose from
    bank_MD = torch.cat([embed(policy, batch).scene.z_fused_BD
                         for _, batch in _batches(_frames(policy, bank), size, seed)])
    parts, generator = [], torch.Generator().manual_seed(seed)
    for episode_B, batch in _batches(_frames(policy, episodes), size, seed):
        parts.append((episode_B, *_judge(policy, batch, bank_MD, generator)))
    episode_B = np.concatenate([part[0] for part in parts])
    error_BN = np.concatenate([part[1] for part in parts])
    print(f'| chosen of {candidates} by | error, rad | less than the first, rad (95 % interval) |'
          '\n|---|---|---|')
    for name in parts[0][2]:
        chosen_B = np.concatenate([part[2][name] for part in parts])
        error_B = np.take_along_axis(error_BN, chosen_B[:, None], 1)[:, 0]
        gain, low, high = mean_by_episode(error_BN[:, 0] - error_B, episode_B)
        print(f'| {name} | {error_B.mean():.4f} | {gain:.4f} ({low:.4f} to {high:.4f}) |')
    print('\nprocessor time of a decision: ' + ', '.join(
        f'{_plan_ms(policy, count):.1f} ms with {count}' for count in (1, candidates)))


def _plan_ms(policy: Policy, candidates: int, times: int = 20) -> float:
    """Return the time one thread computes for a plan: others on the machine don't count."""
    seen, policy.candidates = Observation.make_example(policy.robot), candidates
    policy.plan(seen)
    started = time.process_time()
    for _ in range(times):
        policy.plan(seen)
    return 1e3 * (time.process_time() - started) / times


def _frames(policy: Policy, roots: list[Path]) -> Frames:
    return open_frames(roots, policy.robot, LABEL_TOPIC, workers=2)


def _batches(frames: Frames, size: int, seed: int) -> Iterator[tuple[np.ndarray, Batch]]:
    index_M = choose_moments(frames.episode_N, size, seed)
    for index_B in np.split(index_M, range(BATCH, len(index_M), BATCH)):
        words_2B = np.random.default_rng([seed, index_B[0]]).random((2, len(index_B)))
        yield frames.episode_N[index_B], collect(frames, index_B, words_2B)


def _judge(policy: Policy, batch: Batch, bank_MD: torch.Tensor,
           generator: torch.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the candidates' errors [B, N] in rad, and which of them each way chooses."""
    count, scene = policy.candidates, embed(policy, batch).scene
    context_NF = scene.context_BF.repeat_interleave(count, 0)
    noise_NTJ = torch.randn(len(context_NF), *policy.decoder.shape_TJ, generator=generator)
    unit_BNX = policy.decoder.decode(context_NF, noise_NTJ).unflatten(0, (-1, count))
    chunk_BNX = policy.normalizer.chunk_to_rad(
        unit_BNX.flatten(0, 1), batch.command_BJ.repeat_interleave(count, 0))
    z_BND = policy.embed_motion(chunk_BNX).unflatten(0, (-1, count))
    error_BN = (chunk_BNX.unflatten(0, (-1, count)) - batch.chunk_BTJ[:, None]).abs().mean((2, 3))
    cosine_BN = (z_BND @ scene.z_fused_BD[..., None])[..., 0]
    scale = policy.scales['fused_action']()
    prior_BN = (scale * z_BND @ bank_MD.T).logsumexp(-1)
    far_BN = (unit_BNX - unit_BNX.mean(1, keepdim=True)).abs().mean((2, 3))
    ways = {'chance: the first': torch.zeros_like(cosine_BN), 'alignment': cosine_BN,
            'alignment less prior': scale * cosine_BN - prior_BN,
            'nearness to their mean': -far_BN, 'knowing: the best': -error_BN}
    return error_BN.numpy(), {name: score_BN.argmax(1).numpy() for name, score_BN in ways.items()}


def mean_by_episode(value_B: np.ndarray, episode_B: np.ndarray,
                    seed: int = 0) -> tuple[float, float, float]:
    """
    Return the mean of all values and its 95 % interval, whole episodes drawn with replacement.

    >>> mean_by_episode(np.array([1.0, 1.0, 1.0]), np.array([0, 0, 4]))
    (1.0, 1.0, 1.0)
    """
    index_B = np.unique(episode_B, return_inverse=True)[1]
    count_E, sum_E = np.bincount(index_B), np.bincount(index_B, value_B)
    drawn_RE = np.random.default_rng(seed).multinomial(
        len(count_E), np.full(len(count_E), 1 / len(count_E)), RESAMPLES)
    low, high = np.quantile((drawn_RE @ sum_E) / (drawn_RE @ count_E), (0.025, 0.975))
    return float(value_B.mean()), float(low), float(high)


if __name__ == '__main__':
    torch.set_num_threads(1)
    with torch.inference_mode():
        tyro.cli(run, description=__doc__)
