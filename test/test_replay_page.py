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
"""The page of a replay, as a person sees it."""

from dataclasses import replace
import math
from typing import get_args, get_type_hints
from xml.etree import ElementTree

from browser import browse, find_browser, frame, look, luminance
import cv2
import numpy as np
import pytest

from trimodal_ros.evaluate.replay.catalogue import MEASURES
from trimodal_ros.evaluate.replay.example import make_example
from trimodal_ros.evaluate.replay.frames import data_uri
from trimodal_ros.evaluate.replay.page import MODES, subtitle, write_replay_page
from trimodal_ros.evaluate.replay.result import Curves, Episode, Passed, Result, Series
from trimodal_ros.evaluate.replay.stretches import DRAWN, shown_moments, stretches, wanted_frames
from trimodal_ros.evaluate.replay.values import digits
from trimodal_ros.evaluate.replay.wording import answers, BESIDE_STILL, headline, TONES

HOSTILE = '<script>alert(1)</script>"\'><img src=http://x/y onerror=alert(2)> & {{ 7 * 7 }} 把红色'
FACTOR = {'share': 100, 'm': 1000}


def noise(result, cameras=('front', 'wrist')):
    """Return frames nobody took."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    pixels = pixels.repeat(10, axis=0).repeat(10, axis=1)
    return {wanted: {camera: data_uri(pixels, wanted.width) for camera in cameras}
            for wanted in wanted_frames(result)}


@pytest.fixture(scope='module')
def result():
    return make_example()


@pytest.fixture(scope='module')
def page(tmp_path_factory, result):
    path = tmp_path_factory.mktemp('page') / 'replay.html'
    write_replay_page(path, result, noise(result))
    return path


@pytest.fixture(scope='module')
def dom(page, tmp_path_factory):
    """The page as the browser understands it."""
    return browse(page, tmp_path_factory.mktemp('dom'), '--dump-dom')


def table(dom, name):
    """Return the rows of a table by their first cell: of each cell the text and the values."""
    markup = dom[dom.index(f'<table id="{name}"'):].partition('</table>')[0] + '</table>'
    rows = ElementTree.fromstring(markup.replace('&nbsp;', ' ')).findall('tbody/tr')
    return {first_text(row[0]): [(' '.join(''.join(cell.itertext()).split()), [
        float(each.get('value')) for each in cell.iter('data')]) for cell in row[1:]]
        for row in rows}


def first_text(cell):
    return next(text.strip() for text in cell.itertext() if text.strip())


def test_numbers_are_those_of_the_json(result, dom):
    """Catches a number under another's name, rounded away, in another unit, or not there."""
    json, joints, measures = result.to_json(), table(dom, 'joints'), table(dom, 'measures')
    for name, figure in json['figures'].items():
        compared = json['comparison']['measures'][name]
        [(text, value), (_, baseline), (_, difference), _] = measures[MEASURES[name].title]
        assert value == [figure['value']] and baseline == [compared['baseline']]
        assert difference == [compared[key] for key in ('difference', 'low', 'high')]
        shown = float(text.split()[0].replace('−', '-'))
        assert shown == pytest.approx(figure['value'] * FACTOR.get(MEASURES[name].unit, 1),
                                      rel=0.02, abs=5e-5)
    columns = [name for name in MEASURES if json['figures'].get(name, {}).get('joint')]
    for joint, cells in joints.items():
        assert [value for _, [value] in cells] == [
            json['figures'][name]['joint'][joint] for name in columns]
    assert tuple(joints) == result.robot.joints


