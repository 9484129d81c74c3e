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

"""What makes a training run: its settings, as given, as recorded and as published."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from .objective import PairLoss, TaskWeights, TrimodalLoss
from .selection import Selection
from .weighting import Method
from ..plan.checkpoint import content_hash
from ..plan.engine import Compiling, Precision
from ..plan.policy import PolicyConfig
from ..record.moments import Sampling
from ..spec.topics import LABEL_TOPIC


@dataclass(frozen=True)
class TrainingSettings:
    """
    What makes a run: the same settings on the same episodes give the same checkpoint.

    With ``initial`` only the decoder of ``policy`` counts, the rest is the checkpoint's; the head
    of another decoder than the checkpoint's starts anew.
    """

    episodes: tuple[str, ...]
    robot: str
    steps: int = 2400
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    seed: int = 0
    start_steps: int = 400                # of batches from the starts of episodes only
    initial: str = ''                     # checkpoint folder to start from
    label_topic: str = LABEL_TOPIC
    policy: PolicyConfig = PolicyConfig()
    weights: TaskWeights = TaskWeights()
    weighting: Method = 'fixed'
    pair_loss: PairLoss = 'info_nce'
    trimodal_loss: TrimodalLoss = 'gram'
    memory: int = 512                     # past motions kept as further negatives
    precision: Precision = 'float32'
    compiling: Compiling = 'off'
    episode_limit: int = 0                # train on so many episodes only; 0: on all
    sampling: Sampling = Sampling()       # of episodes without labels
    selection: Selection = Selection()

    @property
    def roots(self) -> list[Path]:
        """Folders of episodes."""
        return [Path(root) for root in self.episodes]


def recorded(settings: TrainingSettings, processes: int) -> dict:
    """Return what must be the same to go on with a run; each process has seeds of its own."""
    return {**asdict(settings), 'processes': processes}


def provenance(settings: TrainingSettings) -> dict:
    """Return the settings without paths of this machine: names, and the hash of what it began."""
    return {**asdict(settings), 'episodes': [Path(root).name for root in settings.episodes],
            'robot': Path(settings.robot).name,
            'initial': content_hash(Path(settings.initial)) if settings.initial else '',
            'selection': {**asdict(settings.selection),
                          'leave_out': [Path(name).name for name in settings.selection.leave_out],
                          'only': [Path(name).name for name in settings.selection.only]}}
