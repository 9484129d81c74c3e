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

"""``record recover``: what becomes of leftovers."""

from pathlib import Path
import random
import shutil

from bags import (
    chunks,
    COUNT,
    fill,
    message,
    numbers,
    START_NS,
    STARTED,
    STEP_NS,
    storage,
    tear,
    torn,
    tree,
    write_bag,
)
import pytest

from trimodal_ros.record.episode import EpisodeInfo, read_info
from trimodal_ros.record.reader import read_raw
from trimodal_ros.record.recover import recover, Recovery
from trimodal_ros.record.writer import EpisodeWriter


def run(root: Path, thorough: bool = True) -> list[Recovery]:
    return recover(root, thorough, show_progress=False)


def test_a_killed_recording_becomes_an_episode_that_says_so(tmp_path):
    """Catches a recovered episode that forgets what it is about, or passes for a closed one."""
    original = tree(torn(tmp_path))
    [recovery] = run(tmp_path)
    assert (recovery.result, recovery.messages) == ('recovered', COUNT)
    assert recovery.episode == tmp_path / 'one'
    assert tree(recovery.trash) == original and recovery.trash.parent == tmp_path / '.trash'
    assert numbers(tmp_path / 'one') == list(range(COUNT))
    info = read_info(tmp_path / 'one')
    assert (info.instruction, info.operator, info.outcome) == ('put it there', 'Ada', 'unknown')
    assert info.health['verdict'] == 'good'  # nothing is missing but the end
    told = info.health['recovered']
    assert told['from'] == 'one.partial' and told['missing'] == {}
    [loss] = told['losses']
    assert loss['what'] == 'ends without a footer'
    assert (loss['from_ns'], loss['to_ns']) == (START_NS + (COUNT - 1) * STEP_NS, None)
    assert any(finding.startswith('recovered: 60 messages') for finding in info.health['findings'])
    both = [(topic.qos, topic.type_hash, sent_ns) for topic, _, sent_ns, _
            in read_raw(tmp_path / 'one')]
    again = write_bag(tmp_path / 'again')
    assert both == [(topic.qos, topic.type_hash, sent_ns) for topic, _, sent_ns, _
                    in read_raw(again)]


def test_recovering_again_changes_nothing(tmp_path):
    """Catches a recovery that finds its own work, or its trash, in need of recovery."""
    torn(tmp_path), torn(tmp_path, 'two')
    write_bag(tmp_path / 'whole')
    assert [each.result for each in run(tmp_path)] == ['recovered', 'recovered']
    before = tree(tmp_path)
    assert run(tmp_path) == [] and tree(tmp_path) == before


def test_what_was_noted_last_is_known(tmp_path):
    """Catches a start record that hides what the recorder learned later."""
    writer = EpisodeWriter(tmp_path / 'one', STARTED, sync_s=0.001)
    fill(writer, 3)
    writer.note(EpisodeInfo(**{**vars(STARTED), 'checkpoint': 'abc', 'health': {
        'verdict': 'bad', 'findings': ['camera was frozen']}}))
    while writer.unsynced_s:
        pass
    writer.abandon()
    run(tmp_path)
    info = read_info(tmp_path / 'one')
    assert info.checkpoint == 'abc' and info.health['verdict'] == 'bad'
    assert info.health['findings'][0] == 'camera was frozen'


def test_a_closed_bag_without_metadata_loses_nothing(tmp_path):
    """Catches an outcome forgotten because the process died just before the last rename."""
    tear(write_bag(tmp_path / 'one', outcome='failure'))
    [recovery] = run(tmp_path)
    info = read_info(recovery.episode)
    assert recovery.losses == () and info.outcome == 'failure'
    assert info.health['verdict'] == 'good'


def test_bags_of_ros2_bag_record_are_recovered(tmp_path):
    """Catches leftovers of others passed over: no metadata.yaml, and files that were split."""
    first, second = write_bag(tmp_path / 'first'), write_bag(tmp_path / 'second')
    (first / 'metadata.yaml').unlink()
    shutil.move(storage(second), first / 'first_1.mcap')
    shutil.rmtree(second)
    [recovery] = run(tmp_path)
    assert numbers(recovery.episode) == sorted(2 * list(range(COUNT)))
    assert read_info(recovery.episode).instruction == 'put it there'


def test_folders_of_other_mcap_files_are_left_alone(tmp_path):
    """Catches a collection of recordings poured into one episode."""
    for name in ('monday', 'tuesday'):
        path = write_bag(tmp_path / name)
        shutil.move(storage(path), tmp_path / f'{name}.mcap')
        shutil.rmtree(path)
    before = tree(tmp_path)
    assert run(tmp_path) == [] and tree(tmp_path) == before