def test_every_recording_instruction_and_threshold_is_told(result, dom):
    """Catches a row left out, one of another recording, and a fault that nobody reads."""
    episodes = table(dom, 'episodes')
    assert set(episodes) == {episode.path for episode in result.episodes}
    for episode in result.episodes:
        [(count, _), (_, error), *_] = episodes[episode.path]
        assert int(count) == episode.decisions
        assert error == [figure.value for figure in [episode.figures.get('action_error')]
                         if figure]
    assert set(table(dom, 'instructions')) == set(result.instructions)
    assert [cells[0][0] for cells in table(dom, 'thresholds').values()] == ['✓ kept', '✗ missed']
    assert result.faults[0].fault in dom and result.checkpoint in dom and result.baseline in dom
    for moment in shown_moments(result):
        assert moment.why[1:] in dom and f'at {moment.time_s:.1f} s' in dom


def test_page_fetches_nothing_and_fits_a_phone(result, page, tmp_path):
    """Catches sideways scrolling, a request, and a frame that is no picture."""
    seen = look(page, tmp_path, 375)
    assert seen['width'] == seen['needed'] == 375
    assert seen['broken'] == [] and all(name.startswith('data:') for name in seen['fetched'])
    text = page.read_text()
    assert 'http' not in text.replace('http-equiv', '')
    assert text.count('<img ') == 2 * len(wanted_frames(result))
    assert '.tells { display: none' not in text and 'The tolerance is 0.05 rad.' in text
    assert 'beside this page' not in text   # the JSON, which nobody may have asked for


@pytest.mark.parametrize('width', [1280, 375])
def test_page_is_seen_in_both_schemes(page, tmp_path, width):
    """Catches a blank page, black on black, and curves that are not drawn."""
    paper, outer = {}, frame(page, tmp_path, width, 2400)
    for scheme, setting in (('dark', 0), ('light', 1)):
        shot = tmp_path / f'{scheme}.png'
        browse(outer, tmp_path, f'--screenshot={shot}', '--window-size=1280,2400',
               f'--blink-settings=preferredColorScheme={setting}')
        image = cv2.imread(str(shot))[:2400, :width]
        paper[scheme] = float(np.median(image))
        ink = np.abs(image[:250].astype(float) - paper[scheme]).max(axis=2) > 150
        assert ink.mean() > 0.005   # the verdict is read
        saturation = np.ptp(image.astype(int), axis=2)
        assert (saturation > 60).mean() > 0.003   # verdicts, frames and curves are seen
    assert paper['dark'] < 60 and paper['light'] > 200


def test_lines_and_words_are_seen_in_both_schemes(page):
    """Catches a colour under 3:1 (WCAG 1.4.11) on the white or the dark page."""
    light, dark = (dict(part.strip().split(': ') for part in rule.split(';') if ': #' in part)
                   for rule in page.read_text().split(':root { --planned')[1:]
                   for rule in ['--planned' + rule.partition('}')[0]])
    assert len(light) >= 6 and set(dark) < set(light)
    for name, color in light.items():
        if len(color) == 7:
            assert 1.05 / (luminance(color) + 0.05) >= 3, name
    for name, color in dark.items():
        assert (luminance(color) + 0.05) / (luminance('#121212') + 0.05) >= 3, name


def hostile(result):
    """Return a result in which every text is markup."""
    episodes = tuple(replace(each, path=HOSTILE + each.path, instruction=HOSTILE, outcome=HOSTILE,
                             fault=each.fault and HOSTILE, refusals={HOSTILE: 2},
                             dropped={HOSTILE: 1}) for each in result.episodes)
    worst = tuple(replace(each, episode=HOSTILE + each.episode, instruction=HOSTILE, why=HOSTILE)
                  for each in result.worst)
    joints = {name: HOSTILE + name for name in result.robot.joints}
    episodes = tuple(replace(each, curves=Curves(each.curves.time_s, *(
        {joints[name]: values for name, values in part.items()} for part in (
            each.curves.recorded, each.curves.planned)))) for each in episodes)
    return replace(result, episodes=episodes, worst=worst, settings={HOSTILE: HOSTILE},
                   robot=replace(result.robot, name=HOSTILE, joints=tuple(joints.values()),
                                 units=dict.fromkeys(joints.values(), 'rad')),
                   instructions={HOSTILE: result.figures}, checkpoint=HOSTILE,
                   histograms={HOSTILE: result.histograms['input_age']})


