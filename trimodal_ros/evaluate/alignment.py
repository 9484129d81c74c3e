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
How good a shared space is: retrieval in every direction, geometry, and predicted actions.

Shapes: N moments, X values of a flat motion, J joints.
"""

from __future__ import annotations

import numpy as np

from .action import chunk_errors, gripper_accuracy, within_tolerance
from .gallery import Gallery, MODALITIES
from .space import (
    alignment,
    chance_recall,
    linear_cka,
    median_rank,
    modality_gap,
    rank_of_match,
    recall,
    uniformity,
    within_groups_rank,
)
from ..plan.policy import Policy
from ..train.objective import DUPLICATE_TOLERANCE

AT = (1, 5, 10)
TOLERANCE_RAD = 0.05
PAIRS = (('vision', 'language'), ('language', 'action'), ('vision', 'action'),
         ('vision_language', 'action'))
# Query, gallery, and what a match is: a moment told the same, or the moment itself.
DIRECTIONS = {
    'V->L': ('vision', 'language', 'instruction'), 'L->V': ('language', 'vision', 'instruction'),
    'L->A': ('language', 'action', 'instruction'), 'A->L': ('action', 'language', 'instruction'),
    'V->A': ('vision', 'action', 'moment'), 'A->V': ('action', 'vision', 'moment'),
    '(V,L)->A': ('vision_language', 'action', 'moment'),
    '(V,A)->L': ('vision_action', 'language', 'instruction'),
    '(L,A)->V': ('language_action', 'vision', 'moment')}
WITHIN_TASK = {'V->A': ('vision', 'action'), 'A->V': ('action', 'vision')}
THIRDS = ('first third', 'middle third', 'last third')


def measure(policy: Policy, gallery: Gallery) -> dict:
    """Return all figures of a space, plain data."""
    near_NN = near_duplicates(gallery.motion_NX, DUPLICATE_TOLERANCE)
    return {'moments': len(gallery.group_N), 'episodes': gallery.episodes,
            'instructions': gallery.told,
            'retrieval': {name: retrieval(gallery, name, near_NN) for name in DIRECTIONS},
            'within_task': {name: within_task(gallery, name, near_NN) for name in WITHIN_TASK},
            'geometry': geometry(gallery), 'action': action_figures(policy, gallery)}


def near_duplicates(motion_NX: np.ndarray, tolerance: float) -> np.ndarray:
    """
    Return [N, N], True where two motions differ by less than ``tolerance`` on average.

    A moment is not counted as its own duplicate.

    >>> near_duplicates(np.array([[0.0], [0.01], [1.0]]), 0.02).tolist()[0]
    [False, True, False]
    """
    near_NN = np.stack([np.abs(motion_NX - row_X).mean(axis=1) < tolerance
                        for row_X in motion_NX])
    np.fill_diagonal(near_NN, False)
    return near_NN


def retrieval(gallery: Gallery, direction: str, near_NN: np.ndarray) -> dict:
    """
    Return recall at 1, 5 and 10, its chance level, the median rank, and recall at 1 by thirds.

    Where a match is the moment itself, moments of nearly the same motion are left out: they
    are no mistakes.
    """
    query, found, match = DIRECTIONS[direction]
    label_N, excluded_NN = ((gallery.group_N, None) if match == 'instruction'
                            else (np.arange(len(gallery.group_N)), near_NN))
    rank_N = rank_of_match(gallery.z[query], gallery.z[found], label_N, label_N, excluded_NN)
    third_N = (3 * gallery.progress_N).astype(int)
    return {'match': match, **_recalls(rank_N, label_N, excluded_NN),
            'recall_at_1_by_progress': {
                name: recall(rank_N[third_N == third], 1) if (third_N == third).any() else None
                for third, name in enumerate(THIRDS)}}


def _recalls(rank_N: np.ndarray, label_N: np.ndarray, excluded_NN: np.ndarray | None) -> dict:
    return {**{f'recall_at_{k}': recall(rank_N, k) for k in AT},
            **{f'chance_at_{k}': chance_recall(label_N, label_N, k, excluded_NN) for k in AT},
            'median_rank': median_rank(rank_N)}


def within_task(gallery: Gallery, direction: str, near_NN: np.ndarray) -> dict:
    """Return recall, chance and median rank of the moment itself among those told the same."""
    query, found = WITHIN_TASK[direction]
    group_N, itself_N = gallery.group_N, np.arange(len(gallery.group_N))
    rank_N = within_groups_rank(gallery.z[query], gallery.z[found], itself_N, itself_N,
                                group_N, group_N, near_NN)
    return {'match': 'moment',
            **_recalls(rank_N, itself_N, near_NN | (group_N[:, None] != group_N))}


def geometry(gallery: Gallery) -> dict:
    """Return alignment, gap and CKA of each pair of modalities, uniformity of each."""
    z = gallery.z
    pairs = {f'{first}-{second}': {
        'alignment': alignment(z[first], z[second]),
        'modality_gap': modality_gap(z[first], z[second]),
        'linear_cka': linear_cka(z[first], z[second])} for first, second in PAIRS}
    return {'pairs': pairs, 'uniformity': {name: uniformity(z[name]) for name in MODALITIES}}


def action_figures(policy: Policy, gallery: Gallery) -> dict:
    """Return how far predicted chunks are off; a gripper is open above the middle of its range."""
    robot, middle_J = policy.robot, policy.statistics.chunk_offset
    grippers = {robot.joint_names[j]: gripper_accuracy(
        gallery.predicted_NTJ[..., j], gallery.target_NTJ[..., j], middle_J[j])
        for j in np.flatnonzero(robot.is_gripper_J)}
    return {**chunk_errors(gallery.predicted_NTJ, gallery.target_NTJ, robot.joint_names),
            'tolerance_rad': TOLERANCE_RAD, 'within_tolerance': within_tolerance(
                gallery.predicted_NTJ, gallery.target_NTJ, TOLERANCE_RAD),
            'gripper_accuracy': grippers}
