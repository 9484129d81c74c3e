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

"""What a recovered episode says of itself."""

from __future__ import annotations

from dataclasses import asdict, replace

from .episode import EpisodeInfo
from .salvage import Salvage
from .stage import RECOVERED

UNKNOWN = EpisodeInfo(instruction='', robot='', source='unknown')


def salvaged_info(salvage: Salvage) -> EpisodeInfo:
    """
    Return what is known of an episode, after its last message, and in ``health`` what is lost.

    ``health['recovered']`` is ``{'from': folder, 'losses': [where], 'missing': {topic: number of
    messages, where that is known}}``. The verdict is 'bad' where it was before, and where more
    is lost than the last moments before the recording broke off.
    """
    info, missing = salvage.info or UNKNOWN, salvage.missing()
    findings = list(_findings(salvage, missing))
    is_bad = (bool(findings) or info.health.get('verdict') == 'bad'
              or any(loss.to_ns is not None for loss in salvage.losses))
    return replace(info, health={
        **info.health, 'verdict': 'bad' if is_bad else 'good',
        'findings': [*info.health.get('findings', ()), _summary(salvage), *findings],
        RECOVERED: {'from': salvage.folder.name, 'missing': missing,
                    'losses': [asdict(loss) for loss in salvage.losses]}})


def _summary(salvage: Salvage) -> str:
    lost = sum(loss.length for loss in salvage.losses)
    return (f'recovered: {salvage.counts.total()} messages; {lost} bytes in '
            f'{len(salvage.losses)} places could not be read')


def _findings(salvage: Salvage, missing: dict[str, int]):
    if salvage.info is None:
        yield 'recovered: nothing is known of what it is about'
    for topic, count in missing.items():
        yield f'recovered: {count} messages of {topic!r} are missing'
    if salvage.undefined:
        yield f'recovered: {salvage.undefined} messages of topics defined nowhere were left out'
    if salvage.step_back_s:
        yield (f'recovered: times of receipt go back by {salvage.step_back_s:.3f} s: chunks were '
               'reordered, or a clock was set; messages are in the order of receipt')
