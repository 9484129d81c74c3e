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

"""Contrastive losses against slow versions that spell each equation out."""

import math

import pytest
import torch
import torch.nn.functional as F

from trimodal_ros.embed import alignment
from trimodal_ros.embed.alignment import (
    contrast,
    info_nce,
    LogitScale,
    Samples,
    Side,
    sigmoid_loss,
    View,
)
from trimodal_ros.embed.trimodal import gram_volume, symile, triangle_area, volume_loss

GROUPS = torch.tensor([0, 1, 0, 2, 1, 3])
SHUFFLED = torch.tensor([3, 0, 5, 1, 2, 4])


def unit(rows, dim=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator, dtype=torch.float64), dim=-1)


def told(*vectors):
    count = len(vectors[0])
    return Side.of(Samples(GROUPS.repeat(1 + count // 6)[:count]), *vectors)


def motions():
    """Return flat motions of which the third and fifth are nearly equal."""
    generator = torch.Generator().manual_seed(9)
    motion_BN = torch.randn(6, 8, generator=generator, dtype=torch.float64)
    motion_BN[4] = motion_BN[2] + 0.01
    return motion_BN


def itself(*vectors):
    return Side.of(Samples(torch.arange(len(vectors[0])), motions()[:len(vectors[0])], 0.02),
                   *vectors)


def slow_cross_entropy(score, positive, ignored):
    """Spell InfoNCE out over lists of rows: score, positive and ignored are functions of i, j."""
    total, count = 0.0, 6
    for i in range(count):
        counted = [j for j in range(count) if not ignored(i, j)]
        below = sum(math.exp(score(i, j)) for j in counted)
        terms = [-math.log(math.exp(score(i, j)) / below) for j in counted if positive(i, j)]
        total += sum(terms) / len(terms)
    return total / count


def seven_times(x_BD, y_BD):
    return lambda i, j: 7 * float(x_BD[i] @ y_BD[j])


def same(i, j):
    return bool(GROUPS[i] == GROUPS[j])


def nothing(i, j):
    return False


def near(i, j):
    return i != j and float((motions()[i] - motions()[j]).abs().mean()) < 0.02


def test_info_nce_is_the_equation():
    """Catches a wrong sign, a missing transpose, positives of the wrong samples."""
    x_BD, y_BD = unit(6), unit(6, seed=1)
    slow = sum(slow_cross_entropy(seven_times(a, b), same, nothing)
               for a, b in ((x_BD, y_BD), (y_BD, x_BD))) / 2
    assert float(info_nce(told(x_BD), told(y_BD), torch.tensor(7.0))) == pytest.approx(slow)


def test_near_duplicate_motions_are_no_negatives():
    """Catches equal motions pushed apart, or a mask the wrong way round."""
    assert near(2, 4) and sum(near(i, j) for i in range(6) for j in range(6)) == 2
    x_BD, y_BD = unit(6), unit(6, seed=1)
    slow = sum(slow_cross_entropy(seven_times(a, b), lambda i, j: i == j, near)
               for a, b in ((x_BD, y_BD), (y_BD, x_BD))) / 2
    assert float(info_nce(itself(x_BD), itself(y_BD), torch.tensor(7.0))) == pytest.approx(slow)


def test_sigmoid_loss_is_the_equation():
    """Catches a wrong sign of z, a bias left out, or a mean where the paper sums."""
    x_BD, y_BD = unit(6), unit(6, seed=1)
    slow = 0.0
    for i in range(6):
        for j in range(6):
            z = 1 if i == j else -1
            if not near(i, j):
                slow += math.log1p(math.exp(-z * (4 * float(x_BD[i] @ y_BD[j]) - 2)))
    fast = sigmoid_loss(itself(x_BD), itself(y_BD), torch.tensor(4.0), torch.tensor(-2.0))
    assert float(fast) == pytest.approx(slow / 6)


def slow_gram(l_D, v_D, a_D):
    matrix = torch.stack([l_D, v_D, a_D])
    return math.sqrt(max(0.0, float(torch.linalg.det(matrix @ matrix.T))) + 1e-6)


def slow_triangle(l_D, v_D, a_D):
    u_D, w_D = l_D - v_D, l_D - a_D
    return float((u_D @ u_D) * (w_D @ w_D) - (u_D @ w_D) ** 2) / 2


@pytest.mark.parametrize('measure, slow', [(gram_volume, slow_gram),
                                           (triangle_area, slow_triangle)])
def test_volume_loss_is_the_equation(measure, slow):
    """Catches a wrong determinant, an anchor swapped with its tuple, or a sign."""
    l_BD, v_BD, a_BD = unit(6), unit(6, seed=1), unit(6, seed=2)

    def anchors(i, j):
        return -5 * slow(l_BD[i], v_BD[j], a_BD[j])

    def tuples(i, j):
        return -5 * slow(l_BD[j], v_BD[i], a_BD[i])
    expected = sum(slow_cross_entropy(score, same, nothing) for score in (anchors, tuples)) / 2
    fast = volume_loss(measure, told(l_BD), told(v_BD, a_BD), torch.tensor(5.0))
    assert float(fast) == pytest.approx(expected)


def test_symile_is_the_equation():
    """Catches negatives that aren't shuffled, or the row's own tuple taken from elsewhere."""
    l_BD, v_BD, a_BD = unit(6), unit(6, seed=1), unit(6, seed=2)

    def score(i, j):
        second = j if i == j else int(SHUFFLED[j])
        return 5 * math.sqrt(5) * sum(float(l_BD[i, d] * v_BD[j, d] * a_BD[second, d])
                                      for d in range(5))
    expected = slow_cross_entropy(score, lambda i, j: i == j, near)
    fast = symile(itself(l_BD), itself(v_BD, a_BD), torch.tensor(5.0), SHUFFLED)
    assert float(fast) == pytest.approx(expected)


def losses():
    scale = torch.tensor(3.0, dtype=torch.float64)
    return {
        'info_nce': lambda l_BD, v_BD, a_BD: info_nce(told(l_BD), told(v_BD), scale),
        'duplicates': lambda l_BD, v_BD, a_BD: info_nce(itself(v_BD), itself(a_BD), scale),
        'siglip': lambda l_BD, v_BD, a_BD: sigmoid_loss(told(l_BD), told(a_BD), scale, -scale),
        'gram': lambda *z: volume_loss(gram_volume, told(z[0]), told(*z[1:]), scale),
        'triangle': lambda *z: volume_loss(triangle_area, told(z[0]), told(*z[1:]), scale),
        'symile': lambda *z: symile(itself(z[0]), itself(*z[1:]), scale, SHUFFLED)}


@pytest.mark.parametrize('name', losses())
def test_gradients_are_right(name):
    """Catches a detached or masked path."""
    vectors = [unit(6, seed=seed).requires_grad_() for seed in range(3)]
    assert torch.autograd.gradcheck(losses()[name], vectors)


@pytest.mark.parametrize('name', losses())
def test_blocks_change_neither_loss_nor_gradient(name, monkeypatch):
    """Catches a block that is forgotten, counted twice or masked by another block's samples."""
    def run():
        vectors = [unit(6, seed=seed).requires_grad_() for seed in range(3)]
        loss = losses()[name](*vectors)
        loss.backward()
        return [loss, *(z_BD.grad for z_BD in vectors if z_BD.grad is not None)]
    whole = run()
    monkeypatch.setattr(alignment, 'BLOCK_ROWS', 4)
    for value, other in zip(whole, run()):
        torch.testing.assert_close(value, other)


@pytest.mark.parametrize('name', ['info_nce', 'siglip', 'gram', 'triangle'])
def test_memory_is_linear_in_the_batch(name, monkeypatch):
    """Catches a similarity matrix that is kept whole for the backward pass."""
    monkeypatch.setattr(alignment, 'BLOCK_ROWS', 4)
    kept = []

    def keep(tensor):
        kept[-1] += tensor.numel()
        return tensor
    for count in (18, 36):
        kept.append(0)
        vectors = [unit(count, dim=4, seed=seed).requires_grad_() for seed in range(3)]
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            losses()[name](*vectors)
    assert kept[1] <= 2 * kept[0] + 20


@pytest.mark.parametrize('name', ['info_nce', 'siglip', 'gram', 'triangle', 'symile'])
def test_losses_reward_what_belongs_together(name):
    """Catches a loss that is lowest for mismatched samples."""
    z_BD = unit(6, dim=16)
    together, apart = (losses()[name](z_BD, *others) for others in (
        (z_BD, z_BD), (z_BD.roll(1, 0), z_BD.roll(3, 0))))
    assert together < apart


def test_remembered_columns_are_negatives_only():
    """Catches a memory that is matched with today's samples or left out of the sums."""
    x_BD, y_BD, old_MD = unit(3), unit(3, seed=1), unit(2, seed=2)
    rows = View((x_BD,), Samples(torch.arange(3)))
    columns = View((y_BD,), Samples(torch.arange(3))).with_more(
        (old_MD,), Samples(torch.full((2,), -1)))

    def score(rows, columns):
        return rows.vectors[0] @ columns.vectors[0].T
    expected = 0.0
    for i in range(3):
        row = [float(x_BD[i] @ z_D) for z_D in (*y_BD, *old_MD)]
        expected -= math.log(math.exp(row[i]) / sum(map(math.exp, row))) / 3
    assert float(contrast(score, rows, columns)) == pytest.approx(expected)


@pytest.mark.parametrize('count', [1, 4])
def test_loss_is_defined_for_one_sample_and_for_one_instruction(count):
    """Catches 0 / 0 in a batch that has nothing to contrast."""
    x_BD = unit(count).requires_grad_()
    one = Side.of(Samples(torch.zeros(count)), x_BD)
    loss = info_nce(one, one, torch.tensor(10.0))
    loss.backward()
    assert loss.isfinite() and x_BD.grad.isfinite().all()
    assert count > 1 or loss.item() == 0.0


def test_mismatched_dimensions_are_refused():
    """Catches vectors of two spaces compared as if they were of one."""
    with pytest.raises(ValueError, match='5 and 4 dimensions'):
        info_nce(told(unit(6)), told(unit(6, dim=4)), torch.tensor(1.0))


def test_temperature_is_capped():
    """Catches a temperature that runs away: CLIP caps the scale at 100."""
    scale = LogitScale()
    assert scale().item() == pytest.approx(1 / 0.07)
    scale.start_at(math.exp(20.0), 0.0)
    assert scale().item() == pytest.approx(100.0)
