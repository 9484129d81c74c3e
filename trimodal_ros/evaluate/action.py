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
Figures of action prediction: how far predicted chunks lie from what was commanded.

Shapes: B samples, T steps, J joints. Positions are in rad; whatever doesn't fit raises a
ValueError that names the argument.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from .space import checked


def chunk_errors(predicted_BTJ: np.ndarray, target_BTJ: np.ndarray,
                 joint_names: Sequence[str]) -> dict:
    """
    Return the mean absolute error, mean |p - t| in rad: overall, by joint name and by step.

    The L1 error of a chunk (Zhao 2023, ACT, section IV), averaged over the other axes.

    >>> errors = chunk_errors(np.array([[[1.0, 0.0], [2.0, 0.5]]]), np.zeros((1, 2, 2)),
    ...                       ['elbow', 'gripper'])
    >>> errors['mean_rad'], errors['joint_rad'], errors['step_rad']
    (0.875, {'elbow': 1.5, 'gripper': 0.25}, [0.5, 1.25])
    """
    predicted_BTJ, target_BTJ = checked(predicted_BTJ=predicted_BTJ, target_BTJ=target_BTJ)
    joints = predicted_BTJ.shape[2]
    if len(set(joint_names)) != joints or len(joint_names) != joints:
        raise ValueError(f'joint_names: {list(joint_names)}, expected {joints} different names')
    error_BTJ = np.abs(predicted_BTJ - target_BTJ)
    return {'mean_rad': float(error_BTJ.mean()),
            'joint_rad': dict(zip(joint_names, error_BTJ.mean(axis=(0, 1)).tolist())),
            'step_rad': error_BTJ.mean(axis=(0, 2)).tolist()}


def within_tolerance(predicted_BTJ: np.ndarray, target_BTJ: np.ndarray,
                     tolerance_rad: float) -> float:
    """
    Return the share of steps at which all joints are right, mean_bt [max_j |p - t| <= tolerance].

    The max norm of the joint error, as a controller's path tolerance judges it
    (control_msgs/JointTolerance).

    >>> within_tolerance(np.array([[[0.5, 0.0], [0.5, 0.75]]]), np.zeros((1, 2, 2)), 0.5)
    0.5
    """
    predicted_BTJ, target_BTJ = checked(predicted_BTJ=predicted_BTJ, target_BTJ=target_BTJ)
    if not (tolerance_rad >= 0 and math.isfinite(tolerance_rad)):
        raise ValueError(f'tolerance_rad: {tolerance_rad}, expected a finite number from 0 rad')
    return float((np.abs(predicted_BTJ - target_BTJ) <= tolerance_rad).all(axis=2).mean())


def gripper_accuracy(predicted_BT: np.ndarray, target_BT: np.ndarray,
                     threshold_rad: float) -> float:
    """
    Return the share of steps at which both grippers are open or both are not.

    mean_bt [(p > threshold) = (t > threshold)], the accuracy of a two-class decision
    (Fawcett 2006, figure 1); a value at the threshold counts as below it.

    >>> gripper_accuracy(np.array([[1.0, 0.5, 0.0, 0.75]]), np.array([[0.75, 0, 1, 1]]), 0.5)
    0.75
    """
    predicted_BT, target_BT = checked(predicted_BT=predicted_BT, target_BT=target_BT)
    if not math.isfinite(threshold_rad):
        raise ValueError(f'threshold_rad: {threshold_rad}, expected a finite number of rad')
    return float(((predicted_BT > threshold_rad) == (target_BT > threshold_rad)).mean())
