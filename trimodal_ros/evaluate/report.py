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
"""What a space is worth, for people: a table for the terminal and a page with pictures."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path

from .alignment import AT
from .charts import (
    color_of,
    joint_chart,
    map_chart,
    MARKERS,
    similarity_chart,
    step_chart,
)
from .gallery import Gallery
from .page import write_page

NAMES = {'vision': 'image', 'language': 'sentence', 'action': 'motion',
         'vision_language': 'image + sentence'}
# What is compared, and how good and bad look.
SIMILARITIES = {
    ('vision', 'language'): 'Good: bright squares along the diagonal, dark elsewhere. Where '
    'several tasks are possible in a scene, a square is pale until the robot has set off.',
    ('language', 'action'): 'Good: bright squares along the diagonal. A motion alone need not '
    'tell its instruction: what it reaches for is in the image, so pale squares are no failure.',
    ('vision', 'action'): 'Good: a thin bright diagonal, each image with its own motion. Stripes '
    'beside it are the same stage of other tasks. Bad: no stripes, motions are not told apart.',
    ('vision_language', 'action'): 'Good: as image and motion, and brighter on the diagonal than '
    'beside it, as the sentence tells which of the possible motions is meant.'}


def rows(figures: dict) -> Iterator[tuple[str, dict]]:
    """Yield every direction of retrieval with its figures."""
    yield from figures['retrieval'].items()
    for name, row in figures['within_task'].items():
        yield f'{name}, same task', row


def table(figures: dict) -> str:
    """Return the figures as lines a person reads."""
    lines = [subtitle(figures), '',
             f'{"recall %, (chance)":18}' + ''.join(f'{f"R@{k}":>15}' for k in AT)
             + '  median rank  a match is']
    for name, row in rows(figures):
        cells = (f'{100 * row[f"recall_at_{k}"]:5.1f} ({100 * row[f"chance_at_{k}"]:4.1f})'
                 for k in AT)
        match = 'the instruction' if row['match'] == 'instruction' else 'the moment itself'
        lines.append(f'{name:18}' + ''.join(f'{cell:>15}' for cell in cells)
                     + f'{row["median_rank"]:13.1f}  {match}')
    return '\n'.join([*lines, '', *_geometry_lines(figures['geometry']), '',
                      *_action_lines(figures['action'])])


def _geometry_lines(geometry: dict) -> list[str]:
    pairs = [f'{name:24}{pair["alignment"]:10.3f}{pair["modality_gap"]:14.3f}'
             f'{pair["linear_cka"]:7.3f}' for name, pair in geometry['pairs'].items()]
    spread = ', '.join(f'{name} {value:.2f}' for name, value in geometry['uniformity'].items())
    return [f'{"pair":24}{"alignment":>10}{"modality gap":>14}{"CKA":>7}', *pairs,
            f'uniformity: {spread}']


def _action_lines(action: dict) -> list[str]:
    joints = ', '.join(f'{name} {value:.3f}' for name, value in action['joint_rad'].items())
    steps = action['step_rad']
    lines = [f'predicted chunks: {action["mean_rad"]:.4f} rad off on average, {steps[0]:.4f} at '
             f'step 1, {steps[-1]:.4f} at step {len(steps)}',
             f'by joint, rad: {joints}', f'all joints within {action["tolerance_rad"]} rad: '
             f'{100 * action["within_tolerance"]:.1f} % of steps']
    return lines + [f'{name} open or not as commanded: {100 * share:.1f} % of steps'
                    for name, share in action['gripper_accuracy'].items()]


def subtitle(figures: dict) -> str:
    off = ', '.join(figures['tasks_off'])
    return (f'{figures["moments"]} moments of {figures["episodes"]} episodes, '
            f'{len(figures["instructions"])} instructions; checkpoint {figures["checkpoint"]}'
            + (f', trained without {off}' if off else ''))


def write_alignment_page(path: Path, figures: dict, gallery: Gallery) -> None:
    """Write one self-contained HTML file: nothing is fetched when it is opened."""
    similarities = [
        {'title': f'{NAMES[first]} and {NAMES[second]}', 'why': why,
         'chart': similarity_chart(gallery, first, second, (NAMES[first], NAMES[second]))}
        for (first, second), why in SIMILARITIES.items()]
    action = figures['action']
    write_page('alignment_page', path, title='One space for what is seen, said and done',
               subtitle=subtitle(figures), figures=figures, at=AT, rows=list(rows(figures)),
               degrees=math.degrees(action['mean_rad']), names=NAMES, markers=MARKERS,
               similarities=similarities,
               maps=(map_chart(gallery), map_chart(gallery, ['language'])),
               colors=[color_of(group) for group in range(len(gallery.told))],
               joints=joint_chart(action['joint_rad']), steps=step_chart(action['step_rad']))
