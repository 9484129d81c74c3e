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
Figures of a shared space: does a query find its match, and how do the vectors lie.

Shapes: Q queries, G gallery, D dimension (E of another space), B samples. Vectors are float32 or
float64, finite, and computed with in float64. Labels are numbers or strings. Whatever doesn't
fit raises a ValueError that names the argument.
"""

from __future__ import annotations

import math

import numpy as np


def rank_of_match(query_QD: np.ndarray, gallery_GD: np.ndarray, query_label_Q: np.ndarray,
                  gallery_label_G: np.ndarray, excluded_QG: np.ndarray | None = None,
                  block: int = 1024) -> np.ndarray:
    """
    Return the rank, from 1, of each query's best-placed match: an item of the same label.

    rank_i = 1 + |{j wrong: q_i . g_j >= max_{m match} q_i . g_m}| (the rank behind recall at k,
    Jegou 2011). Ties are taken pessimistically, so a collapsed space ranks last; scores that
    differ by less than their rounding error are ties. ``excluded_QG`` (bool) leaves items out,
    matches too. Scores are held for ``block`` queries at once. Raises ValueError where a query
    has no match left.

    >>> gallery_GD = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> rank_of_match(np.array([[1.0, 0.0], [0.6, 0.8]]), gallery_GD, [7, 9], [7, 8, 9]).tolist()
    [1, 2]
    """
    query_QD, gallery_GD = checked(query_QD=query_QD, gallery_GD=gallery_GD)
    return within_groups_rank(
        query_QD, gallery_GD, query_label_Q, gallery_label_G,
        np.zeros(len(query_QD)), np.zeros(len(gallery_GD)), excluded_QG, block)


def within_groups_rank(query_QD: np.ndarray, gallery_GD: np.ndarray, query_label_Q: np.ndarray,
                       gallery_label_G: np.ndarray, query_group_Q: np.ndarray,
                       gallery_group_G: np.ndarray, excluded_QG: np.ndarray | None = None,
                       block: int = 1024) -> np.ndarray:
    """
    Return ``rank_of_match`` with each query's gallery restricted to the items of its group.

    rank_i = 1 + |{j wrong, of i's group: q_i . g_j >= max_{m match, of i's group} q_i . g_m}|

    >>> gallery_GD = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> within_groups_rank(np.array([[0.6, 0.8]]), gallery_GD, [9], [7, 8, 9],
    ...                    ['lift'], ['lift', 'push', 'lift']).tolist()
    [1]
    """
    query_QD, gallery_GD = checked(query_QD=query_QD, gallery_GD=gallery_GD)
    _require_count('block', block)
    length = {'Q': len(query_QD), 'G': len(gallery_GD)}
    label_Q, label_G = _codes(
        length, query_label_Q=query_label_Q, gallery_label_G=gallery_label_G)
    group_Q, group_G = _codes(
        length, query_group_Q=query_group_Q, gallery_group_G=gallery_group_G)
    left_out_QG = _mask(excluded_QG, len(query_QD), len(gallery_GD))
    rounding_Q = _rounding(query_QD, gallery_GD)
    rank_Q = np.zeros(len(query_QD), np.int64)
    for start in range(0, len(query_QD), block):
        rows = slice(start, start + block)
        counted_QG = (group_Q[rows, None] == group_G) & ~left_out_QG[rows]
        rank_Q[rows] = _block_rank(query_QD[rows] @ gallery_GD.T, rounding_Q[rows],
                                   label_Q[rows, None] == label_G, counted_QG)
    if not rank_Q.all():
        raise ValueError(f'query_label_Q: query {rank_Q.argmin()} has no match in its gallery')
    return rank_Q


def _block_rank(score_QG, rounding_Q, match_QG, counted_QG) -> np.ndarray:
    """Return the ranks [Q] of some queries, 0 for one without a match."""
    best_Q = np.where(match_QG & counted_QG, score_QG, -np.inf).max(axis=1)
    ahead_QG = score_QG >= (best_Q - rounding_Q)[:, None]
    rank_Q = 1 + (ahead_QG & counted_QG & ~match_QG).sum(axis=1)
    return np.where(np.isneginf(best_Q), 0, rank_Q)


def _rounding(query_QD, gallery_GD) -> np.ndarray:
    """Bound the difference of two equal scores, D eps |q| |g|: Higham 2002, eq. 3.5, twice."""
    largest = np.linalg.norm(gallery_GD, axis=1).max()
    eps = np.finfo(np.float64).eps
    return query_QD.shape[1] * eps * np.linalg.norm(query_QD, axis=1) * largest


def recall(rank_Q: np.ndarray, k: int) -> float:
    """
    Return recall at k, |{i: rank_i <= k}| / Q (Jegou 2011): the share of queries answered.

    >>> recall(np.array([1, 2, 5, 6]), 5)
    0.75
    """
    _require_count('k', k)
    return float((_checked_rank(rank_Q) <= k).mean())


def median_rank(rank_Q: np.ndarray) -> float:
    """
    Return the median of the ranks, the mean of the middle two where Q is even.

    >>> median_rank(np.array([9, 1, 2, 5]))
    3.5
    """
    return float(np.median(_checked_rank(rank_Q)))


def chance_recall(query_label_Q: np.ndarray, gallery_label_G: np.ndarray, k: int,
                  excluded_QG: np.ndarray | None = None) -> float:
    """
    Return the expected recall at k of a random order, mean_i 1 - C(g_i - m_i, k) / C(g_i, k).

    g_i is the size of i's gallery and m_i the number of its matches, both without what
    ``excluded_QG`` (bool) leaves out: the chance that none of k draws without replacement is
    one (hypergeometric distribution), as prod_{n < k} (g_i - m_i - n) / (g_i - n). Raises
    ValueError where a query has no match.

    >>> round(chance_recall(['a'], ['a', 'a', 'b', 'b'], 2), 4)
    0.8333
    """
    _require_count('k', k)
    label_Q, label_G = _codes({}, query_label_Q=query_label_Q, gallery_label_G=gallery_label_G)
    counted_QG = ~_mask(excluded_QG, len(label_Q), len(label_G))
    total_Q = counted_QG.sum(axis=1)
    wrong_Q = (counted_QG & (label_Q[:, None] != label_G)).sum(axis=1)
    if (wrong_Q == total_Q).any():
        raise ValueError(f'query_label_Q: query {(wrong_Q == total_Q).argmax()} has no match in '
                         'its gallery')
    miss_Q = np.ones(len(label_Q))
    for drawn in range(min(k, len(label_G))):  # 0 once, 0 for good
        miss_Q *= np.maximum(wrong_Q - drawn, 0) / np.maximum(total_Q - drawn, 1)
    return float((1 - miss_Q).mean())


def alignment(x_BD: np.ndarray, y_BD: np.ndarray) -> float:
    """
    Return mean_i |x_i - y_i|^2 of matched pairs: lower is closer (Wang & Isola 2020, 4.1).

    >>> alignment(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    1.0
    """
    x_BD, y_BD = checked(x_BD=x_BD, y_BD=y_BD)
    return float(np.square(x_BD - y_BD).sum(axis=1).mean())


def uniformity(x_BD: np.ndarray, t: float = 2.0) -> float:
    """
    Return log mean_{i<j} exp(-t |x_i - x_j|^2): 0 if collapsed, lower is more spread out.

    Wang & Isola 2020, section 4.1. Needs two samples.

    >>> uniformity(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    -8.0
    """
    x_BD, = checked(x_BD=x_BD)
    count = len(x_BD)
    if count < 2:
        raise ValueError('x_BD: 1 sample, expected at least 2')
    if not (t > 0 and math.isfinite(t)):
        raise ValueError(f't: {t}, expected a finite number above 0')
    log_sums = [np.logaddexp.reduce(-t * np.square(x_BD[i + 1:] - x_BD[i]).sum(axis=1))
                for i in range(count - 1)]
    return float(np.logaddexp.reduce(log_sums) - math.log(count * (count - 1) / 2))


def modality_gap(x_BD: np.ndarray, y_BD: np.ndarray) -> float:
    """
    Return |mean_i x_i - mean_i y_i|, how far apart two modalities lie (Liang 2022, Mind the Gap).

    >>> modality_gap(np.array([[3.0, 1.0], [3.0, -1.0]]), np.array([[0.0, 4.0], [0.0, 4.0]]))
    5.0
    """
    x_BD, y_BD = checked(x_BD=x_BD, y_BD=y_BD)
    return float(np.linalg.norm(x_BD.mean(axis=0) - y_BD.mean(axis=0)))


def linear_cka(x_BD: np.ndarray, y_BE: np.ndarray) -> float:
    """
    Return linear centred kernel alignment, |Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F), in [0, 1].

    X and Y have their means taken off (Kornblith 2019, section 3); 1 where they are the same
    up to rotation and scale. Raises ValueError where all samples are equal.

    >>> x_BD = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(linear_cka(x_BD, x_BD[:, :1]), 4), round(linear_cka(x_BD, 3 * x_BD[:, ::-1]), 4)
    (0.7071, 1.0)
    """
    x_BD, y_BE = checked(x_BD=x_BD, y_BE=y_BE)
    for name, z in (('x_BD', x_BD), ('y_BE', y_BE)):
        if (z == z[0]).all():
            raise ValueError(f'{name}: all samples are equal, expected at least two that differ')
    x_BD, y_BE = x_BD - x_BD.mean(axis=0), y_BE - y_BE.mean(axis=0)
    own = np.linalg.norm(x_BD.T @ x_BD) * np.linalg.norm(y_BE.T @ y_BE)
    return float(np.square(y_BE.T @ x_BD).sum() / own)


def principal_map(z_BD: np.ndarray, fitted_GD: np.ndarray | None = None) -> np.ndarray:
    """
    Return the map [B, 2] of samples along two principal components, Z V_2 where Z = U S V^T.

    Z has its mean taken off (Jolliffe 2002, section 3.5). The components are those of
    ``fitted_GD``, and so is the mean, by default of ``z_BD`` itself. A component's sign is the
    one that makes its largest loading positive, the first of equally large ones: maps of the
    same space are not mirrored. Needs two samples and two dimensions.

    >>> principal_map(np.array([[-4.0, 0.0], [4.0, 0.0], [0.0, -1.0], [0.0, 1.0]])).tolist()
    [[-4.0, 0.0], [4.0, 0.0], [0.0, -1.0], [0.0, 1.0]]
    """
    name, fitted_GD = ('z_BD', z_BD) if fitted_GD is None else ('fitted_GD', fitted_GD)
    z_BD, fitted_GD = checked(z_BD=z_BD, fitted_GD=fitted_GD)
    if min(fitted_GD.shape) < 2:
        raise ValueError(f'{name}: shape {fitted_GD.shape}, expected at least 2 samples and '
                         'dimensions')
    mean_D = fitted_GD.mean(axis=0)
    loading_2D = np.linalg.svd(fitted_GD - mean_D, full_matrices=False)[2][:2]
    size_2D = np.abs(loading_2D)
    largest_2 = (size_2D > (1 - 1e-9) * size_2D.max(axis=1, keepdims=True)).argmax(axis=1)
    return (z_BD - mean_D) @ (loading_2D * np.sign(loading_2D[[0, 1], largest_2])[:, None]).T


def checked(**arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """
    Return arrays in float64 if they have the axes that their names' suffixes spell out.

    Axes of one letter have one length. Raises ValueError naming an array that is empty, not
    finite, not of numbers or not of that shape.

    >>> checked(x_BD=np.zeros((3, 2)), y_BD=np.zeros((3, 4)))
    Traceback (most recent call last):
    ValueError: y_BD: D = 4, expected 2 as in x_BD
    """
    first: dict[str, tuple[int, str]] = {}
    found = []
    for name, values in arrays.items():
        axes, array = name.rpartition('_')[2], np.asarray(values)
        if array.dtype.kind not in 'fiu' or array.ndim != len(axes) or not array.size:
            raise ValueError(f'{name}: {array.dtype} of shape {array.shape}, expected numbers '
                             f'[{", ".join(axes)}], not empty')
        if not np.isfinite(array).all():
            raise ValueError(f'{name}: has NaN or infinite values, expected finite ones')
        for axis, size in zip(axes, array.shape):
            expected, where = first.setdefault(axis, (size, name))
            if size != expected:
                raise ValueError(f'{name}: {axis} = {size}, expected {expected} as in {where}')
        found.append(array.astype(np.float64))
    return tuple(found)


def _codes(length: dict[str, int], **labels: np.ndarray) -> list[np.ndarray]:
    """Return integers that are equal where the labels are; 1 and '1' are not."""
    code: dict = {}
    found = []
    for name, values in labels.items():
        label = np.asarray(values)
        expected = length.get(name[-1], label.size)
        if label.shape != (expected,) or not label.size:
            raise ValueError(f'{name}: shape {label.shape}, expected ({expected or 1},)')
        if (label != label).any():
            raise ValueError(f'{name}: has NaN, expected a label for each')
        found.append(np.array([code.setdefault(each, len(code)) for each in label.tolist()]))
    return found


def _mask(excluded_QG: np.ndarray | None, queries: int, gallery: int) -> np.ndarray:
    if excluded_QG is None:
        return np.broadcast_to(False, (queries, gallery))
    excluded_QG = np.asarray(excluded_QG)
    if excluded_QG.dtype != bool or excluded_QG.shape != (queries, gallery):
        raise ValueError(f'excluded_QG: {excluded_QG.dtype} of shape {excluded_QG.shape}, '
                         f'expected bool of shape {(queries, gallery)}')
    return excluded_QG


def _checked_rank(rank_Q: np.ndarray) -> np.ndarray:
    rank_Q = np.asarray(rank_Q)
    if rank_Q.dtype.kind not in 'iu' or rank_Q.ndim != 1 or not rank_Q.size or rank_Q.min() < 1:
        raise ValueError('rank_Q: expected integers from 1, [Q], not empty; got '
                         f'{rank_Q.dtype} of shape {rank_Q.shape}')
    return rank_Q


def _require_count(name: str, count: int) -> None:
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError(f'{name}: {count!r}, expected an integer from 1')
