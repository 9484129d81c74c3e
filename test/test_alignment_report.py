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
"""The command that judges a space: figures end to end, errors, and the page in a browser."""

from dataclasses import replace

from alignment_report import stand_in
import numpy as np
import pytest
import torch

from trimodal_ros.evaluate.__main__ import main
from trimodal_ros.evaluate.alignment import DIRECTIONS, measure, near_duplicates
from trimodal_ros.evaluate.gallery import embed_episodes, Gallery, GalleryError
from trimodal_ros.plan.checkpoint import content_hash, load_checkpoint, save_checkpoint
from trimodal_ros.plan.policy import Policy
from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.record.moments import read_labelled


@pytest.fixture(scope='module')
def policy(small_checkpoint):
    return load_checkpoint(small_checkpoint)


@pytest.fixture(scope='module')
def gallery(policy, episodes):
    """All moments of the episodes, in order."""
    return embed_episodes(policy, [episodes], 1000, 'demonstration', 1)


def test_command_reports_everything(report, small_checkpoint, so101):
    """Catches a figure left out, one without its checkpoint, and half-written files."""
    figures = report.figures
    assert figures['checkpoint'] == content_hash(small_checkpoint)
    assert (figures['moments'], figures['episodes']) == (40, 4)
    assert len(figures['retrieval']) == 9 and list(figures['within_task']) == ['V->A', 'A->V']
    for row in (*figures['retrieval'].values(), *figures['within_task'].values()):
        for kind in ('recall', 'chance'):
            at_1, at_5, at_10 = (row[f'{kind}_at_{k}'] for k in (1, 5, 10))
            assert 0 <= at_1 <= at_5 <= at_10 <= 1
    assert figures['tasks_off'] == ['trimodal']
    assert tuple(figures['action']['joint_rad']) == so101.joint_names
    assert len(figures['action']['step_rad']) == so101.horizon
    for name in (*DIRECTIONS, 'V->A, same task', 'CKA', 'uniformity', *so101.joint_names):
        assert name in report.printed
    assert sorted(path.name for path in report.out.iterdir()) == ['space.html', 'space.json']


def test_gallery_is_what_the_robot_would_see(policy, gallery, episodes):
    """Catches images, joints, sentences and chunks of different moments put together."""
    moments = [(path, moment.observation, moment.chunk_TJ) for path in find_episodes(episodes)
               for moment in read_labelled(path, policy.robot, 'demonstration')]
    assert len(moments) == len(gallery.group_N) == 48
    for index in range(0, 48, 5):
        path, observation, chunk_TJ = moments[index]
        info = read_info(path)
        np.testing.assert_allclose(gallery.target_NTJ[index], chunk_TJ, atol=1e-6)
        assert gallery.told[gallery.group_N[index]] == ', '.join(info.task.values())
        assert gallery.progress_N[index] == index % 12 / 12
        plans = [policy.plan(replace(observation, instruction=sentence)).position_TJ
                 for sentence in (info.instruction, *info.paraphrases)]
        assert any(np.allclose(gallery.predicted_NTJ[index], plan, atol=1e-4) for plan in plans)


def test_gallery_has_every_vector(policy, gallery, episodes):
    """Catches vectors under another's name, and pairs fused in the wrong order."""
    def same(name, z_ND):
        np.testing.assert_allclose(gallery.z[name], z_ND.detach().numpy(), atol=1e-5)
    z = {name: torch.from_numpy(z_ND) for name, z_ND in gallery.z.items()}
    observations = [moment.observation for path in find_episodes(episodes)
                    for moment in read_labelled(path, policy.robot, 'demonstration')]
    with torch.no_grad():
        same('vision', policy.embed_images({
            name: torch.from_numpy(np.stack([each.images[name] for each in observations]))
            .permute(0, 3, 1, 2) for name in observations[0].images}))
        same('action', policy.embed_motion(torch.from_numpy(gallery.target_NTJ)))
        same('vision_action', policy.fuse('vision_action', z['vision'], z['action']))
        same('language_action', policy.fuse('language_action', z['language'], z['action']))
    assert len({z_ND.tobytes() for z_ND in gallery.z.values()}) == 6


