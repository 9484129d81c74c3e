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
Contrastive losses over three modalities at once: choices beside the pairwise ones.

For unit vectors l, v, a (language, vision, action) every score is a function of their three
cosines or of their joint product. Shapes: B rows, M columns, D shared dimension.
"""

from __future__ import annotations

import torch

from .alignment import both_ways, contrast, Side, View

EPSILON = 1e-6  # under the root of a volume, whose slope is infinite at zero


def gram_volume(lv: torch.Tensor, la: torch.Tensor, va: torch.Tensor) -> torch.Tensor:
    """
    Return the volume spanned by three unit vectors, from their cosines.

    sqrt(det Gram(l, v, a)), det = 1 + 2 lv la va - lv^2 - la^2 - va^2 (GRAM, Cicchetti 2025,
    eq. 3). It is blind to sign, and near zero as soon as any two vectors coincide.

    >>> round(gram_volume(torch.tensor(0.), torch.tensor(0.), torch.tensor(0.)).item(), 3)
    1.0
    """
    determinant = 1 + 2 * lv * la * va - lv ** 2 - la ** 2 - va ** 2
    return (determinant.clamp(min=0.0) + EPSILON).sqrt()


def triangle_area(lv: torch.Tensor, la: torch.Tensor, va: torch.Tensor) -> torch.Tensor:
    """
    Return the area measure of the triangle of three unit vectors, from their cosines.

    (|u|^2 |w|^2 - (u . w)^2) / 2 with u = l - v, w = l - a (TRIANGLE, Grassucci 2025).

    >>> triangle_area(torch.tensor(0.), torch.tensor(0.), torch.tensor(0.)).item()
    1.5
    """
    return ((2 - 2 * lv) * (2 - 2 * la) - (1 - la - lv + va) ** 2) / 2


def volume_loss(measure, anchor: Side, others: Side, scale: torch.Tensor) -> torch.Tensor:
    """
    Return InfoNCE with minus a volume as the score: an anchor against two others as one.

    ``measure`` is ``gram_volume`` or ``triangle_area``; ``others`` has two vectors a sample. As
    in both papers the anchors are contrasted with the tuples and the tuples with the anchors.
    """
    def score(rows, columns):
        first_MD, second_MD = columns.vectors
        first_BM, second_BM = (rows.vectors[0] @ z_MD.T for z_MD in columns.vectors)
        return -scale * measure(first_BM, second_BM, (first_MD * second_MD).sum(-1))
    return both_ways(score, anchor, others)


def symile(anchor: Side, others: Side, scale: torch.Tensor,
           shuffled_M: torch.Tensor) -> torch.Tensor:
    """
    Return Symile's loss of one anchor (Saporta 2024, eq. 5): a multilinear inner product.

    The score of row i is scale * sqrt(D) * sum_d x_id p_jd; p is the product of the two others
    of one sample for the row itself, and of two samples paired by the permutation
    ``shuffled_M`` for its negatives. sqrt(D) makes 1 the score of three equal flat vectors.
    Each modality is to be the anchor in turn.
    """
    first_MD, second_MD = others.everywhere.vectors
    products = View((first_MD * second_MD, first_MD * second_MD[shuffled_M]),
                    others.everywhere.samples)

    def score(rows, columns):
        own_BM, mixed_BM = (rows.vectors[0] @ p_MD.T for p_MD in columns.vectors)
        itself_BM, _ = rows.samples.match(columns.samples)
        return scale * first_MD.shape[1] ** 0.5 * torch.where(itself_BM, own_BM, mixed_BM)
    return contrast(score, anchor.here, products)
