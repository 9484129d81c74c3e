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
The numbers of an episode of a dataset, for one robot: stamps, joints, sentences.

Shapes: N frames, J joints, T sentences at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .dataset import Dataset, EpisodeEntry, read_episode
from .joints import feature_names, find_joints, to_rad
from .schema import DatasetError, INTERVENTION, STAMPS
from .settings import ImportSettings
from ...observe.instruction import InstructionError, normalize_instruction
from ...spec import NS_PER_S, RobotSpec

START_NS = NS_PER_S          # of an episode whose dataset has no clock: no stamp is zero
MADE_UP_S = 1e-4             # LeRobot's tolerance: a timestamp as near to frame_index / fps is it


@dataclass(frozen=True, eq=False)
class Numbers:
    """
    The numbers of an episode.

    ``time_s_N`` is when a frame is shown in its videos, ``stamps_ns`` has the header stamps of
    'observation', 'joints' and each camera, [N]; ``state_NJ`` was measured and ``action_NJ``
    commanded one step later, both in rad.
    """

    time_s_N: np.ndarray
    stamps_ns: Mapping[str, np.ndarray]
    state_NJ: np.ndarray
    action_NJ: np.ndarray
    sentences: Sequence[str]
    intervention_N: np.ndarray

    def received_ns(self, frame: int) -> int:
        """Return when the last input of a frame had come: nobody wrote down more."""
        return int(max(stamps[frame] for stamps in self.stamps_ns.values()))

    def interventions(self, first: int, end: int) -> tuple[tuple[int, int], ...]:
        """Return from and to of receipt, in ns, of each run of frames taken over."""
        taken = np.flatnonzero(self.intervention_N[first:end]) + first
        runs = np.split(taken, np.flatnonzero(np.diff(taken) > 1) + 1) if len(taken) else []
        return tuple((self.received_ns(int(run[0])), self.received_ns(int(run[-1])))
                     for run in runs)


class NumberReader:
    """Reads what a robot's joints did. Raises DatasetError where the dataset has other joints."""

    def __init__(self, dataset: Dataset, robot: RobotSpec, settings: ImportSettings,
                 cameras: Sequence[str]):
        self.dataset, self.robot, self.settings, self.cameras = dataset, robot, settings, cameras
        self._places = {key: find_joints(dataset, key, robot, settings.joints)
                        for key in (settings.state, settings.action)}

    def read(self, entry: EpisodeEntry) -> Numbers:
        """Read an episode's numbers. Raises DatasetError, naming the file."""
        columns = read_episode(self.dataset, entry)
        needed = (*self._places, 'frame_index', 'timestamp', 'task_index')
        for name in needed:
            if name not in columns:
                raise DatasetError(f'{entry.data}: no column {name!r}; it has {list(columns)}')
        state_NJ, action_NJ = (
            to_rad(columns[key][:, self._places[key]], self.robot, self.settings.joints,
                   f'{entry.data}, {key!r}')
            for key in (self.settings.state, self.settings.action))
        taken_N1 = columns.get(INTERVENTION, np.zeros((len(state_NJ), 1)))
        return Numbers(columns['timestamp'][:, 0].astype(np.float64), self._stamps(columns, entry),
                       state_NJ, action_NJ, self._sentences(columns, entry), taken_N1[:, 0])

    def _stamps(self, columns: Mapping[str, np.ndarray], entry: EpisodeEntry) -> dict:
        if not np.isfinite(columns['timestamp']).all():
            raise DatasetError(f'{entry.data}: a timestamp is not a finite number')
        names = ['observation', 'joints', *self.cameras]
        known = feature_names(self.dataset.features[STAMPS]) if STAMPS in columns else []
        if names[0] in known:
            stamps_ns = {name: columns[STAMPS][:, known.index(
                name if name in known else names[0])] for name in names}
        else:
            stamps_ns = dict.fromkeys(names, self._made_up(columns))
        for name, stamp_N in stamps_ns.items():
            if stamp_N.min() <= 0 or (name == names[0] and (np.diff(stamp_N) <= 0).any()):
                raise DatasetError(f'{entry.data}: stamps of {name!r} are not above 0, or a frame '
                                   'is not later than the one before it')
        return stamps_ns

    def _made_up(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the stamps of a dataset that has no clock, from its time in the episode."""
        by_rate_s = columns['frame_index'][:, 0] / self.dataset.fps
        told_s = columns['timestamp'][:, 0].astype(np.float64)
        is_made_up = np.abs(told_s - by_rate_s).max() < MADE_UP_S
        return START_NS + np.round((by_rate_s if is_made_up else told_s) * NS_PER_S).astype(
            np.int64)

    def _sentences(self, columns: Mapping[str, np.ndarray], entry: EpisodeEntry) -> list[str]:
        index_NT = columns['task_index']
        if not 0 <= self.settings.task < index_NT.shape[1]:
            raise DatasetError(f'{entry.data}: task {self.settings.task}, task_index has '
                               f'{index_NT.shape[1]} numbers')
        try:
            return [normalize_instruction(self.dataset.tasks[index])
                    for index in index_NT[:, self.settings.task].tolist()]
        except KeyError as error:
            raise DatasetError(f'{entry.data}: task_index {error} is not among the '
                               f'{len(self.dataset.tasks)} tasks') from error
        except InstructionError as error:
            raise DatasetError(f'{self.dataset.root}: a task: {error}') from error
