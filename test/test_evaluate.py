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

from pathlib import Path

import cv2
import numpy as np
import pytest

from trimodal_ros.evaluate.film import camera_frames, write_animation, write_strip
from trimodal_ros.evaluate.page import write_page
from trimodal_ros.evaluate.rollout import make_trials, summarize, TrialResult
from trimodal_ros.evaluate.statistics import percentile, wilson_interval
from trimodal_ros.record.episode import find_episodes


@pytest.mark.parametrize('successes, trials', [(0, 10), (7, 9), (50, 50)])
def test_wilson_bounds_solve_its_equation(successes, trials):
    """Catches a slip in the closed form: at a bound the rate lies z deviations away."""
    for bound in wilson_interval(successes, trials):
        deviation = 1.959963984540054 * np.sqrt(max(0.0, bound * (1 - bound) / trials))
        assert abs(abs(successes / trials - bound) - deviation) < 1e-6


def test_percentile_is_the_slow_one():
    """Catches an index off by one."""
    values = list(np.random.default_rng(0).normal(size=57))
    for percent in (1, 50, 99, 100):
        slow = min(v for v in values if sum(w <= v for w in values) >= percent / 100 * 57)
        assert percentile(values, percent) == slow


def test_swapped_trials_name_another_visible_cube():
    """Catches a swap that keeps the object, or names one that isn't there."""
    for trial in make_trials(20, 7, ['put the {object} on the {place}'], swap=True):
        assert trial.layout.task.object != trial.scene_task.object
        assert trial.layout.task.object in trial.layout.cubes
        assert trial.layout.task.object in trial.instruction
        assert trial.scene_task.object not in trial.instruction


def test_summary_counts():
    results = [TrialResult(0, '', True, False, 30, ()),
               TrialResult(1, '', False, True, 100, ('x',))]
    figures = summarize(results)
    assert (figures['successes'], figures['followed_scene'], figures['refused_plans']) == (1, 1, 1)


def test_films_show_the_episode(episodes, tmp_path):
    """Catches a strip in wrong colours, or an animation that cannot be read back."""
    times_ns, images = camera_frames(find_episodes(episodes)[0], 'front/image_raw')
    write_strip(images, tmp_path / 'strip.png', frames=4)
    strip = cv2.cvtColor(cv2.imread(str(tmp_path / 'strip.png')), cv2.COLOR_BGR2RGB)
    height, width = images[0].shape[:2]
    assert np.array_equal(strip[:height, :width], images[0])
    assert np.array_equal(strip[height:, width:], images[-1])
    write_animation(times_ns, images, tmp_path / 'film.webp')
    done, animation = cv2.imreadanimation(str(tmp_path / 'film.webp'))
    assert done and len(animation.frames) == len(images)


def test_page_escapes_what_people_say(tmp_path):
    """Catches an instruction that becomes markup."""
    row = {'instruction': '<script>', 'success': True, 'seconds': 1.0, 'age_p50': 1.0,
           'age_p99': 2.0, 'strip': 's', 'animation': 'a', 'episode': 'e'}
    write_page('demo_page', Path(tmp_path / 'p.html'), title='t', subtitle='s', rows=[row])
    text = (tmp_path / 'p.html').read_text()
    assert '<script>' not in text and '&lt;script&gt;' in text
