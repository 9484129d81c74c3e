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


"""Asking the index: sentences, pictures and motions, and instructions that were not followed."""

import base64
import json
from pathlib import Path
import shutil

import cv2
import numpy as np
import pytest
import torch

from trimodal_ros.evaluate.__main__ import main
from trimodal_ros.evaluate.disagreement import agreements, same_told, told_margins
from trimodal_ros.evaluate.index import IndexedEpisode, update_index
from trimodal_ros.evaluate.query import (
    best_moments,
    Hit,
    image_query,
    moment_query,
    Query,
    QueryError,
    sentence_query,
)
from trimodal_ros.evaluate.search import print_rows, Request, write_contact_sheet
from trimodal_ros.observe.image import to_rgb
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.record.episode import find_episodes
from trimodal_ros.record.messages import serialize
from trimodal_ros.record.reader import read_messages

EVERY_S = 0.2


@pytest.fixture(scope='module')
def policy(small_checkpoint):
    return load_checkpoint(small_checkpoint)


@pytest.fixture(scope='module')
def bags(episodes, tmp_path_factory):
    """The four demonstrations, and one of them a second time."""
    folder = shutil.copytree(episodes, tmp_path_factory.mktemp('search') / 'bags')
    shutil.copytree(folder / 'seed_2', folder / 'again')
    return folder


@pytest.fixture(scope='module')
def index(policy, bags):
    return update_index(policy, bags, EVERY_S)


