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

"""The console in a real terminal, beside a real recorder."""

from contextlib import contextmanager
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from types import SimpleNamespace

from graph import rclpy, wait_for  # noqa: F401 - it skips where there is no ROS
import pytest
from recorder_graph import recorder_graph

# isort: split
from diagnostic_msgs.msg import DiagnosticStatus
from rich.console import Console

from trimodal_ros.nodes.console import Desk, RecorderClient, SILENT_S
from trimodal_ros.nodes.console_view import draw, Shown
from trimodal_ros.nodes.decision_message import status
from trimodal_ros.nodes.teleop_demo import SEED
from trimodal_ros.record.episode import find_episodes, read_info
from trimodal_ros.sim.layout import make_layout

CONSOLE, SESSION = 'trimodal_ros.nodes.console', 'trimodal_ros.nodes.record_demo'
ESCAPES = re.compile(rb'\x1b(\[[0-?]*[ -/]*[@-~]|[()].)')
ALTERNATE_OFF, CURSOR_ON = b'\x1b[?1049l', b'\x1b[?25h'


class Terminal:
    """A pseudo-terminal with the console in it."""

    def __init__(self, *arguments: str, program: str = CONSOLE):
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (40, 140))
        self.before, self.output = termios.tcgetattr(self.slave), b''
        self.process = subprocess.Popen(
            [sys.executable, '-m', program, *arguments],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env={**os.environ, 'TERM': 'xterm', 'COLUMNS': '140', 'LINES': '40'},
            start_new_session=True)
        os.set_blocking(self.master, False)

    def read(self) -> str:
        """Return all that was written so far, without its control sequences."""
        try:
            while chunk := os.read(self.master, 2**16):
                self.output += chunk
        except (BlockingIOError, OSError):
            pass
        return ESCAPES.sub(b'', self.output).decode(errors='replace')

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def shows(self, text: str) -> None:
        wait_for(lambda: text in self.read(), f'{text!r} on the screen')

    def forget(self) -> None:
        """Look at what comes from now on only."""
        self.read()
        self.output = b''

    def ends(self) -> int:
        wait_for(lambda: (self.read(), self.process.poll())[1] is not None, 'its end')
        return self.process.returncode

    def assert_restored(self) -> None:
        assert termios.tcgetattr(self.slave) == self.before
        assert self.output.rfind(ALTERNATE_OFF) > self.output.rfind(b'\x1b[?1049h')
        assert self.output.rfind(CURSOR_ON) > self.output.rfind(b'\x1b[?25l')


@contextmanager
def terminal(*arguments: str, program: str = CONSOLE):
    opened = Terminal(*arguments, program=program)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
        opened.process.wait()
        for file in (opened.master, opened.slave):
            os.close(file)


def test_one_person_records_by_keys(ros, tmp_path):
    """Catches a key that does something else, and an answer that nobody sees."""
    with recorder_graph(tmp_path, ready=False, operator='Ada') as graph, terminal(
            '--recorder', graph.recorder.get_name()) as screen:
        screen.shows('front/image_raw')
        screen.press('s')
        screen.shows('! start: not started: instruction')
        screen.shows('; press i to give one')
        screen.press('iput the cube dpwm\x7f\x7f\x7fown\r')
        screen.shows('instruction: put the cube down')
        wait_for(lambda: graph.session.live.instruction == 'put the cube down', 'the instruction')
        for keys, answer in (('s', 'start: '), ('r', 'redo: '), ('y', 'success: '),
                             ('s', 'start: '), ('n', 'failure: '), ('s', 'start: '),
                             ('d', 'discard: moved to'), ('s', 'start: '), ('e', 'stop: ')):
            screen.forget()
            screen.press(keys)
            screen.shows(answer)
            if keys in 'sr':
                screen.shows('RECORDING')
                graph.wait_for_more()
        screen.shows('1 success, 1 failure, 1 unknown, 2 discarded')
        wait_for(lambda: graph.session.intake.ring.length_s > 0.3, 'something to remember')
        screen.press('k')
        screen.shows('keep: ')
        screen.forget()
        screen.press('s')
        screen.shows('start: ')
        screen.press('q')
        screen.shows('! quit: ')
        screen.press('q')
        assert screen.ends() == 0
        screen.shows('is still recording')
        screen.assert_restored()
    infos = [read_info(path) for path in find_episodes(tmp_path / 'out')]
    assert [info.outcome for info in infos] == ['success', 'failure', *['unknown'] * 3]
    assert {(info.instruction, info.operator) for info in infos} == {('put the cube down', 'Ada')}


