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

"""Each fast figure against the slow obvious one; Q, G, B, D, T, J differ wherever they may."""

from fractions import Fraction
from itertools import permutations
import math

import numpy as np
import pytest
from vectors import dot, normal

from trimodal_ros.evaluate.action import chunk_errors, gripper_accuracy, within_tolerance
from trimodal_ros.evaluate.space import (
    alignment,
    chance_recall,
    checked,
    linear_cka,
    median_rank,
    modality_gap,
    principal_map,
    rank_of_match,
    recall,
    uniformity,
    within_groups_rank,
)


def slow_rank(query_QD, gallery_GD, label_Q, label_G, counts):
    """Sort a query's gallery by score, wrong items first among equals; look for the first."""
    ranks = []
    for i, query_D in enumerate(query_QD):
        order = sorted((-dot(query_D, gallery_GD[j]), label_Q[i] == label_G[j])
                       for j in range(len(gallery_GD)) if counts(i, j))
        ranks.append(1 + [is_match for _, is_match in order].index(True))
    return ranks


def retrieval(queries=11, gallery=17, seed=0):
    """Return queries, gallery, labels, of which several items have the same, and exclusions."""
    rng = np.random.default_rng(seed)
    label_Q, label_G = rng.integers(0, 4, queries), rng.integers(0, 4, gallery)
    excluded_QG = rng.random((queries, gallery)) < 0.3
    for i in range(queries):
        excluded_QG[i, np.flatnonzero(label_G == label_Q[i])[0]] = False
    return (rng.normal(size=(queries, 5)), rng.normal(size=(gallery, 5)), label_Q, label_G,
            excluded_QG)


@pytest.mark.parametrize('queries, gallery', [(11, 17), (17, 11), (1, 9), (12, 12)])
@pytest.mark.parametrize('block', [1, 4, 1024])
def test_rank_is_the_slow_one(queries, gallery, block):
    """Catches a wrong transpose or sign, other matches counted as wrong, a lost last block."""
    query_QD, gallery_GD, label_Q, label_G, _ = retrieval(queries, gallery)
    fast = rank_of_match(query_QD, gallery_GD, label_Q, label_G, block=block)
    assert fast.tolist() == slow_rank(query_QD, gallery_GD, label_Q, label_G, lambda i, j: True)
    assert len(set(fast.tolist())) > 1 or queries == 1


@pytest.mark.parametrize('queries, gallery', [(11, 17), (17, 11), (12, 12)])
@pytest.mark.parametrize('block', [3, 1024])
def test_rank_leaves_out_what_is_excluded(queries, gallery, block):
    """Catches a mask inverted, transposed, not cut to the block, or kept off the matches."""
    query_QD, gallery_GD, label_Q, label_G, excluded_QG = retrieval(queries, gallery)
    fast = rank_of_match(query_QD, gallery_GD, label_Q, label_G, excluded_QG, block)
    slow = slow_rank(query_QD, gallery_GD, label_Q, label_G,
                     lambda i, j: not excluded_QG[i, j])
    assert fast.tolist() == slow
    assert slow != rank_of_match(query_QD, gallery_GD, label_Q, label_G).tolist()