def units(rng, *shape):
    z = rng.normal(size=shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def stored(name, z_ND, instruction='', task=''):
    return IndexedEpisode(Path(name), instruction, task, 0, np.arange(len(z_ND)) * 10**8,
                          {'vision_action': z_ND})


@pytest.mark.parametrize('per_episode', [1, 3])
def test_best_moments_are_those_of_the_slow_search(per_episode):
    """Catches a wrong order, a moment too many of an episode, the time of another moment."""
    rng = np.random.default_rng(0)
    episodes = [stored(f'e{n}', units(rng, 5 + n, 4)) for n in range(6)]
    query = Query('', units(rng, 4), 'both', left_out=Path('e3'))
    slow = []
    for episode in episodes:
        scores = sorted(((float(z @ query.z_D), 0.1 * n, episode.path)
                         for n, z in enumerate(episode.z['vision_action'])), reverse=True)
        slow += [] if episode.path == Path('e3') else scores[:per_episode]
    found = best_moments(episodes, query, 7, per_episode)
    assert [(hit.score, round(hit.seconds, 1), hit.episode) for hit in found] == [
        (pytest.approx(score), round(seconds, 1), path)
        for score, seconds, path in sorted(slow, reverse=True)[:7]]


@pytest.mark.parametrize('modality', ['vision', 'action'])
def test_duplicate_of_a_moment_is_its_best_match(index, bags, modality):
    """Catches a query from another moment than named, or one that finds itself."""
    query = moment_query(index, 'seed_2:0.6', modality, None)
    best = best_moments(index, query, 10)
    assert best[0].episode == bags / 'again' and best[0].seconds == pytest.approx(0.6)
    assert best[0].score == pytest.approx(1, abs=1e-5)
    assert len(best) == 4 and bags / 'seed_2' not in {hit.episode for hit in best}


def test_pictures_find_the_moment_they_were_taken_of(policy, index, bags, tmp_path):
    """Catches channels swapped, or another resize than the node's, between file and policy."""
    episode = next(iter(index))
    files = []
    for camera in policy.robot.cameras:
        message = next(m for topic, _, m in read_messages(episode.path) if topic == camera.topic)
        files.append(f'{camera.name}={tmp_path / camera.name}.png')
        cv2.imwrite(f'{tmp_path / camera.name}.png', to_rgb(message, '')[..., ::-1])
    assert np.allclose(image_query(policy, files, None).z_D, episode.z['vision'][0], atol=1e-4)
    with pytest.raises(QueryError, match=r"got \['front'\].*'wrist'"):
        image_query(policy, files[:1], None)
    with pytest.raises(QueryError, match='wrist.*not a picture'):
        image_query(policy, [files[0], f'wrist={tmp_path}/none.png'], None)


def test_sentence_is_asked_as_the_node_would_read_it(policy):
    """Catches white space that makes another query of the same sentence."""
    same = [sentence_query(policy, text, None).z_D for text in ('lift it', ' lift \n it ')]
    assert np.array_equal(*same)


def test_sentence_that_says_nothing_is_refused(policy):
    """Catches moments that match a sentence of which nothing is left."""
    with pytest.raises(QueryError, match='says nothing'):
        sentence_query(policy, '\u200b', None)


@pytest.mark.parametrize('moment, message', [
    ('seed_1', 'EPISODE:SECONDS'), ('seed_1:soon', 'EPISODE:SECONDS'),
    ('seed_9:0', 'seed_9.*0 times'), ('seed_1:50', r'at 0.0 to 1\.\d s')])
def test_moment_that_is_not_there_is_refused(index, moment, message):
    """Catches a search for the nearest thing to a typing error."""
    with pytest.raises(QueryError, match=message):
        moment_query(index, moment, 'vision', None)


@pytest.mark.parametrize('asked, message', [
    ({}, 'no query'), ({'sentence': 'a', 'motion': 'b:1'}, 'sentence and motion'),
    ({'disagreements': True, 'image': ('front=a.png',)}, 'image and disagreements'),
    ({'disagreements': True, 'by': 'vision'}, '--by'), ({'sentence': 'a', 'top': 0}, 'top')])
def test_exactly_one_thing_is_asked(asked, message):
    """Catches a query that silently wins over another one."""
    with pytest.raises(QueryError, match=message):
        Request(**asked)


def test_fused_vectors_are_for_sentences(index):
    """Catches scores between vectors that were never trained to lie together."""
    with pytest.raises(QueryError, match='sentences'):
        moment_query(index, 'seed_1:0', 'vision', 'both')


def test_margins_are_the_slow_ones():
    """Catches the own instruction, or one that means the same, taken for the best other."""
    rng = np.random.default_rng(1)
    done_ED, told_GD, own_E = units(rng, 9, 4), units(rng, 5, 4), rng.integers(5, size=9)
    same_GG = np.eye(5, dtype=bool)
    same_GG[0, 3] = same_GG[3, 0] = True
    margin_E, other_E = told_margins(done_ED, told_GD, own_E, same_GG)
    for e in range(9):
        others = [g for g in range(5) if not same_GG[own_E[e], g]]
        best = max(others, key=lambda g: done_ED[e] @ told_GD[g])
        assert other_E[e] == best
        assert margin_E[e] == pytest.approx(done_ED[e] @ (told_GD[own_E[e]] - told_GD[best]))
    with pytest.raises(ValueError, match='nothing to compare'):
        told_margins(done_ED, told_GD, own_E, np.ones((5, 5), bool))


class Words:
    """A policy that knows where three sentences lie."""

    def embed_sentences(self, sentences):
        known = {'left': [1.0, 0.0], 'to the left': [0.99, 0.141], 'right': [0.0, 1.0]}
        return torch.tensor([known[sentence] for sentence in sentences])


@pytest.mark.parametrize('tasks', [('L', 'L', 'R', 'R'), ('', '', '', '')])
def test_wrong_instruction_is_listed_first(tasks):
    """Catches a paraphrase that counts as another instruction, or an undecided start that counts.

    Every episode starts as if it went the other way.
    """
    left_ND, right_ND = np.eye(2)[[1, 0, 0, 0]], np.eye(2)[[0, 1, 1, 1]]
    told = zip(('left', 'to the left', 'right', 'right'), tasks)
    episodes = [stored(f'e{n}', z_ND, *each) for n, (z_ND, each) in enumerate(
        zip((left_ND, left_ND, right_ND, left_ND), told))]
    found = agreements(Words(), episodes, undecided_share=1 / 3)
    assert [each.margin < 0 for each in found] == [True, False, False, False]
    assert found[0].episode == Path('e3') and found[0].best_other in ('left', 'to the left')
    assert found[0].seconds == pytest.approx(0.3)


def test_same_words_of_other_tasks_stay_apart():
    """Catches tasks that are known to differ merged because the sentences are close."""
    told_GD = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert not same_told(['lift', 'push'], told_GD)[0, 1]
    assert same_told(['lift', ''], told_GD)[0, 1]


def test_contact_sheet_holds_the_pictures_itself(policy, bags, tmp_path):
    """Catches a page that shows another moment, or nothing once it is sent to somebody."""
    path = bags / 'seed_0'
    message = [m for topic, _, m in read_messages(path) if topic == 'front/image_raw'][4]
    stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    row = Hit(0.5, path, 0.4, stamp + 1000, '<lift> it')
    write_contact_sheet(tmp_path / 'out' / 'page.html', [row], 'a "query"', policy)
    page = (tmp_path / 'out' / 'page.html').read_text()
    source = page.split('src="')[1].split('"')[0]
    assert page.count('src=') == 1 and 'href=' not in page and '&lt;lift&gt; it' in page
    data = np.frombuffer(base64.b64decode(source.removeprefix('data:image/png;base64,')), 'u1')
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], to_rgb(message, ''))


