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
The recorder node at work: what was sent against what is in the bags, and what that cost.

Cameras, arm and policy run in processes of their own, in real time, and so does the recorder.
Everything stands still while an episode begins and ends, so that the counts must agree.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import time
from typing import Literal

import tyro

from benchmarks.cameras import camera_topic, CameraRun
from benchmarks.latency import cpu_s, describe_machine, REPLAN_S
from benchmarks.recorder_rate import scratch
from benchmarks.rig import open_rig, PATIENCE_S, Rig, RigError
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.nodes.private_graph import enter_private_graph
from trimodal_ros.progress import progress_bar
from trimodal_ros.record.episode import read_info, read_metadata

MOST_CPU_SHARE = 0.4
SETTLE_S = 1.0       # for what is on its way to arrive



def node(disk: tyro.conf.Positional[Path], seconds: float = 600.0, episodes: int = 1,
         joints_hz: float = 500.0, camera_hz: float = 30.0,
         images: Literal['raw', 'jpeg'] = 'raw', json: Path | None = None) -> None:
    """
    Print what the recorder node loses and costs beside two 640x480 cameras, joints and a policy.

    :param disk: Folder on the disk to record to; a scratch folder in it is used. A minute of raw
        images takes 3.3 GB.
    :param seconds: Of all episodes together.
    :param episodes: How many; each is removed once it has been counted.
    :param joints_hz: Rate of joint_states.
    :param camera_hz: Rate of each camera.
    :param images: As the recorder's parameter.
    :param json: File for the figures of each episode.
    """
    enter_private_graph()
    machine, measured = describe_machine(), []
    with scratch(disk) as folder:
        recorder = {'out': folder, 'images': images, 'alive_s': 60.0, 'ring_s': 0.0}
        with open_rig(CameraRun(2, 640, 480, camera_hz), joints_hz, recorder,
                      replan_period_s=REPLAN_S) as rig:
            rig.start()
            _start(rig)   # once it has heard all, they may stand still
            rig.conductor.trigger('recorder/discard')
            for _ in progress_bar(range(episodes), desc='episodes', unit='ep'):
                measured.append(measure(rig, seconds / episodes))
                if json is not None:
                    write_json(json, {'machine': machine, 'images': images,
                                      **summarize(measured), 'episodes': measured})
    print(table(measured))


def measure(rig: Rig, seconds: float) -> dict:
    """Record one episode and return what was sent, what is in it and what it cost."""
    pid = rig.processes.pid('recorder')
    before = _stand_still(rig)
    _start(rig)
    used_s, began = cpu_s(pid), time.monotonic()
    _go_on(rig)
    time.sleep(seconds)
    after = _stand_still(rig)
    took_s = time.monotonic() - began
    share = (cpu_s(pid) - used_s) / took_s
    path = Path(rig.conductor.trigger('recorder/success'))
    _go_on(rig)
    sent = {topic: after[topic] - before[topic] for topic in after}
    result = {'seconds': took_s, 'cpu_share': share, 'load': os.getloadavg()[0],
              **_contents(path, sent)}
    shutil.rmtree(path)
    return result


def _start(rig: Rig) -> None:
    """Ask the recorder until it has heard everything."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := rig.conductor.ask('recorder/start')).success:
        if time.monotonic() > deadline:
            raise RigError(f'the recorder did not start within {PATIENCE_S:g} s: {answer.message}')
        time.sleep(0.2)


def _stand_still(rig: Rig) -> dict[str, int]:
    """Silence cameras and arm; return how many messages of each topic there have been."""
    frames = rig.cameras.ask('halt')
    rig.arm.is_silent = True
    time.sleep(SETTLE_S)
    return {**{camera_topic(index): count for index, count in enumerate(frames)},
            'joint_states': rig.arm.sent, 'joint_trajectory': len(rig.arm.received),
            'policy/decision': len(rig.decisions)}


def _go_on(rig: Rig) -> None:
    rig.arm.is_silent = False
    rig.cameras.ask('go on')


def _contents(path: Path, sent: dict[str, int]) -> dict:
    """Return what is in an episode, by topic, beside what was sent."""
    metadata = read_metadata(path)
    counts = {topic['topic_metadata']['name'].removesuffix('/compressed'): topic['message_count']
              for topic in metadata['topics_with_message_count']}
    health = read_info(path).health
    size = sum(file.stat().st_size for file in path.iterdir())
    return {'bytes': size, 'verdict': health['verdict'], 'findings': health['findings'],
            'topics': {topic: {'sent': count, 'recorded': counts.get(topic, 0)}
                       for topic, count in sent.items()}}


def summarize(episodes: list[dict]) -> dict:
    """Return the figures of all episodes together, and whether the aims are met."""
    seconds = sum(each['seconds'] for each in episodes)
    topics = {topic: {name: sum(each['topics'][topic][name] for each in episodes)
                      for name in ('sent', 'recorded')} for topic in episodes[0]['topics']}
    lost = sum(each['sent'] - each['recorded'] for each in topics.values())
    share = sum(each['cpu_share'] * each['seconds'] for each in episodes) / seconds
    return {'seconds': seconds, 'topics': topics, 'lost': lost, 'cpu_share': share,
            'mb_s': sum(each['bytes'] for each in episodes) / seconds / 1e6,
            'lost_met': lost == 0, 'cpu_met': share < MOST_CPU_SHARE}


def table(episodes: list[dict]) -> str:
    """Return the figures as Markdown."""
    figures = summarize(episodes)
    rows = [f'| {topic} | {each["sent"]} | {each["recorded"]} | '
            f'{each["sent"] / figures["seconds"]:.1f} |'
            for topic, each in figures['topics'].items()]
    return '\n'.join([
        f'{figures["seconds"]:.0f} s, {figures["mb_s"]:.1f} MB/s, {figures["lost"]} lost; '
        f'the recorder took {100 * figures["cpu_share"]:.0f} % of a core', '',
        '| topic | sent | in the bag | Hz |', '|---|---|---|---|', *rows])