@pytest.mark.parametrize('queries, gallery', [(11, 29), (29, 17), (12, 12)])
@pytest.mark.parametrize('block', [4, 1024])
@pytest.mark.parametrize('masked', [False, True])
def test_rank_within_groups_is_the_slow_one(queries, gallery, block, masked):
    """Catches groups mixed up with labels, the other way round, or instead of the mask."""
    query_QD, gallery_GD, label_Q, _, excluded_QG = retrieval(queries, gallery)
    names, label_G = np.array(['lift', 'push']), np.arange(gallery) % 4
    group_Q, group_G = names[np.arange(queries) % 2], names[np.arange(gallery) // 4 % 2]
    for i in range(queries):
        match_G = (label_G == label_Q[i]) & (group_G == group_Q[i])
        excluded_QG[i, np.flatnonzero(match_G)[0]] = False
    fast = within_groups_rank(query_QD, gallery_GD, label_Q, label_G, group_Q, group_G,
                              excluded_QG if masked else None, block)
    assert fast.tolist() == slow_rank(
        query_QD, gallery_GD, label_Q, label_G,
        lambda i, j: group_Q[i] == group_G[j] and not (masked and excluded_QG[i, j]))


def test_ties_are_pessimistic():
    """Catches a collapsed space that looks perfect: wrong items of an equal score come first."""
    same_GD = np.ones((6, 3))
    assert rank_of_match(same_GD[:2], same_GD, [0, 1], [0, 0, 1, 2, 2, 2]).tolist() == [5, 6]
    assert rank_of_match(np.zeros((1, 3)), normal(6, 3), [0], np.arange(6)).tolist() == [6]
    query_QD, gallery_GD = np.array([[1.0, 0.0]]), np.array([[2.0, 5.0], [2.0, 1.0], [1.0, 0.0]])
    assert rank_of_match(query_QD, gallery_GD, [0], [0, 1, 1]).tolist() == [2]


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('block', [1, 3, 1024])
def test_twins_are_ties_in_any_block(dtype, block):
    """Catches equal items told apart by how a matrix product is rounded in their place."""
    half_GD = normal(19, 37).astype(dtype)
    gallery_GD = np.concatenate([half_GD, half_GD, half_GD])
    label_G = np.r_[np.arange(19), np.full(38, 99)]
    rank_Q = rank_of_match(half_GD, gallery_GD, np.arange(19), label_G, block=block)
    slow = slow_rank(half_GD, gallery_GD, np.arange(19), label_G, lambda i, j: True)
    assert rank_Q.tolist() == slow and min(slow) == 3


def test_rounding_is_no_excuse():
    """Catches a tolerance so wide that float32 neighbours, 6e-8 apart, become ties."""
    near = np.nextafter(np.float32(1), np.float32(0))
    gallery_GD = np.array([[1.0, 0.0], [near, 0.0]], np.float32)
    query_QD = np.array([[1.0, 0.0]], np.float32)
    assert rank_of_match(query_QD, gallery_GD, [0], [0, 1]).tolist() == [1]
    assert rank_of_match(query_QD, gallery_GD, [1], [0, 1]).tolist() == [2]


def test_a_query_without_a_match_is_refused():
    """Catches a query counted as a miss, or as a hit, that could not have been answered."""
    query_QD, gallery_GD = normal(3, 2), normal(4, 2)
    with pytest.raises(ValueError, match='query_label_Q: query 2'):
        rank_of_match(query_QD, gallery_GD, [0, 1, 7], [0, 1, 2, 3])
    with pytest.raises(ValueError, match='query_label_Q: query 0'):
        rank_of_match(query_QD, gallery_GD, [0, 1, 2], [0, 1, 2, 3], np.eye(3, 4) == 1)
    with pytest.raises(ValueError, match='query_label_Q: query 1'):
        within_groups_rank(query_QD, gallery_GD, [0, 1, 2], [0, 1, 2, 3], [5, 5, 6], [5, 6, 6, 6])
    with pytest.raises(ValueError, match='query_label_Q: query 1'):
        chance_recall(['1', 'x'], ['1', 'y'], 1)
    with pytest.raises(ValueError, match='query_label_Q: query 1'):
        chance_recall([0, 1], [0, 1], 1, np.array([[0, 0], [0, 1]], bool))


def test_labels_of_another_kind_do_not_match():
    """Catches labels compared as text, where 1 and '1' are the same."""
    with pytest.raises(ValueError, match='query_label_Q: query 0'):
        rank_of_match(normal(1, 2), normal(2, 2), [1], ['1', '2'])


@pytest.mark.parametrize('k', [1, 3, 10, 50])
def test_recall_and_median_are_the_slow_ones(k):
    """Catches < for <=, a percentage for a share, a median of unsorted ranks."""
    for count in (40, 41):
        rank_Q = np.random.default_rng(1).integers(1, 20, count)
        assert recall(rank_Q, k) == sum(1 for rank in rank_Q if rank <= k) / count
        ordered = sorted(rank_Q.tolist())
        assert median_rank(rank_Q) == (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


@pytest.mark.parametrize('k', [1, 2, 3, 6, 9])
def test_chance_is_the_mean_over_all_orders(k):
    """Catches draws with replacement, and matches counted in the queries or once for all."""
    label_Q, label_G = ['b', 'a', 'b', 'c'], ['a', 'b', 'b', 'c', 'b', 'd']
    hits = [label in order[:k] for order in permutations(label_G) for label in label_Q]
    assert chance_recall(label_Q, label_G, k) == pytest.approx(sum(hits) / len(hits), abs=1e-12)


@pytest.mark.parametrize('k', [1, 2, 4, 9])
def test_chance_leaves_out_what_is_excluded(k):
    """Catches a mask inverted, transposed, kept off the matches, or k beyond what is left."""
    label_Q, label_G = ['b', 'a', 'c'], ['a', 'b', 'b', 'c', 'b']
    excluded_QG = np.array([[0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 0, 1]], bool)
    expected = []
    for label, excluded_G in zip(label_Q, excluded_QG):
        left = [each for each, out in zip(label_G, excluded_G) if not out]
        hits = [label in order[:k] for order in permutations(left)]
        expected.append(sum(hits) / len(hits))
    assert chance_recall(label_Q, label_G, k, excluded_QG) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize('k', [1, 10, 900])
def test_chance_in_a_large_gallery_is_exact(k):
    """Catches binomials that overflow, or are rounded away."""
    label_G = np.r_[np.arange(5000), np.zeros(700, int)]
    miss = [Fraction(math.comb(5700 - m, k), math.comb(5700, k)) for m in (701, 1, 1)]
    exact = float(1 - sum(miss) / 3)
    assert chance_recall([0, 1, 4999], label_G, k) == pytest.approx(exact, rel=1e-9)


def test_random_vectors_are_at_chance():
    """Catches a rank and a chance level that don't mean the same."""
    label = np.arange(2000) // 2
    rank_Q = rank_of_match(normal(2000, 8), normal(2000, 8, seed=1), label, label)
    chance = chance_recall(label, label, 100)
    assert abs(recall(rank_Q, 100) - chance) < 4 * math.sqrt(chance * (1 - chance) / 1000)


Z, NAN = np.eye(3), np.array([[np.nan, 1, 0], [0, 1, 0], [0, 0, 1]])
NAMES = ['shoulder', 'elbow', 'gripper']
CHUNK = np.zeros((2, 4, 3))


@pytest.mark.parametrize('argument, call', [
    ('query_QD', lambda: rank_of_match(NAN, Z, [0, 1, 2], [0, 1, 2])),
    ('query_QD', lambda: rank_of_match(Z[:0], Z, [], [0, 1, 2])),
    ('query_QD', lambda: rank_of_match(Z[0], Z, [0], [0, 1, 2])),
    ('query_QD', lambda: rank_of_match(Z * 1j, Z, [0, 1, 2], [0, 1, 2])),
    ('gallery_GD', lambda: rank_of_match(Z, Z[:, :2], [0, 1, 2], [0, 1, 2])),
    ('gallery_GD', lambda: rank_of_match(Z, Z[:0], [0, 1, 2], [])),
    ('gallery_GD', lambda: rank_of_match(Z, Z / [1, 1, np.nan], [0, 1, 2], [0, 1, 2])),
    ('query_label_Q', lambda: rank_of_match(Z, Z, [0, 1], [0, 1, 2])),
    ('gallery_label_G', lambda: rank_of_match(Z, Z, [0, 1, 2], [0, 1, 2, 3])),
    ('gallery_label_G', lambda: rank_of_match(Z, Z, [0, 1, 2], [[0, 1, 2]])),
    ('gallery_label_G', lambda: rank_of_match(Z, Z, [0, 1, 2], [0, 1, np.nan])),
    ('excluded_QG', lambda: rank_of_match(Z, Z[:2], [0, 0, 1], [0, 1], np.zeros((2, 3), bool))),
    ('excluded_QG', lambda: rank_of_match(Z, Z, [0, 1, 2], [0, 1, 2], np.zeros((3, 3)))),
    ('block', lambda: rank_of_match(Z, Z, [0, 1, 2], [0, 1, 2], block=0)),
    ('query_group_Q', lambda: within_groups_rank(Z, Z, [0, 1, 2], [0, 1, 2], [0], [0, 0, 0])),
    ('gallery_group_G', lambda: within_groups_rank(Z, Z, [0, 1, 2], [0, 1, 2], [0, 0, 0], [])),
    ('rank_Q', lambda: recall([0, 1], 1)),
    ('rank_Q', lambda: recall([], 1)),
    ('rank_Q', lambda: median_rank([1.0, np.nan])),
    ('k', lambda: recall([1, 2], 0)),
    ('k', lambda: chance_recall([0], [0], 1.5)),
    ('query_label_Q', lambda: chance_recall([], [0], 1)),
    ('gallery_label_G', lambda: chance_recall([0], [], 1)),
    ('excluded_QG', lambda: chance_recall([0], [0, 1], 1, np.zeros((2, 1), bool))),
    ('y_BD', lambda: alignment(Z, Z[:2])),
    ('x_BD', lambda: alignment(NAN, Z)),
    ('x_BD', lambda: uniformity(Z[:1])),
    ('t', lambda: uniformity(Z, 0.0)),
    ('t', lambda: uniformity(Z, np.nan)),
    ('y_BD', lambda: modality_gap(Z, Z[:, :2])),
    ('y_BE', lambda: linear_cka(Z, Z[:2])),
    ('y_BE', lambda: linear_cka(Z, np.full((3, 2), 0.1))),
    ('z_BD', lambda: principal_map(Z[:1])),
    ('z_BD', lambda: principal_map(Z[:, :1])),
    ('fitted_GD', lambda: principal_map(Z, Z[:1])),
    ('fitted_GD', lambda: principal_map(Z, Z[:, :2])),
    ('target_BTJ', lambda: chunk_errors(CHUNK, CHUNK[:, :3], NAMES)),
    ('predicted_BTJ', lambda: chunk_errors(CHUNK[0], CHUNK[0], NAMES)),
    ('predicted_BTJ', lambda: chunk_errors(CHUNK[:0], CHUNK[:0], NAMES)),
    ('joint_names', lambda: chunk_errors(CHUNK, CHUNK, NAMES[:2])),
    ('joint_names', lambda: chunk_errors(CHUNK, CHUNK, ['elbow', 'elbow', 'gripper'])),
    ('target_BTJ', lambda: within_tolerance(CHUNK, CHUNK * np.nan, 0.1)),
    ('tolerance_rad', lambda: within_tolerance(CHUNK, CHUNK, -0.1)),
    ('tolerance_rad', lambda: within_tolerance(CHUNK, CHUNK, np.nan)),
    ('target_BT', lambda: gripper_accuracy(CHUNK[0], CHUNK[0, :3], 0.1)),
    ('threshold_rad', lambda: gripper_accuracy(CHUNK[0], CHUNK[0], np.inf)),
])
def test_what_does_not_fit_is_refused_by_name(argument, call):
    """Catches silent broadcasting and NaN, and an error that doesn't say which argument."""
    with pytest.raises(ValueError, match=f'^{argument}: '):
        call()


def test_checked_computes_in_float64():
    """Catches sums in float32, and a caller's array changed in place."""
    given_BD = np.ones((2, 3), np.float32)
    found_BD, = checked(x_BD=given_BD)
    found_BD[0] = 5
    assert found_BD.dtype == np.float64 and given_BD.sum() == 6
