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
Is one checkpoint better than another? Paired differences with bootstrap intervals.

Shapes: C clusters, M measures, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .catalogue import MEASURES, PRIMARY, STILL
from .clusters import Clusters, Totals
from .result import Compared, Comparison, Verdict

LEAST_EPISODES = 8    # fewer are no sample: then stretches of time are resampled
RESAMPLES = 2000
SEED = 0
NOTHING = (0.0, 0.0)   # sum and count


def compare(episodes: Sequence[tuple[Clusters, Clusters]]) -> Comparison:
    """
    Compare two policies by what came of them in each episode: the one's, and the baseline's.

    Whole episodes are resampled, since what happens in one hangs together (the cluster bootstrap:
    Davison and Hinkley 1997, 3.8); of less than LEAST_EPISODES stretches of time.
    """
    episodes = [pair for pair in episodes if all(pair)]
    by_episode = len(episodes) >= LEAST_EPISODES
    pairs = [tuple(clusters.whole() for clusters in pair) for pair in episodes] if by_episode \
        else [pair for one, other in episodes for pair in one.paired(other)]
    return _comparison(pairs, by_episode)


def compare_still(episodes: Sequence[Clusters]) -> Comparison:
    """Compare a policy's action error with that of plans that never move, as ``compare`` does."""
    episodes = [clusters for clusters in episodes if clusters]
    by_episode = len(episodes) >= LEAST_EPISODES
    parts = [totals for clusters in episodes for totals in (
        [clusters.whole()] if by_episode else [one for one, _ in clusters.paired(clusters)])]
    return _comparison([({PRIMARY: totals.get(PRIMARY, NOTHING)},
                         {PRIMARY: totals.get(STILL, NOTHING)}) for totals in parts], by_episode)


def _comparison(pairs: Sequence[tuple[Totals, Totals]], by_episode: bool) -> Comparison:
    measures = {}
    for name in MEASURES:
        known = [[totals.get(name, NOTHING) for totals in pair] for pair in pairs]
        if known and all(sum(row[side][1] for row in known) for side in (0, 1)):
            sums_C2, counts_C2 = np.moveaxis(np.array(known, dtype=np.float64), 2, 0)
            measures[name] = paired(sums_C2, counts_C2, MEASURES[name].better)
    verdict = measures[PRIMARY].verdict if PRIMARY in measures else 'no difference shown'
    return Comparison(verdict, 'episodes' if by_episode else 'stretches of 10 s', len(pairs),
                      measures)


def paired(sums_C2: np.ndarray, counts_C2: np.ndarray, better: str) -> Compared:
    """
    Return the means of both, their difference and its 95 % interval (percentile bootstrap).

    Both sides of a cluster are drawn together (Efron and Tibshirani 1993, 8.3).

    >>> sums_C2 = np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])
    >>> compared = paired(sums_C2, np.ones((3, 2)), 'lower')
    >>> round(compared.low, 6), round(compared.high, 6), compared.verdict
    (-1.0, -1.0, 'better')
    """
    value, baseline = sums_C2.sum(axis=0) / counts_C2.sum(axis=0)
    difference, clusters = float(value - baseline), len(sums_C2)
    if clusters < 2:
        return Compared(float(value), float(baseline), difference, None, None,
                        'no difference shown')
    drawn_RC = np.random.default_rng(SEED).integers(clusters, size=(RESAMPLES, clusters))
    with np.errstate(invalid='ignore', divide='ignore'):
        mean_R2 = sums_C2[drawn_RC].sum(axis=1) / counts_C2[drawn_RC].sum(axis=1)
    difference_R = mean_R2[:, 0] - mean_R2[:, 1]
    low, high = np.percentile(difference_R[np.isfinite(difference_R)], [2.5, 97.5])
    return Compared(float(value), float(baseline), difference, float(low), float(high),
                    verdict_of(float(low), float(high), better))


def worse_by(compared: Compared, better: str) -> tuple[float, float] | None:
    """
    Return the interval of how much worse it is than the baseline; None where there is no interval.

    >>> worse_by(Compared(0.5, 0.75, -0.25, -0.5, 0.125, 'no difference shown'), 'higher')
    (-0.125, 0.5)
    """
    if compared.low is None or compared.high is None:
        return None
    return (compared.low, compared.high) if better == 'lower' else (-compared.high, -compared.low)


def verdict_of(low: float, high: float, better: str) -> Verdict:
    """
    Say which of two is better by the interval of their difference.

    >>> verdict_of(-0.2, -0.1, 'lower'), verdict_of(-0.2, 0.1, 'lower')
    ('better', 'no difference shown')
    """
    if low <= 0 <= high or not better:
        return 'no difference shown'
    return 'better' if (high < 0) == (better == 'lower') else 'worse'
