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

"""The geometry of a space, and its map, against slow and obvious versions."""

import math

import numpy as np
import pytest
from vectors import dot, normal

from trimodal_ros.evaluate.space import (
    alignment,
    linear_cka,
    modality_gap,
    principal_map,
    uniformity,
)


def square_distance(x_D, y_D):
    return sum((float(x) - float(y)) ** 2 for x, y in zip(x_D, y_D))


def mean_of(rows):
    rows = list(rows)
    return [sum(float(row[d]) for row in rows) / len(rows) for d in range(len(rows[0]))]


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_geometry_is_the_equation(dtype):
    """Catches a missing square, a mean over D, self-pairs, and sums in float32."""
    x_BD, y_BD = normal(7, 4).astype(dtype), normal(7, 4, seed=1).astype(dtype) + dtype(0.3)
    slow = sum(square_distance(x, y) for x, y in zip(x_BD, y_BD)) / 7
    assert alignment(x_BD, y_BD) == pytest.approx(slow, rel=1e-12)
    assert modality_gap(x_BD, y_BD) == pytest.approx(
        math.sqrt(square_distance(mean_of(x_BD), mean_of(y_BD))), rel=1e-12)
    for t in (2.0, 0.5):
        terms = [math.exp(-t * square_distance(x_BD[i], x_BD[j]))
                 for j in range(7) for i in range(j)]
        assert uniformity(x_BD, t) == pytest.approx(math.log(sum(terms) / len(terms)), rel=1e-12)


def test_alignment_is_of_matched_pairs():
    """Catches a mean over all pairs, or over pairs in another order."""
    x_BD = normal(6, 3)
    assert alignment(x_BD, x_BD) == 0.0 < alignment(x_BD, x_BD[::-1])


def test_uniformity_of_the_extremes():
    """Catches underflow to -inf in a spread-out space, and a collapsed one that isn't 0."""
    assert uniformity(np.full((5, 3), 0.1)) == pytest.approx(0.0, abs=1e-12)
    assert uniformity(np.array([[0.0], [1000.0]])) == -2e6


def test_cka_is_the_kernel_form():
    """Catches a missing centring, an unsquared norm, D and E swapped."""
    x_BD, y_BE = normal(8, 3) + 2.0, normal(8, 5, seed=1) - 1.0
    y_BE[:, :3] += x_BD

    def kernel(z_BD):
        middle = mean_of(z_BD)
        centred = [[float(z) - m for z, m in zip(row, middle)] for row in z_BD]
        return [dot(a, b) for a in centred for b in centred]
    k, m = kernel(x_BD), kernel(y_BE)
    assert linear_cka(x_BD, y_BE) == pytest.approx(
        dot(k, m) / math.sqrt(dot(k, k) * dot(m, m)), rel=1e-12)


def test_cka_is_blind_to_rotation_and_scale():
    """Catches a similarity that depends on the axes."""
    x_BD = normal(9, 4)
    rotation_DD = np.linalg.qr(normal(4, 4, seed=1))[0]
    assert linear_cka(x_BD, 3 * x_BD @ rotation_DD + 1) == pytest.approx(1.0)
    assert linear_cka(x_BD, normal(9, 4, seed=2)) < 0.9


def slow_component(z):
    """Return the direction of largest variance, by power iteration on the covariance."""
    dims = range(len(z[0]))
    covariance = [[sum(row[a] * row[b] for row in z) for b in dims] for a in dims]
    v = [1.0] * len(dims)
    for _ in range(500):
        v = [dot(row, v) for row in covariance]
        length = math.sqrt(dot(v, v))
        v = [each / length for each in v]
    return [each * math.copysign(1, max(v, key=abs)) for each in v]


@pytest.mark.parametrize('samples', [40, 3])
def test_map_is_the_power_iteration(samples):
    """Catches a missing centring, components out of order, U taken for V, a free sign."""
    z_BD = normal(samples, 5, seed=3) * [0.3, 2.0, 0.5, 4.0, 1.0] + 7.0
    z = [[float(value) - m for value, m in zip(row, mean_of(z_BD))] for row in z_BD]
    first = slow_component(z)
    rest = [[value - dot(row, first) * v for value, v in zip(row, first)] for row in z]
    second = slow_component(rest)
    slow_B2 = [[dot(row, first), dot(row, second)] for row in z]
    np.testing.assert_allclose(principal_map(z_BD), slow_B2, atol=1e-9)


def test_map_along_the_components_of_others():
    """Catches the samples' own components or mean where those of others were asked for."""
    fitted_GD, z_BD = normal(30, 3) * [1.0, 5.0, 2.0] + 4.0, normal(7, 3, seed=1)
    both_B2 = principal_map(fitted_GD)
    np.testing.assert_allclose(principal_map(fitted_GD[5:9], fitted_GD), both_B2[5:9])
    loading_D2 = np.linalg.lstsq(fitted_GD - fitted_GD.mean(axis=0), both_B2, rcond=None)[0]
    slow_B2 = (z_BD - mean_of(fitted_GD)) @ loading_D2
    np.testing.assert_allclose(principal_map(z_BD, fitted_GD), slow_B2, atol=1e-9)


def test_map_has_no_free_sign():
    """Catches a map mirrored by the solver: loadings (1, -1) are equally large, first wins."""
    for sign in (1, -1):
        z_BD = sign * np.array([[2.0, -2.0], [-2.0, 2.0], [0.5, 0.5], [-0.5, -0.5]])
        slow_B2 = np.sqrt(2) * np.array([[2, 0], [-2, 0], [0, 0.5], [0, -0.5]])
        np.testing.assert_allclose(principal_map(z_BD), sign * slow_B2, atol=1e-12)
