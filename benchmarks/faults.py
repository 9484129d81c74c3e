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
From a fault to the hold: how long the arm goes on before it is told to brake.

Each fault is injected again and again while the arm moves. The time runs from the moment the
fault can be known: silence, once the newest stamp is older than allowed; the same pixels, once
they have been the newest for longer than allowed; anything else when it is sent or called. It
ends when the arm receives the hold, which may be earlier: a camera that the others have left
behind holds the robot before it counts as silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import random
import time

from benchmarks.cameras import CameraRun
from benchmarks.rig import open_rig, Rig, SENTENCE, STOP_TOPIC
from trimodal_ros.evaluate.statistics import summarize_ms
from trimodal_ros.nodes.conductor import ConductorError
from trimodal_ros.observe.freshness import Freshness
from trimodal_ros.progress import progress_bar
from trimodal_ros.spec import NS_PER_S

REPLAN_S = 0.3
MOST_STEPS = 2        # control periods from fault to hold, at p99
MISSED_AFTER_S = 3.0
MOVES_S = 0.4         # before the next fault, and up to a frame's time longer
MAX_AGE_NS = round(Freshness.max_age_s * NS_PER_S)
FROZEN_NS = round(Freshness.frozen_s * NS_PER_S)


@dataclass(frozen=True)
class Fault:
    """``inject`` returns when, in ns, the fault can be known; ``mend`` ends it."""

    inject: Callable[[Rig], int]
    mend: Callable[[Rig], None]


def _silence_camera(rig: Rig) -> int:
    return rig.cameras.ask('silence') + MAX_AGE_NS


def _silence_cameras(rig: Rig) -> int:
    return min([rig.cameras.ask('silence', camera)
                for camera in range(len(rig.robot.cameras))]) + MAX_AGE_NS


def _freeze_camera(rig: Rig) -> int:
    return rig.cameras.ask('freeze') + FROZEN_NS


def _restore_cameras(rig: Rig) -> None:
    for camera in range(len(rig.robot.cameras)):
        rig.cameras.ask('restore', camera)


def _silence_joints(rig: Rig) -> int:
    rig.arm.is_silent = True
    time.sleep(0.02)  # for one that is on its way
    return rig.arm.joints_ns + MAX_AGE_NS


def _send_nan_joints(rig: Rig) -> int:
    rig.arm.is_nan = True
    return time.time_ns()


def _restore_joints(rig: Rig) -> None:
    rig.arm.is_silent = rig.arm.is_nan = False


def _call_stop(rig: Rig) -> int:
    called_ns = time.time_ns()
    rig.conductor.trigger('policy/stop')
    return called_ns


def _ask_on_stop_topic(rig: Rig) -> int:
    rig.arm.asks_stop = True
    asked_ns = time.time_ns()
    rig.arm.publish_stop()
    return asked_ns


def _resume(rig: Rig) -> None:
    if rig.arm.asks_stop:
        rig.arm.asks_stop = False
        rig.arm.publish_stop()
        time.sleep(0.05)
    rig.wait(lambda: _may_resume(rig), 'the policy to resume')


def _may_resume(rig: Rig) -> bool:
    try:
        rig.conductor.trigger('policy/resume')
    except ConductorError:  # while something is still wrong
        return False
    return True


def _say_nothing(rig: Rig) -> int:
    said_ns = time.time_ns()
    rig.conductor.say('')
    return said_ns


def _say_again(rig: Rig) -> None:
    rig.conductor.say(SENTENCE)


FAULTS = {
    'cameras silent': Fault(_silence_cameras, _restore_cameras),
    'one camera silent': Fault(_silence_camera, _restore_cameras),
    'one camera frozen': Fault(_freeze_camera, _restore_cameras),
    'joints silent': Fault(_silence_joints, _restore_joints),
    'joints NaN': Fault(_send_nan_joints, _restore_joints),
    '`~/stop` called': Fault(_call_stop, _resume),
    'stop topic': Fault(_ask_on_stop_topic, _resume),
    'instruction empty': Fault(_say_nothing, _say_again),
}


def measure_faults(run: CameraRun, repeats: int) -> dict:
    """Return the times from every fault to its hold, each injected so many times."""
    by_fault = {}
    with open_rig(run, replan_period_s=REPLAN_S, stop_topic=STOP_TOPIC, ramp_s=0.0) as rig:
        rig.wait(rig.arm.stop_is_heard, 'the policy to hear the stop topic')
        _resume(rig)  # it was silent at first
        rig.start()
        _call_stop(rig)  # a service is met at its first call, which takes longer
        _resume(rig)
        most_ms = MOST_STEPS * 1e3 / rig.robot.rate_hz
        for name, fault in progress_bar(FAULTS.items(), desc='faults', unit='fault'):
            times_ms = [inject(rig, fault) for _ in range(repeats)]
            by_fault[name] = judge(times_ms, most_ms)
    return {'most_ms': most_ms, 'cameras': run.cameras, 'width': run.width,
            'height': run.height, 'hz': run.hz, 'by_fault': by_fault}


def judge(times_ms: list[float | None], most_ms: float) -> dict:
    """Return the figures of a fault; None is a hold that never came."""
    held_ms = [value for value in times_ms if value is not None]
    figures = summarize_ms(held_ms) if held_ms else None
    missed = len(times_ms) - len(held_ms)
    return {'injected': len(times_ms), 'missed': missed, 'ms': figures,
            'met': not missed and figures['p99'] <= most_ms}


def inject(rig: Rig, fault: Fault) -> float | None:
    """Return the ms from a fault to its hold, None if none came; the fault is mended after."""
    rig.wait_for_motion(MOVES_S)
    time.sleep(random.uniform(0.0, REPLAN_S))
    began_ns = time.time_ns()
    known_ns = fault.inject(rig)
    deadline_ns = known_ns + round(MISSED_AFTER_S * NS_PER_S)
    while (hold := rig.arm.first(True, began_ns)) is None and time.time_ns() < deadline_ns:
        time.sleep(0.005)
    fault.mend(rig)
    return None if hold is None else (hold.at_ns - known_ns) / 1e6
