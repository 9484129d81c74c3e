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

from dataclasses import replace
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trimodal_ros.command.decision import Decision, Refusal, STAGES
from trimodal_ros.command.outlet import Told
from trimodal_ros.evaluate.__main__ import describe
from trimodal_ros.evaluate.film import camera_frames, write_animation, write_strip
from trimodal_ros.evaluate.page import write_page
from trimodal_ros.evaluate.rollout import make_trials, summarize, TrialResult
from trimodal_ros.evaluate.statistics import percentile, sign_test, wilson_interval
from trimodal_ros.record.episode import find_episodes
from trimodal_ros.spec import Observation


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


@pytest.mark.parametrize('wins, losses', [(0, 0), (7, 2), (2, 7), (5, 5), (12, 0)])
def test_sign_test_sums_what_is_as_uneven(wins, losses):
    """Catches one tail counted for both, or the middle counted twice."""
    count = wins + losses
    slow = sum(1 for coins in range(2 ** count)
               if abs(2 * coins.bit_count() - count) >= abs(wins - losses)) / 2 ** count
    assert sign_test(wins, losses) == pytest.approx(slow)


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


def test_refused_decisions_count_too(so101):
    """Catches latencies without the late decisions, and those of another sentence among them."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.conductor import count_decisions, TaskResult
    from trimodal_ros.nodes.decision_message import decision_message
    from trimodal_ros.nodes.ros_rollout import latencies, trial_result
    [trial] = make_trials(1, 7, ['put the {object} on the {place}'], swap=True)
    seen = Observation.make_example(so101)
    stages_ms = {stage: 2.0 for stage in STAGES}
    decided = [(seen, Refusal(), 30.0), (seen, Refusal('late', 'the image is old'), 400.0),
               (seen, Refusal('limits', 'outside', 'gripper'), 40.0),
               (replace(seen, instruction='said before'), Refusal('late', 'late'), 900.0)]
    result = TaskResult(f' {seen.instruction}  ', False, 1.0, did_scene_task=True)
    count_decisions(result, [
        decision_message(Decision(observation, None, refusal, stages_ms), Told(), age_ms,
                         'hash')
        for observation, refusal, age_ms in decided])
    assert latencies([result])['observation age at decision']['max'] == 400.0
    assert latencies([result])['model call']['count'] == 3
    assert trial_result(trial, result).refusals == ('the image is old', 'outside')
    assert trial_result(trial, result).followed_scene


def test_real_time_factor_is_of_the_trials():
    """Catches the nodes' start among the trials, and a part of a scene counted for the whole."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.ros_rollout import robot_figures
    figures = robot_figures('scene 9: a\nreal-time factor 0.100\nscene 1: a\n'
                            'real-time factor 0.500\nreal-time factor 1.000\nscene 2: a\n'
                            'trajectory refused: x\nreal-time factor 0.800\n')
    assert figures == {'real_time_factor': pytest.approx(0.9), 'refused_by_controller': 1}


def test_figures_without_a_decision_are_json():
    """Catches NaN, which JSON does not have, where nothing was decided or reported."""
    pytest.importorskip('rclpy')
    from trimodal_ros.nodes.conductor import TaskResult
    from trimodal_ros.nodes.ros_rollout import latencies, robot_figures
    figures = {**summarize([TrialResult(0, '', False, False, 100, ())]), 'ros': True,
               'swap_instruction': True, 'late_plans': 0, **robot_figures(''),
               'latency_ms': latencies([TaskResult('', False, 10.0)])}
    assert json.loads(json.dumps(figures, allow_nan=False))['real_time_factor'] is None
    assert 'model call: no decision' in describe(figures)
    assert 'real-time factor not reported' in describe(figures)


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
