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
"""The page of an embedding space, as a person sees it."""

import re

from alignment_report import stand_in
from browser import browse, embedded_pictures, luminance
import cv2
import numpy as np
import pytest

from trimodal_ros.evaluate.alignment import measure
from trimodal_ros.evaluate.charts import in_order, PALETTE, similarity_chart
from trimodal_ros.evaluate.gallery import Gallery
from trimodal_ros.evaluate.report import table, write_alignment_page


def test_pictures_show_every_instruction_in_order():
    """Catches moments drawn out of order, and a large gallery drawn in part."""
    example = Gallery.make_example(('a', 'b', 'c'), moments=1000)
    chosen = in_order(example)
    assert len(chosen) == 300 and set(example.group_N[chosen]) == {0, 1, 2}
    keys = list(zip(example.group_N[chosen], example.progress_N[chosen]))
    assert keys == sorted(keys)
    [picture] = embedded_pictures(similarity_chart(example, 'vision', 'action', ('x', 'y')))[:1]
    assert picture.shape[:2] == (300, 300)


@pytest.mark.parametrize('color', PALETTE)
def test_colors_are_seen_in_both_schemes(color):
    """Catches a colour under 3:1 (WCAG 1.4.11) on the white or the dark page."""
    assert 1.05 / (luminance(color) + 0.05) >= 3
    assert (luminance(color) + 0.05) / (luminance('#121212') + 0.05) >= 3


def test_page_takes_any_instruction(tmp_path):
    """Catches markup, formulas and other scripts in what people say, and many instructions."""
    told = ('<script>alert(1)</script>', 'cost $x_$', '把红色方块放下', *map(str, range(30)))
    gallery = Gallery.make_example(told, moments=99)
    figures = {'checkpoint': 'c', 'tasks_off': [], **measure(stand_in(), gallery)}
    assert '33 instructions' in table(figures)
    write_alignment_page(tmp_path / 'page.html', figures, gallery)
    text = (tmp_path / 'page.html').read_text()
    assert '<script' not in text and '把红色方块放下' in text and 'cost $x_$' in text
    assert text.count('and 9 more') == 2


def test_page_needs_nothing_else(report):
    """Catches a picture, style or script that a page opened offline would miss."""
    text = report.html.read_text()
    assert len(text) < 5e6 and 'http' not in re.sub('http-equiv', '', text)
    assert 'currentColor' in text and '#000000' not in text  # seen in both schemes
    for target in re.findall(r'(?:href|src)="([^"]*)"', text):
        assert target.startswith(('#', 'data:')), target
    named = re.findall(r' id="([^"]*)"', text)
    assert {name for name in re.findall(r'(?:href="|url\()#([^")]*)', text)} <= set(named)
    pictures = embedded_pictures(text)
    assert len(pictures) == 8 and all(min(picture.shape[:2]) > 1 for picture in pictures)
    assert text.count('role="img"') == text.count('<title>') - 1 == 8


def test_page_opens_in_a_browser(report, tmp_path):
    """Catches a page that a browser parses into something else, or complains about."""
    dom = browse(report.html, tmp_path, '--dump-dom')
    assert dom.count('<svg') == dom.count('</svg>') == 8
    assert dom.rpartition('</section>')[2].split() == ['</body></html>']
    for text in ('(V,L)→A', *(report.figures['instructions']), *report.figures['action'][
            'joint_rad'], report.figures['checkpoint'], 'second principal component'):
        assert text in dom, text
    assert dom.count('class="track"') == 3 * 11


@pytest.mark.parametrize('width', [1280, 500])
def test_page_is_seen_in_both_schemes(report, tmp_path, width):
    """Catches a blank page, black on black, and pictures that are not shown."""
    paper = {}
    for scheme, setting in (('dark', 0), ('light', 1)):
        shot = tmp_path / f'{scheme}.png'
        browse(report.html, tmp_path, f'--screenshot={shot}', f'--window-size={width},2500',
               f'--blink-settings=preferredColorScheme={setting}')
        image = cv2.imread(str(shot))
        assert image.shape == (2500, width, 3)
        paper[scheme] = float(np.median(image))
        ink = np.abs(image[:250].astype(float) - paper[scheme]).max(axis=2) > 150
        assert ink.mean() > 0.005  # the title and the summary are read
        saturation = np.ptp(image.astype(int), axis=2)
        assert (saturation > 60).mean() > 0.03  # the pictures are seen
    assert paper['dark'] < 60 and paper['light'] > 200
