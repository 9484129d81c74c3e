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
An hour of work: memory, threads and holds of the policy node.

    python -m benchmarks.soak --out OUT/soak.json [--minutes 60]

A simulated robot does one task after another, in real time, and every other one is disturbed:
the policy is deactivated, stopped, told nothing, or all sensors fall silent. Whenever the arm is
moving then, a hold must come. What the policy's process takes is noted every 10 s, and the JSON
is written as often: an interrupted run leaves what was measured so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import tempfile
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
import numpy as np
from trajectory_msgs.msg import JointTrajectory
import tyro

from benchmarks.rig import Received
from benchmarks.soak_verdict import describe, judge
from trimodal_ros.command.decider import STRAY
from trimodal_ros.evaluate.page import write_json
from trimodal_ros.nodes.conductor import Conductor, ConductorError
from trimodal_ros.nodes.private_graph import enter_private_graph, NodeProcesses
from trimodal_ros.nodes.ros import HEAR_ALL_QOS, wait_until
from trimodal_ros.nodes.ros_rollout import write_robot_yaml
from trimodal_ros.nodes.session import attached_session
from trimodal_ros.paths import share_dir, shipped
from trimodal_ros.progress import progress_bar
from trimodal_ros.sim.layout import make_layout
from trimodal_ros.sim.sentences import draw_sentences, read_templates

SHIPPED = shipped().checkpoint
TEMPLATES = share_dir() / 'config' / 'instructions' / 'train.txt'
REPLAN_S = 0.6
SAMPLE_S = 10.0
FIRST_SEED = 2_000_000
TASK_S = 10.0
WORDINGS = 4                # of each task: the policy keeps what it has read, up to a limit
HELD_WITHIN_S = 1.0         # of the end of what the fault takes to be known
MOVES_AGAIN_WITHIN_S = 10.0
RESUMES_WITHIN_S = 60.0      # once its inputs are back
POLL_S = 0.005
MOVING_NS = 800_000_000     # a plan comes more often


class Watch:
    """Counts what the policy commands and decides, on the conductor's node."""

    def __init__(self, node):
        self.decisions, self.refused, self.stopped_by = 0, 0, ''
        self.newest: Received | None = None
        node.create_subscription(JointTrajectory, 'joint_trajectory', self._on_trajectory,
                                 HEAR_ALL_QOS)
        node.create_subscription(DiagnosticArray, 'policy/decision', self._on_decision,
                                 HEAR_ALL_QOS)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics,
                                 HEAR_ALL_QOS)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self.newest = Received.of(message)

    def _on_decision(self, message: DiagnosticArray) -> None:
        self.decisions += 1
        self.refused += message.status[0].message != 'commanded'

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            self.stopped_by = values.get('stopped_by', self.stopped_by)

    def is_moving(self) -> bool:
        """Tell whether the arm follows a plan."""
        newest = self.newest
        return (newest is not None and not newest.is_hold
                and time.time_ns() - newest.at_ns < MOVING_NS)

    def is_held_since(self, since_ns: int) -> bool:
        newest = self.newest
        return newest is not None and newest.is_hold and newest.at_ns >= since_ns


