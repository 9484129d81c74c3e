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

"""Errors of predicted chunks, against slow and obvious versions."""

import numpy as np
import pytest
from vectors import normal

from trimodal_ros.evaluate.action import chunk_errors, gripper_accuracy, within_tolerance

NAMES = ['shoulder', 'elbow', 'gripper']


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_chunk_errors_are_the_slow_ones(dtype):
    """Catches a mean over the wrong axis, a signed or squared error, joints out of order."""
    p, t = normal(5, 4, 3).astype(dtype), normal(5, 4, 3, seed=1).astype(dtype)
    errors = chunk_errors(p, t, NAMES)

    def slow(samples=range(5), steps=range(4), joints=range(3)):
        values = [abs(float(p[b, s, j]) - float(t[b, s, j]))
                  for b in samples for s in steps for j in joints]
        return pytest.approx(sum(values) / len(values), rel=1e-12)
    assert errors['mean_rad'] == slow()
    assert list(errors['joint_rad']) == NAMES
    assert list(errors['joint_rad'].values()) == [slow(joints=[j]) for j in range(3)]
    assert errors['step_rad'] == [slow(steps=[s]) for s in range(4)]


@pytest.mark.parametrize('tolerance_rad', [0.0, 0.5, 1.5, 9.0])
def test_share_within_tolerance_is_the_slow_one(tolerance_rad):
    """Catches any joint for all joints, whole chunks for steps, and a signed error."""
    p, t = normal(6, 5, 2), normal(6, 5, 2, seed=1)
    p[0, 0] = t[0, 0]
    right = [all(abs(p[b, s, j] - t[b, s, j]) <= tolerance_rad for j in range(2))
             for b in range(6) for s in range(5)]
    assert within_tolerance(p, t, tolerance_rad) == sum(right) / len(right) > 0


def test_gripper_accuracy_is_the_slow_one():
    """Catches a threshold on one side only, or on the difference; at it counts as below."""
    p, t = normal(6, 5), normal(6, 5, seed=1)
    same = [(p[b, s] > 0.4) == (t[b, s] > 0.4) for b in range(6) for s in range(5)]
    assert gripper_accuracy(p, t, 0.4) == sum(same) / len(same)
    for p, t in (([[0.4]], [[0.3]]), ([[0.3]], [[0.4]])):
        assert gripper_accuracy(p, t, 0.4) == 1.0
    for p, t in (([[0.4]], [[0.5]]), ([[0.5]], [[0.4]])):
        assert gripper_accuracy(p, t, 0.4) == 0.0