def test_what_was_told_before_an_answer_does_not_count(ros):
    """Catches a console that is left by one q, as it takes the episode just begun for none."""
    client = RecorderClient('recorder')
    try:
        client.episode, client._answered_at = 'out/episode_0007', time.monotonic()
        for _ in range(3):   # sent before it began, and late
            client._note_episode('')
        assert client.episode == 'out/episode_0007'
        client._answered_at -= SILENT_S
        client._note_episode('')
        assert client.episode == ''
    finally:
        client.close()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_the_terminal_as_it_was(number):
    """Catches a shell that echoes nothing after the console has ended."""
    with terminal() as screen:
        screen.shows("nothing is heard of 'recorder'")
        assert termios.tcgetattr(screen.slave) != screen.before
        screen.process.send_signal(number)
        screen.ends()
        screen.assert_restored()


def test_without_a_terminal_it_says_so():
    """Catches a traceback over ssh without -t."""
    ended = subprocess.run([sys.executable, '-m', CONSOLE], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1 and 'ssh, ask for one with -t' in ended.stderr
    assert 'Traceback' not in ended.stderr


class Asked:
    """Stands in for the recorder's client, and notes what it is asked."""

    def __init__(self):
        self.asked, self.answers, self.episode, self.table = [], [], '', None

    def ask(self, name):
        self.asked.append(name)

    def say(self, text):
        self.asked.append(('say', text))

    def lay(self):
        self.asked.append('lay')


def test_keys_of_an_instruction_are_no_orders():
    """Catches a sentence with an s in it that starts an episode."""
    asked = Asked()
    desk = Desk(asked)
    for key in 'isdrk\x1bi\x7fs y\rq':
        desk.press(key)
    assert asked.asked == [('say', 's y')] and not desk.is_open


def test_an_episode_under_way_is_not_left_by_mistake():
    """Catches a recorder that goes on for the night because somebody has pressed q."""
    client = Asked()
    desk = Desk(client)
    client.episode = '/data/episode_0003'
    for keys in ('q', 'kq'):
        for key in keys:
            desk.press(key)
        assert desk.is_open and '! quit: episode_0003 is still' in client.answers[-1]
    assert 'goes on recording without the console' in client.answers[-1]
    client.table = ''
    for key in 'kq':
        desk.press(key)
    assert 'ends, too, and keeps it with outcome unknown' in client.answers[-1]
    desk.press('q')
    assert not desk.is_open


def drawn(width=140, height=40, **changes) -> str:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(draw(Shown('recorder', **changes), width, height), end='')
    return capture.get()


def test_what_is_wrong_is_on_the_screen():
    """Catches a finding that only the file knows of, and a recorder that has died."""
    statuses = {
        'state': status('', DiagnosticStatus.WARN, 'recording, with findings', {
            'episode': '/data/episode_0041', 'seconds': '3.2', 'recorded_instruction': 'put it',
            'taken_over': 'true', 'episodes_success': '41'}),
        'disk': status('', DiagnosticStatus.ERROR, '3 messages dropped', {'free_mb': '512'}),
        'joint_states': status('', DiagnosticStatus.WARN, '2 gaps over 0.1 s', {
            'rate_hz': '99.5', 'gaps': '2'})}
    text = drawn(statuses=statuses, answers=['! start: no'])
    for shown in ('RECORDING, WITH FINDINGS', 'episode_0041', 'TAKEN OVER', '41 success',
                  '512 MB free', '99.5', '2 gaps over 0.1 s', '! start: no',
                  '3 messages dropped', 's  start'):
        assert shown in text, f'{shown!r} is missing in:\n{text}'
    assert 'nothing is heard' in drawn()


@pytest.mark.parametrize('width', [80, 110, 140])
def test_figures_are_whole_in_a_narrow_terminal(width):
    """Catches rates and findings cut to a letter and dots where the terminal is not wide."""
    topic, finding = 'policy/debug/alignment/image_sentence', '12 gaps over 0.2 s, longest 1.203 s'
    statuses = {topic: status('', DiagnosticStatus.WARN, f'{topic}: {finding}', {
        'rate_hz': '499.8', 'mb_s': '27.650', 'dropped': '1203', 'longest_gap_s': '1.203',
        'skew_s': '0.033', 'oldest_s': '0.013'})}
    text = drawn(width, statuses=statuses)
    table = text[text.index('topic'):text.index(' s  start')]
    assert '…' not in table and '499.8' in table and '1203' in table
    assert all(word in table for word in finding.split())
    assert ('27.650' in table) == (width == 140)


def test_a_table_is_there_for_simulated_robots_only():
    """Catches a key of the simulator on a real robot's console, and a table told of nowhere."""
    asked = Asked()
    desk = Desk(asked)
    desk.press('t')
    asked.table = ''
    desk.press('t')
    assert asked.asked == ['lay']
    statuses = {'state': status('', DiagnosticStatus.WARN, 'not ready: instruction: silent', {
        'instruction': ''})}
    text = drawn(statuses=statuses, table='left plate: red cube')
    assert 'left plate: red cube\n' in text and 't  table anew' in text
    assert 'silent; press i to give an instruction\n' in text
    assert 't  table' not in drawn(statuses=statuses)


SENTENCE = 'pick up the yellow cube and place it on the right plate, please'


@pytest.mark.parametrize('width, height', [(80, 12), (80, 24), (140, 16), (140, 40)])
@pytest.mark.parametrize('typed', [None, SENTENCE])
def test_a_short_terminal_shows_what_is_typed_and_answered(width, height, typed):
    """Catches keys, answers and a sentence being typed that lie below the last line."""
    well = {f'camera_{n}/image_raw': status('', DiagnosticStatus.OK, 'well', {})
            for n in range(30)}
    statuses = {'state': status('', DiagnosticStatus.OK, 'ready', {}), **well,
                'late/image_raw': status('', DiagnosticStatus.WARN, '2 gaps', {}),
                'joints': status('', DiagnosticStatus.ERROR, 'silent for 3.0 s', {})}
    answers = [f'start: /data/episode_{n:04}' for n in range(5)] + [f'! start: {SENTENCE * 2}']
    text = drawn(width, height, statuses=statuses, answers=answers, typed=typed)
    lines = text.splitlines()
    assert len(lines) <= height and lines[0] == 'ready'
    assert '! start: ' in text and ('Enter' if typed else 'q  quit') in lines[-1]
    assert typed is None or typed in text
    if height >= 16:
        assert 'silent for 3.0 s' in text and 'episode_0004' in text
        rows = sum('image_raw' in line for line in lines) + ('joints' in text)
        assert f'{len(well) + 2 - rows} topics not shown' in text
    assert ('topics not shown, none with' if height >= 16 else ' topics not shown') in text


def test_a_pasted_text_is_no_row_of_orders():
    """Catches a sentence pasted without i: its letters would stop, redo and discard."""
    asked = []
    desk = Desk(SimpleNamespace(ask=asked.append, say=asked.append, answers=asked))
    desk.take('put the red cube on the left plate')
    assert asked == ['! several keys at once: press one at a time'] and desk.is_open
    desk.take('iput it down\rd')  # what follows the sentence is no order either
    assert asked[1:] == ['put it down', '! several keys at once: press one at a time']
    desk.take('d')
    assert asked[-1] == 'discard'


def test_session_to_record_in(tmp_path):
    """Catches anything broken between make record, the nodes behind it and the console."""
    with terminal('--out', str(tmp_path), program=SESSION) as screen:
        screen.shows('policy/decision')
        screen.shows('left plate: nothing; right plate: nothing; '
                     f'elsewhere: {", ".join(sorted(make_layout(SEED).cubes))}')

        def is_laid():
            screen.forget()
            screen.press('t')
            screen.shows('table: ')  # or that nobody offers it yet
            return 'table: being laid' in screen.read()
        wait_for(is_laid, 'the table to be laid anew')
        screen.shows(f'elsewhere: {", ".join(sorted(make_layout(SEED + 1).cubes))}')
        screen.press('iput the blue cube on the left plate\r')
        screen.shows('instruction: put the blue cube')

        def is_recording():
            screen.forget()
            screen.press('s')
            screen.shows('start: ')  # or why not yet
            return 'start: /' in screen.read()
        wait_for(is_recording, 'recording')
        screen.press('t')
        screen.shows('! table: an episode is being recorded')
        screen.press('y')
        screen.shows('success: /')
        screen.press('q')
        assert screen.ends() == 0
        screen.shows('episode_0000')
    episode, = find_episodes(tmp_path)
    assert read_info(episode).outcome == 'success'
