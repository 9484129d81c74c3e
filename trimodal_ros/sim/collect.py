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

"""Many episodes on several processes: demonstrations, on-policy rounds, watched policies."""

from __future__ import annotations

from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path

from .demonstrate import record_episode
from .robot import SimulatedRobot
from .rollout import PolicyPlanner
from .scene_file import read_scene
from .sentences import read_templates
from .watched import Patience, record_watched_episode
from ..plan.checkpoint import content_hash, load_checkpoint
from ..progress import progress_bar
from ..record.durable import write_whole
from ..record.episode import EpisodeError, read_info
from ..record.lock import locked
from ..record.messages import BAG_TYPES
from ..record.writer import put_partial_away
from ..workers import worker_pool

SETTINGS_FILE = '.collected_with.json'
_WORKER = {}


@dataclass(frozen=True)
class Collection:
    """
    What a run collects.

    ``checkpoint`` commands if given, else the demonstrator does; with ``patience`` a scripted
    person watches it and takes over.
    """

    out: Path
    scene: Path
    templates: Path
    checkpoint: Path | None = None
    replan_steps: int = 4
    noise: bool = True
    patience: Patience | None = None

    def path(self, seed: int) -> Path:
        return self.out / f'seed_{seed:06d}'

    def settings(self) -> dict:
        """
        Return what makes an episode of a seed what it is, files by their hashes.

        Of what the scene names, the robot counts with its limits and rates; models don't.
        """
        robot = json.dumps(read_scene(self.scene).robot.to_dict(), sort_keys=True)
        return {'scene': _digest(self.scene.read_bytes()), 'robot': _digest(robot.encode()),
                'templates': _digest(self.templates.read_bytes()),
                'checkpoint': '' if self.checkpoint is None else content_hash(self.checkpoint),
                'replan_steps': self.replan_steps, 'noise': self.noise,
                'patience': None if self.patience is None else asdict(self.patience)}


def collect(collection: Collection, seeds: range, workers: int) -> float:
    """
    Record one episode a seed; those already there are kept, so an interrupted run goes on.

    Returns the share of episodes that ended in success. Raises EpisodeError while another run
    collects into the same folder, and where episodes there were collected with other settings.
    """
    collection.out.mkdir(parents=True, exist_ok=True)
    with locked(collection.out, wait=False):
        _note_settings(collection)
        paths = [collection.path(seed) for seed in seeds]
        for path in paths:
            put_partial_away(path)
        missing = [seed for seed, path in zip(seeds, paths) if not path.exists()]
        _record_all(collection, missing, workers)
        done = [read_info(path).outcome == 'success' for path in paths]
    return sum(done) / len(done)


def _note_settings(collection: Collection) -> None:
    file, settings = collection.out / SETTINGS_FILE, collection.settings()
    if not file.exists() and any(not path.suffix for path in collection.out.glob('seed_*/')):
        raise EpisodeError(f'{collection.out}: nothing says what the episodes there were '
                           'collected with; name another folder with --out')
    if not file.exists():
        write_whole(file, json.dumps(settings, indent=1) + '\n')
    noted = json.loads(file.read_text(encoding='utf-8'))
    others = [name for name in settings if noted.get(name) != settings[name]]
    if others:
        raise EpisodeError(f'{collection.out}: the episodes there were collected with another '
                           f'{", ".join(others)}; name another folder with --out')


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _record_all(collection: Collection, seeds: list[int], workers: int) -> None:
    with worker_pool(workers, _start, collection) as pool:
        futures = [pool.submit(_record, seed) for seed in seeds]
        bar = progress_bar(as_completed(futures), total=len(futures), desc='episodes', unit='ep')
        for future in bar:
            future.result()


def _start(collection: Collection) -> None:
    import torch
    torch.set_num_threads(1)
    _WORKER['collection'] = collection
    _WORKER['simulated'] = SimulatedRobot(BAG_TYPES, read_scene(collection.scene))
    _WORKER['templates'] = read_templates(collection.templates)
    if collection.checkpoint is not None:
        _WORKER['policy'] = load_checkpoint(collection.checkpoint, 'cpu')


def _record(seed: int) -> bool:
    collection = _WORKER['collection']
    simulated = _WORKER['simulated']
    common = (collection.path(seed), simulated, simulated.scene.robot, seed, _WORKER['templates'])
    if collection.checkpoint is None:
        return record_episode(*common, 'demonstration', noise=collection.noise)
    policy = _WORKER['policy']
    if collection.patience is None:
        return record_episode(*common, 'on-policy',
                              PolicyPlanner(policy, collection.replan_steps), policy.content_hash)
    return record_watched_episode(
        *common, lambda: PolicyPlanner(policy, collection.replan_steps), policy.content_hash,
        collection.patience)
