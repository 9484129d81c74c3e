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
Pictures of a shared space as SVG markup for a page, drawn in the page's own ink.

Shapes: N moments, D shared dimension, T steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import io
import re
import textwrap
import warnings

from markupsafe import escape, Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
import matplotlib.patheffects
import numpy as np

from .gallery import Gallery, MODALITIES
from .space import principal_map

# At least 3:1 against a white and a dark page, told apart by the colour-blind as far as eight
# colours can be (after Okabe & Ito 2008); numbers say the same.
PALETTE = ('#0072b2', '#d55e00', '#009e73', '#c76fa0', '#3f94cb', '#b67f00', '#7b61d6', '#808080')
MARKERS = {'vision': 'o', 'language': 's', 'action': '^'}
INK, PAPER = '#010203', '#fcfdfe'  # stand for the page's own colours
STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'trimodal_ros', 'text.parse_math': False,
         'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False,
         **{name: INK for name in ('text.color', 'axes.labelcolor', 'axes.edgecolor',
                                   'xtick.color', 'ytick.color')}}
DRAWN = 300       # moments in a picture: of more, every n-th
LEAST_BLOCK = 20  # an instruction with less than one in so many moments gets no number


@rc_context(STYLE)
def similarity_chart(gallery: Gallery, rows: str, columns: str, names: tuple[str, str]) -> Markup:
    """
    Draw cosines of ``rows`` with ``columns``; moments by instruction, then by progress.

    Instructions are numbered from 1. The scale spans the 1 to 99 % quantile.
    """
    chosen = in_order(gallery)
    score_NN = gallery.z[rows][chosen] @ gallery.z[columns][chosen].T
    low, high = np.quantile(score_NN, (0.01, 0.99))
    figure, axes = _figure(4.6, 3.9)
    image = axes.imshow(score_NN, cmap='viridis', vmin=low, vmax=high, interpolation='none')
    figure.colorbar(image, shrink=0.8).outline.set_visible(False)
    _label_blocks(axes, gallery.group_N[chosen])
    axes.set(xlabel=names[1], ylabel=names[0])
    return _svg(figure, f'Similarity of {names[0]} and {names[1]}, moments by instruction')


def in_order(gallery: Gallery, most: int = DRAWN) -> np.ndarray:
    """Return up to ``most`` evenly spread moments by instruction, then by progress."""
    order = np.lexsort((gallery.progress_N, gallery.group_N))
    return order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)]


def _label_blocks(axes, group_N: np.ndarray) -> None:
    groups, first, size = np.unique(group_N, return_index=True, return_counts=True)
    for start in first[1:] if len(groups) <= LEAST_BLOCK else ():
        axes.axhline(start - 0.5, color='white', linewidth=0.4)
        axes.axvline(start - 0.5, color='white', linewidth=0.4)
    wide = np.flatnonzero(size >= len(group_N) / LEAST_BLOCK)
    middle = (first + (size - 1) / 2)[wide]
    axes.set_yticks(middle, groups[wide] + 1)
    axes.set_xticks(middle, groups[wide] + 1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


@rc_context(STYLE)
def map_chart(gallery: Gallery, fitted: Sequence[str] = MODALITIES) -> Markup:
    """Draw all three modalities along the two principal components of those ``fitted``."""
    chosen = in_order(gallery)
    group_N = gallery.group_N[chosen]
    fitted_GD = np.concatenate([gallery.z[name][chosen] for name in fitted])
    place = {name: principal_map(gallery.z[name][chosen], fitted_GD) for name in MODALITIES}
    figure, axes = _figure(4.6, 4.2)
    for name, place_N2 in place.items():
        axes.scatter(*place_N2.T, s=14, marker=MARKERS[name], alpha=0.75, linewidths=0,
                     c=[color_of(group) for group in group_N])
    if len(fitted) == 1:
        _number_groups(axes, place[fitted[0]], group_N)
    axes.set(xticks=[], yticks=[], xlabel='first principal component',
             ylabel='second principal component')
    return _svg(figure, 'Map of images, sentences and motions along the principal components of '
                f'{", ".join(fitted)}, coloured by instruction')


def _number_groups(axes, place_N2: np.ndarray, group_N: np.ndarray) -> None:
    halo = matplotlib.patheffects.withStroke(linewidth=3, foreground=PAPER)
    for group in np.unique(group_N)[:len(PALETTE)]:
        axes.annotate(f'{group + 1}', np.median(place_N2[group_N == group], axis=0), ha='center',
                      va='center', fontsize=11, weight='bold', path_effects=[halo])


def color_of(group: int) -> str:
    """Return an instruction's colour; those after the eighth share grey."""
    return PALETTE[min(group, len(PALETTE) - 1)]


@rc_context(STYLE)
def joint_chart(error_rad: Mapping[str, float]) -> Markup:
    """Draw a bar a joint."""
    figure, axes = _figure(4.6, 0.6 + 0.3 * len(error_rad))
    places = range(len(error_rad))
    bars = axes.barh(places, list(error_rad.values()), color=PALETTE[0])
    axes.bar_label(bars, fmt='%.3f', padding=3)
    axes.set_yticks(places, [short(name) for name in error_rad])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel('mean error, rad')
    return _svg(figure, 'Mean error of predicted chunks, by joint')


@rc_context(STYLE)
def step_chart(error_T: Sequence[float]) -> Markup:
    """Draw a line over the steps of the chunk."""
    figure, axes = _figure(4.6, 2.4)
    axes.plot(range(1, len(error_T) + 1), error_T, marker='o', markersize=3, color=PALETTE[0])
    axes.set_ylim(bottom=0)
    axes.set(xlabel='step of the chunk', ylabel='mean error, rad')
    return _svg(figure, 'Mean error of predicted chunks, by step')


def short(text: str, width: int = 24) -> str:
    """
    Return a text that fits beside a picture.

    >>> short('put the red cube on the left plate')
    'put the red cube on the…'
    """
    return textwrap.shorten(text, width, placeholder='…') if ' ' in text else text[:width]


def _figure(width_in: float, height_in: float):
    figure = Figure((width_in, height_in), layout='constrained')
    return figure, figure.add_subplot()


def _svg(figure: Figure, title: str) -> Markup:
    """Return inline markup, ids left to what is referred to, which is named by its content."""
    drawn = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph .* missing')  # the browser's fonts have it
        figure.savefig(drawn, format='svg', transparent=True,
                       metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type')))
    text = drawn.getvalue()
    view_box = re.search('viewBox="[^"]+"', text)[0]
    inside = re.sub('<g id="[^"]+"', '<g', text[text.index('<defs>'):])
    inside = inside.replace(INK, 'currentColor').replace(PAPER, 'Canvas')
    return Markup(f'<svg {view_box} role="img"><title>{escape(title)}</title>{inside}')
