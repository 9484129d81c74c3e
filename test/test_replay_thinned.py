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

"""What is drawn of recordings: it is bounded, no peak is lost, and what was bad is seen."""

from dataclasses import replace

import numpy as np
import pytest

from trimodal_ros.command.decision import Refusal
from trimodal_ros.evaluate.replay.assemble import put_together
from trimodal_ros.evaluate.replay.decisions import ReplayedDecision
from trimodal_ros.evaluate.replay.drawing import draw_moment
from trimodal_ros.evaluate.replay.judge import Judge, MOST_ROWS, Yardstick
from trimodal_ros.evaluate.replay.offline import duration_of, Job, known_duration, Outcome
from trimodal_ros.evaluate.replay.result import Episode
from trimodal_ros.evaluate.replay.thinned import Envelope, extremes
from trimodal_ros.spec import NS_PER_S

CARRIED_OUT = 6   # steps of each plan


def long_motion(robot, count):
    """Return many decisions, three of which have a peak; those places."""
    up, down, refused = count // 3, count // 2, 2 * count // 3
    decisions = [ReplayedDecision.make_example(robot, CARRIED_OUT * n) for n in range(count)]
    for place, peak_rad in ((up, 9.0), (down, -9.0)):
        planned_TJ = decisions[place].planned_TJ.copy()
        planned_TJ[2, 1] = peak_rad
        decisions[place] = replace(decisions[place], planned_TJ=planned_TJ)
    decisions[refused] = replace(decisions[refused], refusal=Refusal('late', 'late: by 1 s'))
    return decisions, (up, down, refused)


def judged(robot, decisions, rows):
    judge = Judge(Yardstick(robot, 0.6, np.zeros(len(robot.joints)), rows=rows), 0)
    for decision in decisions:
        judge.add(decision)
    return judge.end(decisions[-1].stamp_ns)


@pytest.mark.parametrize('count, rows', [(12, 100), (400, 100), (999, 64)])
def test_no_peak_of_a_long_recording_is_lost(so101, count, rows):
    """Catches a spike of one joint, or a refusal, that falls between the points of a curve."""
    decisions, (up, down, refused) = long_motion(so101, count)
    came = judged(so101, decisions, rows)
    result = put_together([Outcome(Episode('bag', duration_s=1e9), (came, came))], so101,
                          ['one', 'other'], {}, 'offline')
    curves, series = result.episodes[0].curves, result.episodes[0].series
    joint = so101.joint_names[1]
    assert len(curves.time_s) <= rows + 2 and len(series.time_s) <= rows
    assert list(curves.time_s) == sorted(curves.time_s)
    for place, peak_rad in ((up, 9.0), (down, -9.0)):
        for part in (curves.planned, curves.baseline):
            drawn_s = curves.time_s[part[joint].index(peak_rad)]
            peak_s = decisions[place].stamp_ns / NS_PER_S + 3 / so101.rate_hz
            assert abs(drawn_s - peak_s) < 4 * count * CARRIED_OUT / so101.rate_hz / rows
        assert decisions[place].stamp_ns in series.stamp_ns
    assert series.status[series.stamp_ns.index(decisions[refused].stamp_ns)] == 'late'
    recorded_N = np.concatenate([each.recorded_TJ[:CARRIED_OUT, 0] for each in decisions])
    drawn_N = curves.recorded[so101.joint_names[0]]
    assert (max(drawn_N), min(drawn_N)) == pytest.approx(
        (recorded_N.max(), recorded_N.min()), abs=1e-4)


def test_envelope_is_that_of_all_rows_however_it_was_made():
    """Catches extremes that are lost when groups are joined, and gaps that are filled."""
    rng = np.random.default_rng(0)
    row_NK = np.column_stack([np.arange(1000.0), rng.normal(size=(1000, 3))])
    row_NK[100:300, 2] = np.nan
    envelope = Envelope(64)
    for block_NK in np.array_split(row_NK, 70):
        envelope.extend(block_NK)
    kept_NK = envelope.rows()
    assert len(kept_NK) <= 66
    np.testing.assert_array_equal(kept_NK, extremes(row_NK, envelope._size))
    assert np.isnan(kept_NK[:, 2]).any()
    np.testing.assert_array_equal(np.nanmax(kept_NK, axis=0), np.nanmax(row_NK, axis=0))
    np.testing.assert_array_equal(np.nanmin(kept_NK, axis=0), np.nanmin(row_NK, axis=0))


def test_recordings_share_what_is_drawn_by_their_length(episodes, shipped, so101, tmp_path):
    """Catches an hour that is drawn as coarsely as each of a thousand short recordings."""
    paths = [episodes / 'seed_0', episodes / 'seed_1', tmp_path / 'none']
    total_s = sum(map(known_duration, paths))
    assert total_s == pytest.approx(sum(map(duration_of, paths[:2])))
    shares = [Job((shipped,), total_s=total_s).yardstick(path, so101).rows for path in paths[:2]]
    assert sum(shares) == pytest.approx(MOST_ROWS, abs=2)
    assert shares[0] / shares[1] == pytest.approx(
        duration_of(paths[0]) / duration_of(paths[1]), rel=1e-3)
    assert Job((shipped,)).yardstick(paths[0], so101).rows == MOST_ROWS


def test_worst_moment_shows_the_plan_that_was_so_bad(so101):
    """Catches curves that agree under an error that lies further ahead in the plan."""
    decisions = [ReplayedDecision.make_example(so101, 6 * n) for n in range(9)]
    joint, planned_TJ = so101.joint_names[1], decisions[4].planned_TJ.copy()
    planned_TJ[-4:, 1] = 7.0   # steps that are planned anew before they come
    decisions[4] = replace(decisions[4], planned_TJ=planned_TJ)
    decisions[6] = replace(decisions[6], refusal=Refusal('limits', 'a limit', 'of another robot'))
    outcome = Outcome(Episode('example/seed_000000', duration_s=1e9),
                      (judged(so101, decisions, MOST_ROWS),))
    result = put_together([outcome], so101, ['one'], {}, 'offline')
    worst, *_ = result.worst
    assert worst.joint == joint and worst.why.endswith(f'{joint} most')
    np.testing.assert_allclose(worst.planned, planned_TJ[:, 1], atol=1e-4)
    assert max(result.episodes[0].curves.planned[joint]) < 7.0
    drawing = draw_moment(worst, {worst.episode: result.episodes[0]}, result.robot.units, 0.1)
    [row] = drawing.rows
    assert [line.kind for line in row.lines] == ['recorded', 'planned', 'then']
    assert float(row.high) >= 7.0
    assert [each.joint for each in result.worst if each.measure == 'refused'] == ['']
