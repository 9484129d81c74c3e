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
Which frames a policy is trained on, and how much each counts.

When somebody takes over from a policy, what they do then shows what the policy didn't know
(HG-DAgger, Kelly 2019); it counts more, the policy's own motion less, and the stretch before it,
in which the policy went wrong, not at all (Sirius, Liu 2022).
Shapes: N frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Literal

import numpy as np

from .cache import Frames
from ..record.episode import EpisodeInfo
from ..spec import NS_PER_S

Outcome = Literal['success', 'failure', 'unknown']
BEFORE = 'before an intervention'
UNPROVEN = "the policy's own, of an episode that is no success"
UNHEARD = 'of a policy whose commands are not in the recording (joint_trajectory, remapped?)'
IDLE = 'before or after somebody commanded by hand'
NO_WEIGHT = 'of a kind whose weight is 0'
UNREADABLE = 'unreadable (python -m trimodal_ros.record recover saves the rest of damaged ones)'
BY_HAND = ('teleoperation', 'demonstration')


@dataclass(frozen=True)
class KindWeights:
    """
    How much a frame counts, beside one of another kind; 0 leaves the kind out.

    ``labelled``: on the label topic somebody said what to do. Else what was commanded is
    imitated: by hand all through the episode (``teleoperation``) or for a while
    (``intervention``), or by the policy itself (``policy``), in episodes that were a success.
    """

    labelled: float = 1.0         # somebody said what to do, on the label topic
    teleoperation: float = 1.0    # commanded by hand all through the episode
    intervention: float = 8.0     # commanded by hand for a while, against the policy
    policy: float = 0.25          # commanded by a policy, in an episode that was a success

    def __post_init__(self):
        for kind, weight in asdict(self).items():
            if not 0 <= weight < np.inf:
                raise ValueError(f'the weight of {kind} frames is {weight}, expected 0 or more')


@dataclass(frozen=True)
class Selection:
    """
    Which episodes and frames count.

    ``before_s`` before an intervention are left out, with all chunks that reach into them. Of the
    episodes those are left out that ended in one of ``leave_out_outcomes``, whose recording the
    recorder found bad, unless ``keep_unhealthy``, and those named in ``leave_out``; of others
    than ``only``, if that names any, none is taken. Both are paths.
    """

    weights: KindWeights = KindWeights()
    before_s: float = 1.0
    leave_out_outcomes: tuple[Outcome, ...] = ()
    keep_unhealthy: bool = False
    leave_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.before_s >= 0:
            raise ValueError(f'before_s: {self.before_s}, expected seconds, at least 0')

    def why_left_out(self, info: EpisodeInfo, path: Path) -> str:
        """Return why an episode is left out, '' if it isn't."""
        if info.outcome in self.leave_out_outcomes:
            return f'outcome {info.outcome}'
        if info.health.get('verdict') == 'bad' and not self.keep_unhealthy:
            return 'recording found bad; --keep-unhealthy takes it'
        if str(path.resolve()) in self.leave_out:
            return 'named to be left out'
        if self.only and str(path.resolve()) not in self.only:
            return 'not among those named'
        return ''


@dataclass(frozen=True, eq=False)
class Chosen:
    """How much each frame counts, and an account of it that JSON can hold."""

    weight_N: np.ndarray
    account: dict


def choose(frames: Frames, selection: Selection) -> Chosen:
    """
    Weigh every frame.

    Raises ValueError where nothing is left, or an episode is named that isn't there.
    """
    _check_named(frames, selection)
    kind_N = np.full(len(frames.episode_N), '', dtype=object)
    episodes_out = Counter({UNREADABLE: len(frames.unreadable)} if frames.unreadable else {})
    first_E = np.searchsorted(frames.episode_N, np.arange(len(frames.infos) + 1))
    for episode, info in enumerate(frames.infos):
        mine = slice(first_E[episode], first_E[episode + 1])
        why = selection.why_left_out(info, frames.paths[episode])
        if why:
            episodes_out[why] += 1
            kind_N[mine] = f'episode: {why}'
        else:
            kind_N[mine] = frame_kinds(frames, episode, mine, selection)
    weight_of = asdict(selection.weights)
    weight_N = np.array([weight_of.get(kind, 0.0) for kind in kind_N])
    if not weight_N.any():
        raise ValueError(f'no frame is left to train on: {dict(Counter(kind_N))}')
    return Chosen(weight_N, _account(frames, kind_N, weight_N, episodes_out))