def test_texts_are_not_markup(result, tmp_path):
    """Catches a sentence, path, joint or reason that the browser takes for an element."""
    spoilt = hostile(result)
    write_replay_page(tmp_path / 'page.html', spoilt, noise(spoilt, (HOSTILE,)))
    seen = browse(tmp_path / 'page.html', tmp_path, '--dump-dom')
    assert '{{ 7 * 7 }}' in seen and '把红色' in seen
    assert seen.count('<img ') == len(wanted_frames(spoilt))
    phone = look(tmp_path / 'page.html', tmp_path, 375)
    assert phone['needed'] == 375 and phone['broken'] == [] and phone['scripts'] == 0


@pytest.mark.parametrize('change', [
    {'comparison': None, 'baseline': '', 'baseline_figures': {}}, {'worst': ()},
    {'thresholds': ()}, {'histograms': {}}, {'figures': {}, 'comparison': None},
    {'episodes': (), 'decisions': 0, 'worst': (), 'comparison': None},
    {'episodes': (Episode('empty', 'no message'),), 'decisions': 0, 'comparison': None},
    {'episodes': (Episode('one', duration_s=0.6, decisions=1, series=Series(
        (1,), (0.3,), ('late',), (None,))),)}])
def test_page_does_without(result, tmp_path, change):
    """Catches a page that needs a baseline, a frame, a threshold or anything else to be there."""
    find_browser()
    changed = replace(result, **change)
    write_replay_page(tmp_path / 'page.html', changed, {})
    text = (tmp_path / 'page.html').read_text()
    assert headline(changed) in text and '<img' not in text and 'nan' not in text.lower()


def test_page_says_how_it_was_replayed(result):
    """Catches a way to replay that the page doesn't know."""
    modes = get_args(get_type_hints(Result)['mode'])
    told = {subtitle(replace(result, mode=mode)) for mode in modes}
    assert len(told) == len(modes) == len(MODES)


def test_what_is_not_known_is_not_drawn(result, tmp_path):
    """Catches NaN in a path, which a browser stops at, and in a table."""
    episode = result.episodes[0]
    gaps = {name: tuple(None if n % 7 < 3 else value for n, value in enumerate(values))
            for name, values in episode.curves.planned.items()}
    nothing = {name: (math.nan,) * len(values) for name, values in gaps.items()}
    curves = replace(episode.curves, planned=gaps, baseline=nothing)
    write_replay_page(tmp_path / 'page.html', replace(result, episodes=(
        replace(episode, curves=curves),)), {})
    text = (tmp_path / 'page.html').read_text()
    assert 'nan' not in text.lower() and 'class="planned" d="M' in text


