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
Measures of one decision, or of two in a row: value by value, NaN where something isn't known.

Pure functions; what is averaged over which decisions is in tally.py. Shapes: T steps of a chunk,
J joints, N steps of a motion. Positions are in rad, in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SAME_STEP = 1e-6   # of a step: stamps are whole nanoseconds
LONGEST_GAP_S = 10.0


def absolute_error(planned_TJ: np.ndarray, recorded_TJ: np.ndarray) -> np.ndarray:
    """
    Return |p - r| [T, J] in rad, the L1 error of a chunk before it is averaged (Zhao 2023, ACT).

    >>> absolute_error(np.array([[1.0, 0.5]]), np.array([[0.0, np.nan]])).tolist()
    [[1.0, nan]]
    """
    return np.abs(planned_TJ - recorded_TJ)


def still_error(recorded_TJ: np.ndarray) -> np.ndarray:
    """
    Return |r_1 - r| [T, J] in rad, the error of a plan that stays at the first recorded step.

    >>> still_error(np.array([[1.0], [1.5], [np.nan]])).ravel().tolist()
    [0.0, 0.5, nan]
    """
    return np.abs(recorded_TJ[:1] - recorded_TJ)


def within_tolerance(planned_TJ: np.ndarray, recorded_TJ: np.ndarray,
                     tolerance_rad: float) -> np.ndarray:
    """
    Return [T], 1 where max_j |p - r| <= tolerance, else 0: all joints, as a path tolerance judges.

    The path tolerance of control_msgs/JointTolerance, one for all joints.

    >>> within_tolerance(np.array([[0.5, 0.0], [0.5, 0.75]]), np.zeros((2, 2)), 0.5).tolist()
    [1.0, 0.0]
    """
    worst_T = absolute_error(planned_TJ, recorded_TJ).max(axis=1)
    return np.where(np.isnan(worst_T), np.nan, worst_T <= tolerance_rad)


def gripper_agrees(planned_TJ: np.ndarray, recorded_TJ: np.ndarray, open_above_J: np.ndarray,
                   is_gripper_J: np.ndarray) -> np.ndarray:
    """
    Return [T, J], 1 where a gripper is planned open, or not, as it was recorded, else 0.

    NaN for the other joints.

    >>> gripper_agrees(np.array([[9.0, 1.0], [9.0, 1.0]]), np.array([[9.0, 0.0], [9.0, 0.75]]),
    ...                np.array([0.5, 0.5]), np.array([False, True])).tolist()
    [[nan, 0.0], [nan, 1.0]]
    """
    agrees_TJ = (planned_TJ > open_above_J) == (recorded_TJ > open_above_J)
    known_TJ = is_gripper_J & np.isfinite(planned_TJ) & np.isfinite(recorded_TJ)
    return np.where(known_TJ, agrees_TJ, np.nan)


def tool_distance(planned_TJ: np.ndarray, recorded_TJ: np.ndarray,
                  positions_m: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """
    Return the distance [T] in m of two motions' tools; ``positions_m`` is forward kinematics.

    >>> tool_distance(np.array([[3.0]]), np.array([[1.0]]), lambda p: p * [0.0, 1.0, 0.0])
    array([2.])
    """
    distance_T = np.full(len(planned_TJ), np.nan)
    known_T = np.isfinite(planned_TJ).all(axis=1) & np.isfinite(recorded_TJ).all(axis=1)
    if known_T.any():
        apart = positions_m(planned_TJ[known_T]) - positions_m(recorded_TJ[known_T])
        distance_T[known_T] = np.linalg.norm(apart, axis=1)
    return distance_T


def carried_on(planned_TJ: np.ndarray, steps: float) -> np.ndarray:
    """
    Return a plan as seen ``steps`` later [T, J]: linear between its steps, NaN past its end.

    >>> carried_on(np.array([[0.0], [1.0], [2.0]]), 1.5).ravel().tolist()
    [1.5, nan, nan]
    """
    horizon = len(planned_TJ)
    if abs(steps - round(steps)) < SAME_STEP:
        steps = round(steps)
    at_T = np.arange(horizon) + steps
    inside_T = (at_T >= 0) & (at_T <= horizon - 1)
    below_T = np.where(inside_T, np.floor(at_T), 0).astype(int)
    above_T = np.minimum(below_T + 1, horizon - 1)
    part_T = np.where(inside_T, at_T - below_T, np.nan)[:, None]
    rises_TJ = np.where(part_T == 0, 0.0, part_T * (planned_TJ[above_T] - planned_TJ[below_T]))
    return np.where(inside_T[:, None], planned_TJ[below_T] + rises_TJ, np.nan)


def disagreement(before_TJ: np.ndarray, planned_TJ: np.ndarray, steps: float) -> np.ndarray:
    """
    Return how far a plan is from the one ``steps`` before it, |p_k - p'_(k + steps)| [T, J].

    NaN where they plan for no common time.

    >>> before_TJ = np.array([[0.0], [1.0], [2.0]])
    >>> disagreement(before_TJ, np.array([[1.5], [2.0], [3.0]]), 1).ravel().tolist()
    [0.5, 0.0, nan]
    """
    return np.abs(planned_TJ - carried_on(before_TJ, steps))


def jerk(position_NJ: np.ndarray, rate_hz: float) -> np.ndarray:
    """
    Return |jerk| [N - 3, J] in rad/s^3 by third differences (Flash and Hogan 1985 minimise it).

    >>> jerk(np.array([[0.0], [0.0], [0.0], [1.0]]), 2.0).tolist()
    [[8.0]]
    """
    return np.abs(np.diff(position_NJ, 3, axis=0)) * rate_hz ** 3


def missed(gap_s: float, period_s: float) -> int:
    """
    Return how many decisions are missing between two that are ``gap_s`` apart.

    A longer silence than LONGEST_GAP_S counts as that.

    >>> [missed(gap_s, 0.6) for gap_s in (0.6, 0.85, 1.2, 3.0, 1e9)]
    [0, 0, 1, 4, 16]
    """
    return max(0, round(min(gap_s, LONGEST_GAP_S) / period_s) - 1)
