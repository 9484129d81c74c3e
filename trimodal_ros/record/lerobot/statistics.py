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
The statistics LeRobot normalises with: min, max, mean, std, count and quantiles of each feature.

LeRobot estimates them from samples of frames and pixels, in bins; here every frame and pixel
counts, and quantiles are exact. Shapes: N frames, D numbers of a feature, V values of a byte.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)   # LeRobot's DEFAULT_QUANTILES


def _quantile_name(quantile: float) -> str:
    return f'q{round(100 * quantile):02d}'


def number_statistics(values_ND: np.ndarray) -> dict[str, list]:
    """
    Return the statistics of a feature, each a list [D]; a feature of single numbers has D = 1.

    >>> number_statistics(np.array([1.0, 2.0, 3.0]))['mean']
    [2.0]
    """
    values_ND = np.asarray(values_ND).reshape(len(values_ND), -1)
    found = {'min': values_ND.min(axis=0), 'max': values_ND.max(axis=0),
             'mean': values_ND.mean(axis=0, dtype=np.float64),
             'std': values_ND.std(axis=0, dtype=np.float64), 'count': np.array([len(values_ND)])}
    quantiles = np.quantile(values_ND.astype(np.float64), QUANTILES, axis=0)
    found.update(zip(map(_quantile_name, QUANTILES), quantiles))
    return {name: value.tolist() for name, value in found.items()}


class PixelCounts:
    """How often each byte occurs in each channel of a camera's images."""

    def __init__(self):
        self.count_3V, self.frames = np.zeros((3, 256)), 0

    def add(self, image: np.ndarray) -> None:
        """Count an image, RGB uint8 [H, W, 3]."""
        for channel in range(3):
            self.count_3V[channel] += cv2.calcHist([image], [channel], None, [256], [0, 256])[:, 0]
        self.frames += 1

    def merge(self, other: PixelCounts) -> None:
        self.count_3V += other.count_3V
        self.frames += other.frames

    def statistics(self) -> dict[str, list]:
        """Return the statistics, of pixels from 0 to 1, each [3, 1, 1]; count is of frames."""
        value_V, share_3V = np.arange(256) / 255, self.count_3V / self.count_3V.sum(1)[:, None]
        mean_3 = share_3V @ value_V
        variance_3 = (share_3V * np.square(value_V - mean_3[:, None])).sum(1)
        present_3V = self.count_3V > 0
        found = {'min': present_3V.argmax(1) / 255,
                 'max': (255 - present_3V[:, ::-1].argmax(1)) / 255,
                 'mean': mean_3, 'std': np.sqrt(variance_3)}
        below_3V = np.cumsum(share_3V, axis=1)
        for quantile in QUANTILES:
            found[_quantile_name(quantile)] = (below_3V < quantile - 1e-12).sum(1) / 255
        return {'count': [self.frames],
                **{name: value.reshape(3, 1, 1).tolist() for name, value in found.items()}}


def flatten(statistics: Mapping[str, Mapping[str, list]]) -> dict[str, list]:
    """Return the statistics as columns of meta/episodes: ``stats/FEATURE/NAME``."""
    return {f'stats/{feature}/{name}': value
            for feature, values in statistics.items() for name, value in values.items()}
