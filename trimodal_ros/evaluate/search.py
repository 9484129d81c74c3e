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

"""The search command: bring the indexes up to date, ask them, show what was found."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
import itertools
from pathlib import Path
import sys
from typing import Annotated

import cv2
import tyro

from .disagreement import Agreement, agreements
from .index import Index, update_index
from .page import check_files, write_json, write_page
from .query import (
    best_moments,
    By,
    Hit,
    image_query,
    moment_query,
    Query,
    QueryError,
    sentence_query,
)
from ..observe.image import to_rgb
from ..observe.stamp import stamp_ns
from ..paths import shipped
from ..plan.checkpoint import load_checkpoint
from ..plan.policy import Policy
from ..record.episode import EpisodeError
from ..record.reader import read_messages
from ..spec import CameraSpec

SHIPPED = shipped().checkpoint
SENTENCE = tyro.conf.arg(metavar='[SENTENCE]')
KINDS = ('sentence', 'image', 'moment', 'motion', 'disagreements')


@dataclass(frozen=True)
class Request:
    """What is asked for: exactly one of the KINDS, and how many rows of it."""

    sentence: str = ''
    image: tuple[str, ...] = ()
    moment: str = ''
    motion: str = ''
    disagreements: bool = False
    by: By | None = None
    top: int = 10
    per_episode: int = 1

    def __post_init__(self):
        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise QueryError(f'got {" and ".join(given) or "no query"}; expected one of a '
                             'sentence, --image, --moment, --motion and --disagreements')
        if self.disagreements and self.by is not None:
            raise QueryError('--by: what was done is vision and action together')
        for name in ('top', 'per_episode'):
            if getattr(self, name) < 1:
                raise QueryError(f'{name}: {getattr(self, name)}, expected at least 1')


def search(sentence: Annotated[str, SENTENCE] = '', /, *, episodes: tuple[Path, ...],
           checkpoint: Path = SHIPPED, image: tuple[str, ...] = (), moment: str = '',
           motion: str = '', disagreements: bool = False, by: By | None = None, top: int = 10,
           per_episode: int = 1, every_s: float = 0.2,
           json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
           html: Path | None = None) -> None:
    """
    Find moments in recorded episodes, or episodes that were not done as told.

    Give one of: a sentence, --image, --moment, --motion, --disagreements. Exits with 1 if an
    episode could not be read; the others are searched all the same.

    :param sentence: Words that say what is to be seen and done.
    :param episodes: Directories with episodes in them; each gets its index in .trimodal_index.
    :param checkpoint: Checkpoint folder.
    :param image: A picture for each camera: front=a.png wrist=b.png.
    :param moment: EPISODE:SECONDS; finds what looks like it in other episodes.
    :param motion: EPISODE:SECONDS; finds where other episodes move like it.
    :param disagreements: List episodes which another episode's instruction fits better.
    :param by: What of a moment is compared (default: both with a sentence, vision with an
        image, action with a motion).
    :param top: Rows shown.
    :param per_episode: Moments of one episode among them, at most.
    :param every_s: Seconds between the moments that are indexed.
    :param json_file: File that gets the rows.
    :param html: File that gets a page with each row's picture, to open in a browser.
    """
    try:
        check_files(json=json_file, html=html)
        request = Request(sentence, image, moment, motion, disagreements, by, top, per_episode)
        refused = run(checkpoint, episodes, request, every_s, json_file, html)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    raise SystemExit(1 if refused else 0)


def run(checkpoint: Path, roots: Sequence[Path], request: Request, every_s: float,
        json_file: Path | None, html: Path | None) -> list[str]:
    """Update the indexes, answer, print and write; return why episodes were refused."""
    policy = load_checkpoint(checkpoint)
    indexes = [update_index(policy, root, every_s) for root in _separate(roots)]
    refused = [reason for index in indexes for reason in index.refused]
    for reason in refused:
        print(f'refused: {reason}', file=sys.stderr)
    episodes = sum(len(index.files) for index in indexes)
    if not episodes:
        raise EpisodeError('no episode could be indexed')
    rows, what = answer(policy, indexes, request)
    embedded = sum(index.embedded for index in indexes)
    print(f'{what} ({episodes} episodes, {embedded} of them embedded now)\n')
    print_rows(rows)
    if json_file is not None:
        write_json(json_file, {
            'checkpoint': policy.content_hash, 'query': what, 'episodes': episodes,
            'refused': refused, 'rows': [asdict(row) for row in rows]})
    if html is not None:
        write_contact_sheet(html, rows, what, policy)
        print(f'page: {html.resolve()}')
    return refused


def answer(policy: Policy, indexes: Sequence[Index],
           request: Request) -> tuple[list[Hit] | list[Agreement], str]:
    """Return the rows a request asks for, best first, and what it was in words."""
    episodes = itertools.chain.from_iterable(indexes)
    if request.disagreements:
        found = [each for each in agreements(policy, episodes) if each.margin < 0]
        return found[:request.top], f'{len(found)} fit another instruction better'
    query = _query(policy, indexes, request)
    return best_moments(episodes, query, request.top, request.per_episode), query.what


def _query(policy: Policy, indexes: Sequence[Index], request: Request) -> Query:
    episodes = itertools.chain.from_iterable(indexes)
    if request.sentence:
        return sentence_query(policy, request.sentence, request.by)
    if request.image:
        return image_query(policy, request.image, request.by)
    if request.moment:
        return moment_query(episodes, request.moment, 'vision', request.by)
    return moment_query(episodes, request.motion, 'action', request.by)


def _separate(roots: Sequence[Path]) -> Sequence[Path]:
    for one, other in itertools.permutations([Path(root).resolve() for root in roots], 2):
        if one.is_relative_to(other):
            raise EpisodeError(f'{one} lies in {other}: each episode is to be given once')
    return roots


def meaning(rows: Sequence[Hit | Agreement]) -> str:
    """Say what the rows' scores are."""
    if rows and isinstance(rows[0], Agreement):
        return ('The margin is how much better the own instruction fits what was seen and done '
                'than another; below 0 the other fits better.')
    return ('The score is the cosine of the query with what was seen, done, or both, in the '
            "checkpoint's space: 1 is the same, about 0 is unrelated. Moments with the highest "
            'are found, whether they fit well or not; recorded instructions are not compared.')


