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
Observations made wrong on purpose: what a policy should find that nothing lies together in.

Each is a function of an observation and a generator. Given a generator of one seed, what is
covered, shuffled or drawn is the same at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from .rollout import Trial
from ..sim.layout import OBJECTS, PLACES
from ..spec import Observation, RobotSpec

Misleading = Callable[[Observation, np.random.Generator], Observation]
NONSENSE = 'pour the milk into the cup'
SHARES = (0.1, 0.25, 0.5)  # of each image that is covered
GREY, PATCHES = 128, 8     # patches along each side


def misleadings(trial: Trial, robot: RobotSpec) -> dict[str, Misleading]:
    """Return all ways to mislead a policy in a trial, by name."""
    sentences = {f'told {what}': partial(tell, sentence=sentence)
                 for what, sentence in wrong_sentences(trial).items()}
    covers = {f'{100 * share:g} % of each image grey': partial(cover, share=share)
              for share in SHARES}
    dark = {f'{camera.name} camera black': partial(black, camera=camera.name)
            for camera in robot.cameras}
    swapped = {'cameras swapped': swap} if len(robot.cameras) > 1 else {}
    return {**sentences, **covers, **dark, **swapped, 'patches shuffled': shuffle,
            'images of noise': noise}


def wrong_sentences(trial: Trial) -> dict[str, str]:
    """
    Return sentences that are wrong in a trial, by what they name.

    Another cube in view, one that is not there, the other plate, and something that has to do
    with nothing in the scene.
    """
    task, cubes = trial.layout.task, trial.layout.cubes
    other = trial.layout.with_other_object().task.object
    absent = next(name for name in OBJECTS if name not in cubes)
    place, = (name for name in PLACES if name != task.place)
    return {'another cube': trial.instruction.replace(task.object, other),
            'a cube that is not there': trial.instruction.replace(task.object, absent),
            'the other plate': trial.instruction.replace(task.place, place),
            'nonsense': NONSENSE}


def tell(seen: Observation, rng: np.random.Generator, sentence: str) -> Observation:
    return replace(seen, instruction=sentence)


def cover(seen: Observation, rng: np.random.Generator, share: float) -> Observation:
    """Put a grey rectangle of the image's own shape over ``share`` of each image, anywhere."""
    return _each(seen, lambda image: _covered(image, share ** 0.5, *rng.random(2)))


def _covered(image_HW3: np.ndarray, side: float, down: float, right: float) -> np.ndarray:
    size_2 = np.array(image_HW3.shape[:2])
    covered_2 = np.round(side * size_2).astype(int)
    top, left = ((size_2 - covered_2 + 1) * (down, right)).astype(int)
    image_HW3 = image_HW3.copy()
    image_HW3[top:top + covered_2[0], left:left + covered_2[1]] = GREY
    return image_HW3


def black(seen: Observation, rng: np.random.Generator, camera: str) -> Observation:
    return replace(seen, images={**seen.images, camera: np.zeros_like(seen.images[camera])})


def swap(seen: Observation, rng: np.random.Generator) -> Observation:
    """Give each camera the next one's image, in its own size."""
    names = list(seen.images)
    others = dict(zip(names, names[1:] + names[:1]))
    return replace(seen, images={
        name: cv2.resize(seen.images[other], seen.images[name].shape[1::-1],
                         interpolation=cv2.INTER_AREA) for name, other in others.items()})


def shuffle(seen: Observation, rng: np.random.Generator) -> Observation:
    """Cut each image in patches of equal size and shuffle them; what is left over stays."""
    return _each(seen, lambda image: _shuffled(image, rng.permutation(PATCHES ** 2)))


def _shuffled(image_HW3: np.ndarray, order: np.ndarray) -> np.ndarray:
    height, width = (side // PATCHES for side in image_HW3.shape[:2])
    inside = np.s_[:height * PATCHES, :width * PATCHES]
    patches = image_HW3[inside].reshape(PATCHES, height, PATCHES, width, 3).swapaxes(1, 2)
    mixed = patches.reshape(-1, height, width, 3)[order].reshape(patches.shape).swapaxes(1, 2)
    image_HW3 = image_HW3.copy()
    image_HW3[inside] = mixed.reshape(image_HW3[inside].shape)
    return image_HW3


def noise(seen: Observation, rng: np.random.Generator) -> Observation:
    return _each(seen, lambda image: rng.integers(0, 256, image.shape, np.uint8))


def _each(seen: Observation, change: Callable[[np.ndarray], np.ndarray]) -> Observation:
    return replace(seen, images={name: change(image) for name, image in seen.images.items()})