def frame_kinds(frames: Frames, episode: int, mine: slice, selection: Selection) -> np.ndarray:
    """Return the kind of each of an episode's frames, or why it is left out."""
    info, stamp_N = frames.infos[episode], frames.stamp_N[mine]
    if frames.labelled[episode]:
        return np.full(len(stamp_N), 'labelled', dtype=object)
    taken_N = np.zeros(len(stamp_N), dtype=bool)
    for from_ns, to_ns in info.interventions:
        taken_N |= (stamp_N >= from_ns) & (stamp_N < to_ns)
    if info.checkpoint and not frames.commanded[episode]:
        return np.full(len(stamp_N), UNHEARD, dtype=object)
    if info.source in BY_HAND or not frames.commanded[episode]:
        by_hand_N = taken_N | (not info.interventions)
        return np.where(by_hand_N, 'teleoperation', IDLE).astype(object)
    own = 'policy' if info.outcome == 'success' else UNPROVEN
    kind_N = np.where(taken_N, 'intervention', own).astype(object)
    end_N = stamp_N + frames.robot.horizon * frames.robot.step_ns
    before_ns = round(selection.before_s * NS_PER_S)
    for from_ns, _ in info.interventions if before_ns else ():
        kind_N[(stamp_N < from_ns) & (end_N > from_ns - before_ns)] = BEFORE
    return kind_N


def _check_named(frames: Frames, selection: Selection) -> None:
    paths = (*frames.paths, *(each.path for each in frames.unreadable))
    known = {str(path.resolve()) for path in paths}
    for name in (*selection.leave_out, *selection.only):
        if name not in known:
            raise ValueError(f'{name} is named, but is none of the {len(known)} episodes')


def _account(frames: Frames, kind_N: np.ndarray, weight_N: np.ndarray,
             episodes_out: Counter) -> dict:
    total, used, unused, dropped = weight_N.sum(), {}, {}, Counter()
    for kind in sorted(set(kind_N)):
        of_kind_N = kind_N == kind
        share = float(weight_N[of_kind_N].sum() / total)
        if share:
            used[kind] = {'frames': int(of_kind_N.sum()), 'share': round(share, 4)}
        else:
            why = f'{NO_WEIGHT}: {kind}' if kind in asdict(KindWeights()) else kind
            unused[why] = int(of_kind_N.sum())
    for each in frames.dropped:
        dropped.update(each)
    known = len(frames.infos) + len(frames.unreadable)
    return {'episodes': known - sum(episodes_out.values()),
            'episodes_left_out': dict(episodes_out),
            'unreadable': {each.name: each.fault for each in frames.unreadable},
            'used': used, 'left_out': unused, 'never_frames': dict(dropped)}


def describe(account: dict) -> str:
    """Return the account as lines a person reads."""
    lines = [f'{account["episodes"]} episodes']
    lines += [f'  left out: {count} episodes, {why}'
              for why, count in account['episodes_left_out'].items()]
    lines += [f'    {fault}' for fault in account['unreadable'].values()]
    lines += [f'{kind}: {each["frames"]} frames, {100 * each["share"]:.1f} % of what is drawn'
              for kind, each in account['used'].items()]
    lines += [f'  left out: {count} frames, {why}' for why, count in account['left_out'].items()]
    lines += [f'  no frame: {count} moments, {why}'
              for why, count in account['never_frames'].items()]
    return '\n'.join(lines)


def read_names(file: Path) -> tuple[str, ...]:
    """
    Return the episodes a file names, as absolute paths.

    It is what ``evaluate search --json`` writes, or text: a path a line, # begins a comment.
    Raises ValueError where it names none.
    """
    text = file.read_text()
    if file.suffix == '.json':
        names: Collection[str] = {row['episode'] for row in json.loads(text)['rows']}
    else:
        names = [line.partition('#')[0].strip() for line in text.splitlines()]
    paths = sorted({str(Path(name).resolve()) for name in names if name})
    if not paths:
        raise ValueError(f'{file} names no episode')
    return tuple(paths)