class Soak:
    """Gives tasks, disturbs them, and notes how that went in ``figures``."""

    def __init__(self, conductor: Conductor, processes: NodeProcesses, seed: int):
        self.conductor, self.processes = conductor, processes
        self.watch = Watch(conductor.node)
        self.figures = {'tasks_given': 0, 'tasks_done': 0, 'holds': [], 'not_resumed': [],
                        'stopped': []}
        self._rng = np.random.default_rng(seed)
        self._templates = read_templates(TEMPLATES)[:WORDINGS]
        self._said = ''
        self.faults = {'deactivated': (self._deactivate, conductor.activate),
                       'stopped': (lambda: conductor.trigger('policy/stop'),
                                   self._resume),
                       'told nothing': (lambda: conductor.say(''), self._say),
                       'sensors silent': (self._silence, self._end_silence)}

    def do_task(self, number: int) -> None:
        """Have one task done, and disturb every other one."""
        self._end_stop()
        layout = make_layout(FIRST_SEED + number)
        self.conductor.lay_scene(layout.seed, layout.task)
        self._said = draw_sentences(layout.task, self._templates, 1, self._rng)[0]
        self.figures['tasks_given'] += 1
        if number % 2:
            self._say()
            time.sleep(self._rng.uniform(0.8, 2.5))
            self._disturb(list(self.faults)[number // 2 % len(self.faults)])
        result = self.conductor.run_task(self._said, TASK_S)
        self.figures['tasks_done'] += result.success

    def _end_stop(self) -> None:
        """Do what an operator does when the policy stopped by itself: note it, let it go on."""
        if self.watch.stopped_by == STRAY:
            self.figures['stopped'].append(self.watch.stopped_by)
            self._resume()
            self.watch.stopped_by = ''

    def _resume(self) -> None:
        """Ask until it may: on a busy machine an input may be stale just then."""
        if not wait_until(lambda: self.conductor.ask('policy/resume').success,
                          RESUMES_WITHIN_S, POLL_S):
            raise ConductorError(f'the policy stays stopped for {RESUMES_WITHIN_S} s')

    def _disturb(self, name: str) -> None:
        if not self.watch.is_moving():
            return  # done already, or held for something of its own: no hold is due
        inject, mend = self.faults[name]
        began_ns = time.time_ns()
        inject()
        held = wait_until(lambda: self.watch.is_held_since(began_ns), HELD_WITHIN_S, POLL_S)
        held_ms = (self.watch.newest.at_ns - began_ns) / 1e6 if held else None
        self.figures['holds'].append({'fault': name, 'ms': held_ms})
        time.sleep(0.3)
        mend()
        if not wait_until(self.watch.is_moving, MOVES_AGAIN_WITHIN_S, POLL_S):
            self.figures['not_resumed'].append(name)

    def _say(self) -> None:
        self.conductor.say(self._said)

    def _deactivate(self) -> None:
        self.conductor.transition(Transition.TRANSITION_DEACTIVATE)

    def _silence(self) -> None:
        self.conductor.set_parameters('simulated_robot', silent=True)

    def _end_silence(self) -> None:
        self.conductor.set_parameters('simulated_robot', silent=False)


# -- what the process takes

def sample_process(pid: int) -> dict:
    """
    Return memory in MB, threads and open files of a process, from /proc.

    ``own_mb`` is what it has allocated itself, swapped out or not: the system may take pages of
    libraries away and give them back, which shows in ``rss_mb``.
    """
    folder = Path('/proc') / str(pid)
    fields = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
    mb = {name: int(fields[name].split()[0]) / 1024 for name in ('VmRSS', 'RssAnon', 'VmSwap')}
    return {'rss_mb': mb['VmRSS'], 'own_mb': mb['RssAnon'] + mb['VmSwap'],
            'threads': int(fields['Threads']), 'files': len(list((folder / 'fd').iterdir()))}


class Sampler:
    """Notes the process and the counts every few seconds, and calls ``save``."""

    def __init__(self, soak: Soak, every_s: float, save, bar):
        self._soak, self._every_s, self._save, self._bar = soak, every_s, save, bar
        self.samples, self._began = [], time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='sample', daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.take()

    def take(self) -> None:
        """Add one sample."""
        soak, seconds = self._soak, time.monotonic() - self._began
        try:
            process = sample_process(soak.processes.pid('policy'))
        except (OSError, KeyError):
            return  # it has ended, which the main thread will notice
        self.samples.append({
            'seconds': seconds, **process, 'decisions': soak.watch.decisions,
            'refused': soak.watch.refused, 'holds_due': len(soak.figures['holds']),
            'holds_seen': sum(hold['ms'] is not None for hold in list(soak.figures['holds']))})
        self._bar.update(min(round(seconds), self._bar.total) - self._bar.n)
        self._save(self.samples)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()



# -- the run

@contextmanager
def open_soak(checkpoint: Path, seed: int) -> Iterator[Soak]:
    """Bring up the simulated robot and the policy, active, on this process's graph."""
    with tempfile.TemporaryDirectory(prefix='trimodal_ros_') as name:
        folder = Path(name)
        robot = write_robot_yaml(checkpoint, folder)
        with NodeProcesses(folder / 'log') as processes:
            processes.start('simulated_robot', {})
            processes.start('policy', {'checkpoint': checkpoint, 'robot': robot,
                                       'dry_run': False, 'replan_period_s': REPLAN_S})
            with attached_session(processes) as conductor:
                yield Soak(conductor, processes, seed)


def run(out: Path, minutes: float = 60.0, checkpoint: Path = SHIPPED, seed: int = 0,
        sample_s: float = SAMPLE_S) -> None:
    """
    Work for so long and print the verdict.

    :param out: JSON file.
    :param minutes: How long.
    :param checkpoint: Checkpoint folder.
    :param seed: Of sentences and of the times of faults.
    :param sample_s: Time between two looks at the process.
    """
    enter_private_graph()
    with (open_soak(checkpoint, seed) as soak,
          progress_bar(total=round(60 * minutes), desc='soak', unit='s') as bar):
        began = time.monotonic()

        def save(samples: list[dict]) -> dict:
            done = {'minutes': minutes, 'minutes_done': (time.monotonic() - began) / 60,
                    **soak.figures, 'verdict': judge(samples, soak.figures), 'samples': samples}
            write_json(out, done)
            return done
        with Sampler(soak, sample_s, save, bar) as sampler:
            try:
                number = 0
                while time.monotonic() - began < 60 * minutes:
                    soak.do_task(number)
                    number += 1
            except KeyboardInterrupt:
                print('interrupted: what was measured so far')
        figures = save(sampler.samples)
    print(describe(figures))


if __name__ == '__main__':
    tyro.cli(run, description=__doc__)
