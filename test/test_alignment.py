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

import math

import pytest
import torch
import torch.nn.functional as F

from trimodal_ros.embed.alignment import info_nce, LogitScale, near_duplicates, same_group


def unit(rows, dim=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator, dtype=torch.float64), dim=-1)


def slow_info_nce(x_BD, y_BD, scale, positive_BB, ignored_BB):
    """Spell the equation out, a pair at a time."""
    total, count = 0.0, len(x_BD)
    for first, second, positive, ignored in (
            (x_BD, y_BD, positive_BB, ignored_BB), (y_BD, x_BD, positive_BB.T, ignored_BB.T)):
        for i in range(count):
            counted = [j for j in range(count) if positive[i, j] or not ignored[i, j]]
            below = sum(math.exp(scale * float(first[i] @ second[j])) for j in counted)
            terms = [-math.log(math.exp(scale * float(first[i] @ second[j])) / below)
                     for j in range(count) if positive[i, j]]
            total += sum(terms) / len(terms) / count / 2
    return total


def test_info_nce_is_the_equation():
    """Catches a wrong sign, a missing transpose, a mask the wrong way round."""
    positive_BB = same_group(torch.tensor([0, 1, 0, 2, 1, 3]))
    ignored_BB = torch.zeros(6, 6, dtype=torch.bool)
    ignored_BB[0, 3] = ignored_BB[4, 2] = True
    x_BD, y_BD = unit(6), unit(6, seed=1)
    fast = info_nce(x_BD, y_BD, torch.tensor(7.0), positive_BB, ignored_BB)
    assert float(fast) == pytest.approx(slow_info_nce(x_BD, y_BD, 7.0, positive_BB, ignored_BB))


def test_info_nce_has_the_right_gradient():
    """Catches a detached or masked path."""
    positive_BB = same_group(torch.tensor([0, 1, 0]))
    x_BD, y_BD = unit(3).requires_grad_(), unit(3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, y: info_nce(x, y, torch.tensor(3.0, dtype=torch.float64), positive_BB),
        (x_BD, y_BD))


def test_info_nce_rewards_the_matching_pairs():
    """Catches a loss that is lowest for mismatched pairs."""
    z_BD, itself_BB = unit(4), torch.eye(4, dtype=torch.bool)
    matched = info_nce(z_BD, z_BD, torch.tensor(10.0), itself_BB)
    assert matched < info_nce(z_BD, z_BD.roll(1, 0), torch.tensor(10.0), itself_BB)


def test_temperature_is_capped():
    """Catches a temperature that runs away: CLIP caps the scale at 100."""
    scale = LogitScale()
    assert scale().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        scale.log_scale.fill_(20.0)
    assert scale().item() == pytest.approx(100.0)


def test_near_duplicates_are_found():
    """Catches equal motions pushed apart as if they were different."""
    chunk_BTJ = torch.zeros(3, 4, 2)
    chunk_BTJ[1] += 0.01
    chunk_BTJ[2] += 1.0
    assert near_duplicates(chunk_BTJ, 0.02).tolist() == [
        [True, True, False], [True, True, False], [False, False, True]]
