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
How well search finds what was done, and notices a wrong instruction.

    python -m trimodal_ros.sim demonstrate --out OUT/search --episodes 60 --seed 510000
    python -m benchmarks.search --episodes OUT/search --checkpoint CHECKPOINT

The episodes must be none that training saw. Every third one is copied with the instruction of
another task, and sentences are asked in words no checkpoint is trained on.
"""

from __future__ import annotations

from dataclasses import replace
import itertools
import json
from pathlib import Path
import tempfile

import numpy as np
import tyro

from trimodal_ros.evaluate.disagreement import agreements
from trimodal_ros.evaluate.index import Index, IndexedEpisode, update_index
from trimodal_ros.evaluate.query import best_moments, sentence_query
from trimodal_ros.paths import share_dir, shipped
from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.plan.policy import Policy
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.episode import EpisodeInfo, find_episodes, read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.qos import LATCHED, RELIABLE
from trimodal_ros.record.reader import read_messages
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.sim.layout import make_layout, OBJECTS, PLACES, Task
from trimodal_ros.sim.sentences import draw_sentences, read_templates, say

SHIPPED = shipped().checkpoint
WORDS = share_dir() / 'config' / 'instructions'
EVERY_S = 0.2
TOP = 10
SWAP_EVERY = 3
UNDECIDED_SHARES = (0.0, 1 / 3, 1 / 2, 2 / 3)


def main(episodes: Path, checkpoint: Path = SHIPPED,
         templates: Path = WORDS / 'heldout.txt') -> None:
    """
    Print the share of right hits, and how well wrong instructions are told from right ones.

    :param episodes: Directory of simulated demonstrations that training never saw.
    :param checkpoint: Checkpoint folder.
    :param templates: Sentences to ask with, one a line, with {object} and {place}.
    """
    policy = load_checkpoint(checkpoint)
    index = update_index(policy, episodes, EVERY_S)
    words = read_templates(templates)
    print(f'checkpoint {policy.content_hash}, {len(index.files)} episodes, moments every '
          f'{EVERY_S} s, {len(words)} sentences a task\n')
    for by in ('both', 'vision', 'action'):
        report_hits(policy, index, words, by)
    with tempfile.TemporaryDirectory() as folder:
        swapped = write_swapped(find_episodes(episodes)[::SWAP_EVERY], Path(folder) / 'swapped')
        wrong = update_index(policy, swapped, EVERY_S)
        stored = [*index, *wrong]
        report_margins(policy, stored, set(wrong.files), 'tasks known')
        report_margins(policy, [replace(episode, task='') for episode in stored],
                       set(wrong.files), 'only sentences known')


def report_hits(policy: Policy, index: Index, words: list[str], by: str) -> None:
    """Print the share of hits whose task is the one asked for, of as many as there could be."""
    stored = list(index)
    task_of = {episode.path: episode.task for episode in stored}
    right, possible, first, asked = 0, 0, 0, 0
    for *names, template in itertools.product(OBJECTS, PLACES, words):
        task = Task(*names)
        wanted = json.dumps(vars(task), sort_keys=True)
        count = min(TOP, sum(each == wanted for each in task_of.values()))
        query = sentence_query(policy, say(task, template), by)
        found = [task_of[hit.episode] == wanted for hit in best_moments(stored, query, TOP)]
        right, possible = right + sum(found[:count]), possible + count
        first, asked = first + found[0], asked + 1
    print(f'by {by}: first hit right {100 * first / asked:.1f} % of {asked} queries; of the top '
          f'{TOP} (or as many as there are of the task) {100 * right / possible:.1f} % right')


def report_margins(policy: Policy, stored: list[IndexedEpisode], swapped: set[Path],
                   what: str) -> None:
    """Print the AUROC of the margin, and what a margin below 0 finds."""
    print(f'\nswapped instructions in {len(swapped)} of {len(stored)} episodes, {what}')
    for share in UNDECIDED_SHARES:
        found = agreements(policy, stored, share)
        wrong = np.array([each.margin for each in found if each.episode in swapped])
        true = np.array([each.margin for each in found if each.episode not in swapped])
        print(f'without the first {100 * share:2.0f} %: AUROC {auroc(true, wrong):.4f}; below 0 '
              f'{(wrong < 0).sum()} of {len(wrong)} swapped and {(true < 0).sum()} of '
              f'{len(true)} true; nearest margins {wrong.max():+.3f} and {true.min():+.3f}')


def auroc(true: np.ndarray, wrong: np.ndarray) -> float:
    """
    Return the chance that a true one's margin is the larger, ties half (Mann & Whitney 1947).

    >>> auroc(np.array([0.5, 0.1]), np.array([0.1, -1.0]))
    0.875
    """
    return float((np.sign(true[:, None] - wrong) + 1).mean() / 2)


def write_swapped(episodes: list[Path], out: Path) -> Path:
    """Copy episodes, told to take another cube in view or, in turn, to use the other plate."""
    out.mkdir()
    words = read_templates(WORDS / 'train.txt')
    for number, path in enumerate(progress_bar(episodes, desc='swap', unit='ep')):
        info = read_info(path)
        task = (make_layout(info.seed).with_other_object().task if number % 2 == 0 else
                replace(Task(**info.task), place=next(
                    place for place in PLACES if place != info.task['place'])))
        sentence, *others = draw_sentences(task, words, 13, np.random.default_rng(number))
        rewrite(path, out / path.name, replace(
            info, instruction=sentence, paraphrases=tuple(others), task=vars(task)))
    return out


def rewrite(path: Path, copy: Path, info: EpisodeInfo) -> None:
    """Copy an episode with another instruction, in its metadata and on its topic."""
    writer, topics = EpisodeWriter(copy), set()
    for topic, time_ns, message in read_messages(path):
        if topic not in topics:
            writer.add_topic(topic, message.__msgtype__,
                             [LATCHED if topic == 'instruction' else RELIABLE])
            topics.add(topic)
        if topic == 'instruction':
            message = BAG_TYPES.String(data=info.instruction)
        writer.write(topic, time_ns, serialize(message))
    writer.close(info)


if __name__ == '__main__':
    tyro.cli(main, description=__doc__)
