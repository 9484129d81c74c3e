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
Queries of an index: a sentence, what the cameras see or a motion, and the moments that match.

Shapes: N moments of an episode, D shared dimension, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import heapq
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch

from .index import embed_views, IndexedEpisode
from ..observe.image import decode_image
from ..observe.instruction import normalize_instruction
from ..plan.policy import Policy
from ..record.messages import BAG_TYPES
from ..record.sensor_messages import image_message

By = Literal['vision', 'action', 'both']
Z_OF = {'vision': 'vision', 'action': 'action', 'both': 'vision_action'}


class QueryError(ValueError):
    """A query that cannot be answered."""


@dataclass(frozen=True, eq=False)
class Query:
    """A unit vector [D], which of a moment's vectors it is held against, whose are left out."""

    what: str
    z_D: np.ndarray
    by: By
    left_out: Path | None = None   # the episode the query is from


@dataclass(frozen=True)
class Hit:
    """A moment and its cosine with the query."""

    score: float
    episode: Path
    seconds: float
    stamp_ns: int
    instruction: str

    @property
    def text(self) -> str:
        return self.instruction


def best_moments(episodes: Iterable[IndexedEpisode], query: Query, top: int,
                 per_episode: int = 1) -> list[Hit]:
    """Return the ``top`` most similar moments, best first, at most ``per_episode`` of each."""
    def hits():
        for episode in episodes:
            if episode.path == query.left_out:
                continue
            score_N = episode.z[Z_OF[query.by]] @ query.z_D
            seconds_N = episode.seconds_N
            for n in np.argsort(-score_N, kind='stable')[:per_episode]:
                yield Hit(float(score_N[n]), episode.path, float(seconds_N[n]),
                          int(episode.stamp_N[n]), episode.instruction)
    return heapq.nlargest(top, hits(), key=lambda hit: hit.score)


@torch.inference_mode()
def sentence_query(policy: Policy, sentence: str, by: By | None) -> Query:
    """Ask for moments that look like the sentence, do what it says or, by default, both."""
    said, sentence = sentence, normalize_instruction(sentence)
    if not sentence:
        raise QueryError(f'{said!r} says nothing')
    return Query(f'"{sentence}"', policy.embed_sentences([sentence])[0].cpu().numpy(),
                 by or 'both')


def image_query(policy: Policy, files: Iterable[str], by: By | None) -> Query:
    """
    Ask for moments that look like pictures, one a camera: ``CAMERA=FILE``.

    The vision encoder sees all cameras at once: none can be left out.
    """
    by = _one_modality(by, 'vision')
    file_of = dict(text.partition('=')[::2] for text in files)
    cameras = {camera.name: camera for camera in policy.robot.cameras}
    if set(file_of) != set(cameras):
        raise QueryError(f'--image: got {sorted(file_of)}, expected CAMERA=FILE for each of '
                         f'{sorted(cameras)}, which the policy sees together')
    view = {name: _read_image(Path(file), cameras[name]) for name, file in file_of.items()}
    return Query(', '.join(files), embed_views(policy, [view])[0], by)


def moment_query(episodes: Iterable[IndexedEpisode], moment: str, modality: By,
                 by: By | None) -> Query:
    """Ask for moments of other episodes like the one at ``EPISODE:SECONDS``."""
    by = _one_modality(by, modality)
    name, _, seconds = moment.rpartition(':')
    try:
        wanted_s = float(seconds)
    except ValueError as error:
        raise QueryError(f'{moment!r}: expected EPISODE:SECONDS') from error
    found = {each.path: each for each in episodes if _is_called(each.path, name)}
    if len(found) != 1:
        raise QueryError(f'episode {name!r} is {len(found)} times in the index; name one by its '
                         'path, or by its folder if no other has that name')
    episode, = found.values()
    seconds_N = episode.seconds_N
    if not seconds_N[0] - 1 <= wanted_s <= seconds_N[-1] + 1:
        raise QueryError(f'{moment!r}: the moments of that episode are at '
                         f'{seconds_N[0]:.1f} to {seconds_N[-1]:.1f} s')
    n = np.abs(seconds_N - wanted_s).argmin()
    return Query(f'{modality} at {episode.path}:{seconds_N[n]:.1f}', episode.z[modality][n], by,
                 episode.path)


def _is_called(path: Path, name: str) -> bool:
    return path.name == name or path.resolve() == Path(name).resolve()


def _one_modality(by: By | None, own: By) -> By:
    if by == 'both':
        raise QueryError('--by both is for sentences: vision and action fused lie with the '
                         'language only; use --by vision or --by action')
    return by or own


def _read_image(file: Path, camera) -> np.ndarray:
    """Return a picture as the policy would see it from that camera."""
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise QueryError(f'--image {camera.name}: {file} is not a picture that can be read')
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return decode_image(image_message(rgb, 0, camera.name, BAG_TYPES), camera)