def print_rows(rows: Sequence[Hit | Agreement]) -> None:
    """Print hits, or disagreements, as a table."""
    if not rows:
        print('none found')
        return
    width = max(len(str(row.episode)) for row in rows)
    print(f'{meaning(rows)}\n')
    score = 'margin' if isinstance(rows[0], Agreement) else ' score'
    print(f'{score}  {"episode":{width}}  seconds  instruction')
    for row in rows:
        print(f'{row.score:6.3f}  {str(row.episode):{width}}{row.seconds:z9.1f}  {row.text}')


def write_contact_sheet(path: Path, rows: Sequence[Hit | Agreement], what: str,
                        policy: Policy) -> None:
    """Write a page with each row's picture, of the robot's first camera, inside it."""
    camera = policy.robot.cameras[0]
    shown = [{'row': row, 'picture': _picture(row.episode, camera, row.stamp_ns)} for row in rows]
    write_page('search_page', path, title=what, rows=shown, meaning=meaning(rows),
               subtitle=f'{camera.name} camera; checkpoint {policy.content_hash}')


def _picture(episode: Path, camera: CameraSpec, stamp: int) -> str:
    """Return the image captured nearest to ``stamp`` as a data URI."""
    images = (message for topic, _, message in read_messages(episode) if topic == camera.topic)
    nearest = min(images, key=lambda message: abs(stamp_ns(message.header.stamp) - stamp))
    _, data = cv2.imencode('.png', cv2.cvtColor(to_rgb(nearest, camera.name), cv2.COLOR_RGB2BGR))
    return 'data:image/png;base64,' + base64.b64encode(data).decode()