def test_an_unknown_episode_says_that_it_is(tmp_path):
    """Catches a made-up instruction, and a bag refused for having none."""
    writer = EpisodeWriter(tmp_path / 'one', sync_s=0.001)
    fill(writer, 3)
    while writer.unsynced_s:
        pass
    writer.abandon()
    run(tmp_path)
    info = read_info(tmp_path / 'one')
    assert (info.instruction, info.robot, info.source) == ('', '', 'unknown')
    assert 'recovered: nothing is known of what it is about' in info.health['findings']
    assert info.health['verdict'] == 'bad'


@pytest.mark.parametrize('content', [None, b'', b'\x89MCAP0\r\n', bytes(5000)])
def test_what_holds_no_message_goes_to_the_trash(tmp_path, content):
    """Catches a name that stays taken for ever by an empty leftover."""
    partial = tmp_path / 'one.partial'
    partial.mkdir()
    if content is not None:
        (partial / 'one_0.mcap').write_bytes(content)
    [recovery] = run(tmp_path)
    assert recovery.result == 'empty' and recovery.trash.is_dir() and not partial.exists()
    write_bag(tmp_path / 'one')


def test_a_taken_name_is_not_overwritten(tmp_path):
    """Catches a recovered episode in the place of a whole one."""
    torn(tmp_path)
    shutil.move(tmp_path / 'one.partial', tmp_path / 'aside')
    whole = tree(write_bag(tmp_path / 'one', 5))
    shutil.move(tmp_path / 'aside', tmp_path / 'one.partial')
    [recovery] = run(tmp_path)
    assert recovery.episode == tmp_path / 'one_2' and tree(tmp_path / 'one') == whole


def test_a_cut_off_at_any_byte_is_recovered(memory):
    """Catches an offset at which the rest of the file is lost, or something is made up."""
    whole = write_bag(memory / 'whole' / 'one')
    content, places, rng = storage(whole).read_bytes(), chunks(whole), random.Random(3)
    for end in [rng.randrange(len(content)) for _ in range(40)]:
        shutil.rmtree(memory / 'cut', ignore_errors=True)
        shutil.copytree(whole, memory / 'cut' / 'one')
        tear(memory / 'cut' / 'one', end)
        [recovery] = run(memory / 'cut', thorough=False)
        left = [n for _, last, in_it in places for n in in_it if last <= end]
        if left:
            assert numbers(recovery.episode) == left
        else:
            assert recovery.result == 'empty'


def test_a_damaged_episode_is_replaced_and_says_what_is_missing(tmp_path):
    """Catches a bad chunk in the middle of an episode that training then stumbles over."""
    path = write_bag(tmp_path / 'one')
    first, end, _ = chunks(path)[3]
    content = bytearray(storage(path).read_bytes())
    content[end - 5] ^= 1
    storage(path).write_bytes(content)
    damaged = tree(path)
    assert run(tmp_path, thorough=False) == []  # its frame is right
    [recovery] = run(tmp_path)
    assert recovery.episode == path and tree(recovery.trash) == damaged
    got, info = numbers(path), read_info(path)
    lost = sorted(set(range(COUNT)) - set(got))
    assert lost == list(range(lost[0], lost[-1] + 1)) and 5 < len(lost) < 12
    [loss] = recovery.losses
    assert (loss.offset, loss.length) == (first, end - first)
    assert loss.from_ns == START_NS + (lost[0] - 1) * STEP_NS
    assert loss.to_ns == START_NS + (lost[-1] + 1) * STEP_NS
    assert info.outcome == 'success' and info.health['verdict'] == 'bad'
    assert sum(info.health['recovered']['missing'].values()) == len(lost)


def test_reordered_chunks_are_put_in_order_and_told(tmp_path):
    """Catches an episode in which what came later comes first."""
    path = tmp_path / 'one'
    writer = EpisodeWriter(path, STARTED, sync_s=0.001)
    writer.add_topic('words', 'std_msgs/msg/String')
    for n in range(6):  # a chunk a message, 2 s apart
        writer.write('words', START_NS + n * 2 * 10**9, message(n))
        while writer.unsynced_s:
            pass
    writer.close(STARTED)
    content, places = storage(path).read_bytes(), chunks(path)
    (a, a_end, _), (b, b_end, _) = places[1], places[4]
    storage(path).write_bytes(content[:a] + content[b:b_end] + content[a_end:b]
                              + content[a:a_end] + content[b_end:])
    [recovery] = run(tmp_path)
    assert numbers(path) == list(range(6))
    findings = read_info(path).health['findings']
    assert any('go back by' in finding for finding in findings)
    assert read_info(path).health['verdict'] == 'bad' and recovery.messages == 6


def test_partial_folders_of_others_are_left_alone(tmp_path):
    """Catches a checkpoint that is just being written, or whatever else, put into the trash."""
    (tmp_path / 'checkpoint.partial').mkdir()
    (tmp_path / 'checkpoint.partial' / 'model.safetensors').touch()
    (tmp_path / 'data.partial' / 'deep').mkdir(parents=True)
    assert run(tmp_path) == []
    assert (tmp_path / 'checkpoint.partial').exists() and (tmp_path / 'data.partial').exists()