def test_gallery_of_some_moments_is_part_of_all(policy, gallery, episodes):
    """Catches vectors and their moments out of step, and episodes drawn from unevenly."""
    some = embed_episodes(policy, [episodes], 22, 'demonstration', 1, seed=3)
    assert len(some.group_N) == 22 and some.episodes == 4
    where = [int(np.abs(gallery.motion_NX - motion_X).sum(axis=1).argmin())
             for motion_X in some.motion_NX]
    assert sorted(np.bincount(np.array(where) // 12)) == [5, 5, 6, 6]
    for found in ('group_N', 'progress_N', 'target_NTJ'):
        assert np.array_equal(getattr(some, found), getattr(gallery, found)[where])
    for name in ('vision', 'action'):
        np.testing.assert_allclose(some.z[name], gallery.z[name][where], atol=1e-5)


MODALITY = {'V': 'vision', 'L': 'language', 'A': 'action', '(V,L)': 'vision_language',
            '(V,A)': 'vision_action', '(L,A)': 'language_action'}


def slow_recall_and_chance(gallery, direction, k, same_task=False):
    """Sort each query's gallery; count the draws of k that hold a match as chance does."""
    query, found = (MODALITY[side] for side in direction.split('->'))
    hits = chance = 0
    count, near_NN = len(gallery.group_N), near_duplicates(gallery.motion_NX, 0.02)
    for i in range(count):
        told = direction in ('V->L', 'L->V', 'L->A', 'A->L', '(V,A)->L')
        others = [j for j in range(count)
                  if (told or not near_NN[i, j])
                  and (not same_task or gallery.group_N[i] == gallery.group_N[j])]
        is_match = {j: gallery.group_N[i] == gallery.group_N[j] if told else i == j
                    for j in others}
        score = {j: np.dot(gallery.z[query][i], gallery.z[found][j]) for j in others}
        order = sorted(others, key=lambda j: (-score[j], is_match[j]))
        hits += any(is_match[j] for j in order[:k])
        miss = 1.0
        for drawn in range(min(k, len(others))):
            miss *= max(len(others) - sum(is_match.values()) - drawn, 0) / (len(others) - drawn)
        chance += 1 - miss
    return hits / count, chance / count


def many_tasks():
    """A gallery with near-duplicate motions, of which some are told the same."""
    example = Gallery.make_example(('push', 'lift', 'turn'), moments=31, seed=5)
    motion_NX = example.motion_NX.copy()
    motion_NX[21:25] = motion_NX[:4] + 0.001   # told the same
    motion_NX[26:30] = motion_NX[4:8] + 0.001  # told something else
    return replace(example, motion_NX=motion_NX)


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_every_direction_is_the_slow_one(direction):
    """Catches query and gallery swapped, moments for instructions, duplicates as mistakes."""
    gallery = many_tasks()
    assert near_duplicates(gallery.motion_NX, 0.02).sum() == 16
    figures = measure(stand_in(), gallery)
    for k in (1, 5, 10):
        row = figures['retrieval'][direction]
        assert (row[f'recall_at_{k}'], row[f'chance_at_{k}']) == pytest.approx(
            slow_recall_and_chance(gallery, direction, k))
        if direction in figures['within_task']:
            row = figures['within_task'][direction]
            assert (row[f'recall_at_{k}'], row[f'chance_at_{k}']) == pytest.approx(
                slow_recall_and_chance(gallery, direction, k, same_task=True))


def test_grippers_are_judged_at_the_middle_of_their_range():
    """Catches another joint's threshold, and joints taken for grippers."""
    gallery = many_tasks()
    p, t = gallery.predicted_NTJ[..., 2], gallery.target_NTJ[..., 2]
    expected = np.mean([(a > 0.2) == (b > 0.2) for a, b in zip(p.ravel(), t.ravel())])
    action = measure(stand_in(), gallery)['action']
    assert action['gripper_accuracy'] == {'爪': pytest.approx(expected)}


def test_a_space_with_nothing_to_tell_apart_is_refused():
    """Catches perfect figures of one instruction, and figures of a collapsed space."""
    example = Gallery.make_example()
    with pytest.raises(GalleryError, match="told 'push'"):
        replace(example, group_N=np.zeros(24, int))
    for broken, message in ((np.ones((24, 4)), 'collapsed'), (np.full((24, 4), np.nan), 'NaN')):
        with pytest.raises(GalleryError, match=f'^vision: .*{message}'):
            replace(example, z={**example.z, 'vision': broken})


def errors_of(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(['alignment', *map(str, arguments), '--workers', '1'])
    assert isinstance(ended.value.code, str) and '\n' not in ended.value.code
    assert ended.value.code.startswith('error: ')
    return ended.value.code


def test_errors_are_one_line(capsys, tmp_path, small_checkpoint, episodes, policy):
    """Catches a traceback where a path, a topic or a robot is wrong."""
    given = ('--checkpoint', small_checkpoint, '--episodes', episodes)
    assert 'checkpoint' in errors_of(capsys, '--checkpoint', tmp_path, '--episodes', episodes)
    assert str(tmp_path) in errors_of(capsys, *given[:3], tmp_path)
    assert '9 moments' in errors_of(capsys, *given, '--size', 9)
    assert "'joint_trajectory'" in errors_of(capsys, *given, '--label-topic', 'joint_trajectory')
    joints = (*policy.robot.joints[:-1], replace(policy.robot.joints[-1], name='claw'))
    other = Policy(policy.config, replace(policy.robot, joints=joints), policy.statistics,
                   policy.sentences)
    save_checkpoint(tmp_path / 'other', other, {}, '')
    assert 'claw' in errors_of(capsys, '--checkpoint', tmp_path / 'other', *given[2:])