@pytest.mark.parametrize('recordings', [1, 300])
def test_an_hour_is_bounded(tmp_path, so101, recordings):
    """Catches a page that grows with the recording, or doesn't say what it leaves out."""
    hour = make_example(so101, recordings, 6000 // recordings)
    assert len(stretches(hour)) == DRAWN
    write_replay_page(tmp_path / 'page.html', hour, noise(hour))
    assert (tmp_path / 'page.html').stat().st_size < 20e6
    text = (tmp_path / 'page.html').read_text()
    assert text.count('<details') == DRAWN and f'{DRAWN} of ' in text
    assert text.count('<path') < 40 * (DRAWN + 12)


def test_worst_stretches_come_first(result):
    """Catches moments that no curve shows, and numbers that lead to others."""
    first, *others = stretches(result)
    moments = shown_moments(result)
    assert moments[0] == result.worst[0] == dict(first.moments)[1]
    for stretch in (first, *others):
        for number, moment in stretch.moments:
            assert moments[number - 1] is moment and moment.episode == stretch.episode.path
            assert stretch.begin_s <= moment.time_s <= stretch.end_s


@pytest.mark.parametrize('verdict, failed, said', [
    ('better', False, 'Better than the baseline'), ('worse', False, 'Worse than the baseline'),
    ('no difference shown', False, 'No difference from the baseline shown'),
    ('better', True, 'Better than the baseline, 1 of 1 threshold missed'),
    (None, True, '1 of 1 threshold missed'), (None, False, 'The one threshold kept')])
def test_verdict_in_words(result, verdict, failed, said):
    """Catches praise of a worse checkpoint, and thresholds that are forgotten."""
    changed = replace(
        result, thresholds=(Passed('action_error.elbow', 'max', 0.05, 0.1, not failed),),
        comparison=verdict and replace(result.comparison, verdict=verdict))
    assert headline(changed) == said
    told = {each.question: each for each in answers(changed)}
    thresholds = told['Within the thresholds?']
    assert ('Better than the baseline?' in told) == (verdict is not None)
    if verdict:
        assert told['Better than the baseline?'].tone == TONES[verdict]
    assert thresholds.tone == ('bad' if failed else 'good')
    if failed:
        assert thresholds.why == 'Action error, elbow: 0.1000 rad, allowed is at most 0.0500 rad.'


def test_where_no_plan_would_be_sent_it_says_so(result):
    """Catches 'all but' all of them."""
    refused = [replace(each, refusals={'limits': each.decisions}) for each in result.episodes]
    *_, sent, _ = answers(replace(result, episodes=tuple(refused)))
    assert (sent.answer, sent.tone) == ('No, none', 'bad')


def test_worst_moments_are_of_every_kind(result):
    """Catches refusals nobody looks at, as there are enough large errors to fill the page."""
    moments = [replace(result.worst[n % 4], measure=measure, why=f'{measure} {n}')
               for measure in ('action_error', 'boundary_jump', 'refused') for n in range(9)]
    shown = shown_moments(replace(result, worst=tuple(moments)))
    assert [moment.why for moment in shown] == [
        f'{measure} {n}' for measure in ('action_error', 'boundary_jump', 'refused')
        for n in range(4)]


def test_small_numbers_stay_apart():
    """Catches an error that is rounded to nothing, and a sign of nothing."""
    assert digits(0.0004, 'rad') == '0.0004' and digits(-0.00001, 'rad', True) == '0.0000'
    assert digits(math.nan, 'ms') == digits(None, 'share') == '–'


@pytest.mark.parametrize('verdict, said', [
    ('better', 'closer to what was recorded than never moving'),
    ('worse', 'Never moving would have been closer'),
    ('no difference shown', 'do not show that it does better')])
def test_policy_is_held_against_standing_still(result, tmp_path, verdict, said):
    """Catches a page of a policy no better than one that never moves, which says nothing of it."""
    figures = [dict(each.figures) for each in result.episodes[:2]]
    for figure, still in zip(figures, (0.01, 1.0)):
        figure['still_error'] = replace(figure['still_error'], value=still)
    episodes = tuple(replace(each, figures=figure)
                     for each, figure in zip(result.episodes, figures))
    alone = replace(result, comparison=None, baseline='', thresholds=(), episodes=episodes,
                    still=replace(result.still, verdict=verdict))
    first, *others = answers(alone)
    assert first.question == 'Better than standing still?' and said in first.why
    assert first.tone == TONES[verdict] and '95 % interval' in first.why
    assert 'further off in 1 of 2 recordings: seed_000000.' in first.why
    assert not {'Not asked', 'None set'} & {each.answer for each in others}
    assert headline(alone) == BESIDE_STILL[verdict]
    write_replay_page(tmp_path / 'page.html', alone, {})
    assert (tmp_path / 'page.html').read_text().count('✗ worse than standing still') == 1


def test_recording_has_one_action_error(result, dom):
    """Catches a heading that averages decisions where the table averages steps."""
    for episode in result.episodes[:-1]:
        assert dom.count(f'value="{episode.figures["action_error"].value!r}"') == 2