def test_command_searches_what_it_can_and_says_what_it_cannot(
        small_checkpoint, episodes, tmp_path, capsys):
    """Catches an exit code of 0 over a damaged bag, or a table that doesn't fit the JSON."""
    bags = shutil.copytree(episodes, tmp_path / 'bags')
    (bags / 'seed_3' / 'metadata.yaml').write_text('torn')
    sentence = 'put the red cube on the left plate'
    with pytest.raises(SystemExit) as ended:
        main(['search', sentence, '--episodes', str(bags), '--checkpoint', str(small_checkpoint),
              '--top', '2', '--json', str(tmp_path / 'rows.json')])
    out, err = capsys.readouterr()
    assert ended.value.code == 1 and 'seed_3: damaged metadata.yaml' in err
    data = json.loads((tmp_path / 'rows.json').read_text())
    assert len(data['rows']) == 2 and len(data['refused']) == 1 and data['episodes'] == 3
    for row in data['rows']:
        assert f'{row["score"]:.3f}  {row["episode"]}' in out and row['instruction'] in out
    for bad, message in ((['--motion', 'seed_1:0'], 'sentence and motion'),
                         (['--episodes', str(bags), str(bags / 'seed_1')], 'lies in')):
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            main(['search', sentence, '--episodes', str(bags), '--checkpoint',
                  str(small_checkpoint), *bad])


def test_swapped_copies_of_the_benchmark_differ_in_the_instruction_only(episodes, tmp_path):
    """Catches a benchmark that measures right instructions, or other pictures."""
    from benchmarks.search import auroc, write_swapped
    originals = find_episodes(episodes)
    for path, copy in zip(originals, find_episodes(
            write_swapped(originals, tmp_path / 'swapped'))):
        for (topic, time_ns, before), (again, copied_ns, after) in zip(
                read_messages(path), read_messages(copy), strict=True):
            assert (topic, time_ns) == (again, copied_ns)
            changed = topic == 'instruction'
            assert (serialize(before) != serialize(after)) == changed
    assert auroc(np.array([0.5, 0.1]), np.array([0.1, -1.0])) == 0.875


def test_scores_are_explained_and_a_start_is_no_minus(policy, bags, tmp_path, capsys):
    """Catches numbers that nobody can read, and a moment at -0.0 s."""
    row = Hit(0.5, bags / 'seed_0', -0.01, 0, 'lift it')
    print_rows([row])
    write_contact_sheet(tmp_path / 'page.html', [row], 'a query', policy)
    for told in (capsys.readouterr().out, (tmp_path / 'page.html').read_text()):
        assert 'cosine of the query with what was seen' in told and '-0.0' not in told


def test_page_that_cannot_be_written_is_refused_at_once(tmp_path):
    """Catches an index that is made for nothing."""
    with pytest.raises(SystemExit, match='--html: .* is a folder'):
        main(['search', 'lift', '--episodes', str(tmp_path / 'none'), '--html', str(tmp_path)])
