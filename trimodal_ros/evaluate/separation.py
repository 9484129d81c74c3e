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
How well a number tells good from bad: AUROC, with an interval over episodes.

Shapes: N good values, M bad values, E episodes, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
FALSE_ALARMS = 0.01


def auroc(good_N: Sequence[float], bad_M: Sequence[float]) -> float:
    """
    Return how likely a good value is above a bad one; a tie counts half.

    The area under the ROC curve (Fawcett 2006, section 8; Mann-Whitney's U / (N M)): 1 tells all,
    0.5 nothing, below that good ones are rather lower. Raises ValueError where one side is empty.

    >>> auroc([0.9, 0.8, 0.3], [0.3, 0.1])
    0.9166666666666666
    """
    if not (len(good_N) and len(bad_M)):
        raise ValueError(f'{len(good_N)} good and {len(bad_M)} bad values, expected some of each')
    return float(_wins([good_N], [bad_M])[0, 0] / (len(good_N) * len(bad_M)))


def separation(good: Sequence[Sequence[float]], bad: Sequence[Sequence[float]],
               resamples: int = RESAMPLES, seed: int = 0) -> dict | None:
    """
    Return the AUROC of episodes' good and bad values with its 95 % percentile interval.

    ``good[e]`` and ``bad[e]`` are those of episode e, either may be empty. Values of one episode
    are alike, so whole episodes are drawn with replacement (the cluster bootstrap, Field & Welsh
    2007): those with good values only, with bad only and with both each among themselves.
    ``caught`` is the share of bad values below the 1 % quantile of the good, an alarm's threshold
    with that many false ones. None where no value is good or none is bad. Raises ValueError for
    unequal numbers of episodes.

    >>> separation([[2.0], [3.0], []], [[], [], [1.0, 2.5]])['auroc']
    0.75
    """
    if len(good) != len(bad):
        raise ValueError(f'good values of {len(good)} episodes, bad values of {len(bad)}')
    goods_E, bads_E = (np.array([len(values) for values in side], float) for side in (good, bad))
    if not (goods_E.any() and bads_E.any()):
        return None
    wins_EE = _wins(good, bad)
    drawn_RE = _draw(goods_E > 0, bads_E > 0, resamples, seed)
    wins_R = ((drawn_RE @ wins_EE) * drawn_RE).sum(axis=1)
    low, high = np.quantile(wins_R / ((drawn_RE @ goods_E) * (drawn_RE @ bads_E)), (0.025, 0.975))
    return {'auroc': float(wins_EE.sum() / (goods_E.sum() * bads_E.sum())),
            'interval_95': [float(low), float(high)], 'caught': _caught(good, bad),
            'good': int(goods_E.sum()), 'bad': int(bads_E.sum())}


def _caught(good: Sequence[Sequence[float]], bad: Sequence[Sequence[float]]) -> float:
    threshold = np.quantile(np.concatenate(good), FALSE_ALARMS)
    return float((np.concatenate(bad) < threshold).mean())


def _wins(good: Sequence[Sequence[float]], bad: Sequence[Sequence[float]]) -> np.ndarray:
    """Return [E, F], how many pairs of good values of e and bad values of f are in order."""
    bad_M, ends_F = np.concatenate([np.asarray(values, float) for values in bad]), _ends(bad)
    wins_EF = np.zeros((len(good), len(bad)))
    for row_F, values in zip(wins_EF, good):
        good_N1 = np.reshape(values, (-1, 1))
        above_M = ((good_N1 > bad_M) + 0.5 * (good_N1 == bad_M)).sum(axis=0)
        row_F[:] = np.diff(np.concatenate([[0.0], above_M.cumsum()])[ends_F])
    return wins_EF


def _ends(groups: Sequence[Sequence[float]]) -> np.ndarray:
    return np.cumsum([0, *map(len, groups)])


def _draw(has_good_E: np.ndarray, has_bad_E: np.ndarray, resamples: int,
          seed: int) -> np.ndarray:
    """Return [R, E], how often each episode is drawn."""
    rng, drawn_RE = np.random.default_rng(seed), np.zeros((resamples, len(has_good_E)))
    kind_E = 2 * has_good_E + has_bad_E
    for kind in np.unique(kind_E):
        mine, = np.nonzero(kind_E == kind)
        drawn_RE[:, mine] = rng.multinomial(len(mine), np.full(len(mine), 1 / len(mine)),
                                            resamples)
    return drawn_RE
