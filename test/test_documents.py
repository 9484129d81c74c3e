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

"""The documents: links lead somewhere, quoted messages are still told, names are real."""

import ast
from functools import cache
import json
from pathlib import Path
import re

import pytest

from trimodal_ros.spec import RobotSpec, SpecError

TOP = Path(__file__).resolve().parents[1]
PURPOSES = {'tutorials', 'how-to', 'reference', 'explanation'}
PAGES = sorted([*TOP.glob('*.md'), *(TOP / 'doc').rglob('*.md')])
CURE = TOP / 'doc' / 'how-to' / 'troubleshooting.md'
MY_OWN_ARM = TOP / 'doc' / 'how-to' / 'my-own-arm.md'
LINK = re.compile(r'\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)')
MENTION = re.compile(r'\bdoc/[\w/-]+\.(?:md|svg)')
each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(TOP)))


def anchors(page: Path) -> set[str]:
    """Return what headings are linked by, as GitHub does it."""
    headings = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {'#' + re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
            for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    """Catches a page that was moved, and a heading that was renamed."""
    for target, anchor in LINK.findall(page.read_text()):
        linked = (page.parent / target).resolve() if target else page
        assert linked.is_relative_to(TOP) and linked.exists(), target
        assert not anchor or anchor in anchors(linked), anchor


def test_every_page_has_a_purpose_and_is_linked():
    """Catches a page that nobody finds, and one beside the four purposes."""
    assert {page.parent.name for page in (TOP / 'doc').rglob('*.md')} == PURPOSES
    linked = {(page.parent / target).resolve() for page in PAGES
              for target, _ in LINK.findall(page.read_text()) if target}
    assert {page for page in PAGES if page.is_relative_to(TOP / 'doc')} <= linked


def test_pages_that_the_code_names_are_there():
    """Catches a --help that sends its reader nowhere."""
    files = [path for folder in ('trimodal_ros', 'benchmarks', 'config', 'launch')
             for path in (TOP / folder).rglob('*') if path.suffix in ('.py', '.yaml', '.jinja')]
    named = {name for path in [*files, TOP / 'Makefile', TOP / 'CHANGELOG.rst']
             for name in MENTION.findall(path.read_text())}
    assert len(named) > 3 and not [name for name in named if not (TOP / name).is_file()]


def blocks(page: Path, language: str = '') -> list[str]:
    """Return the code blocks of a language, lines that go on joined."""
    found = re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)
    return [block.replace('\\\n', ' ') for block in found]


@each_page
def test_launch_commands_name_arguments_that_there_are(page):
    """Catches a command that a reader types, and launch refuses."""
    shared = (TOP / 'trimodal_ros' / 'nodes' / 'launching.py').read_text()
    for line in '\n'.join(blocks(page)).splitlines():
        started = re.search(r'ros2 launch trimodal_ros (\w+\.launch\.py)(.*)', line)
        if started:
            text = shared + (TOP / 'launch' / started[1]).read_text()
            for argument in re.findall(r' (\w+):=', started[2]):
                assert f"'{argument}'" in text, f'{line}: {argument}'


@each_page
def test_modules_that_commands_name_are_there(page):
    """Catches a command of a module that was renamed."""
    for module in re.findall(r'python -m ((?:trimodal_ros|benchmarks)[\w.]*)', page.read_text()):
        path = TOP.joinpath(*module.rstrip('.').split('.'))
        assert path.with_suffix('.py').is_file() or path.is_dir(), module


def test_the_robot_of_the_how_to_can_be_read(tmp_path):
    """Catches an example that a reader copies, and the package refuses."""
    example, *_ = blocks(MY_OWN_ARM, 'yaml')
    (tmp_path / 'my_arm.yaml').write_text(example)
    assert RobotSpec.from_yaml(tmp_path / 'my_arm.yaml').joint_names == (
        'shoulder', 'elbow', 'gripper')


def test_the_arm_that_followed_the_how_to_can_be_simulated(tmp_path):
    """Catches the same of the robot and the scene that somebody without an arm begins with."""
    pytest.importorskip('mujoco')
    from trimodal_ros.sim.model import robot_model
    from trimodal_ros.sim.scene_file import read_scene
    for block in blocks(MY_OWN_ARM, 'yaml')[1:]:
        (tmp_path / block.split()[1]).write_text(block)
    try:
        scene = read_scene(tmp_path / 'z1_scene.yaml')
    except SpecError as error:
        assert 'source the workspace that has it' in str(error)
        pytest.skip('without make robots')
    assert len(robot_model(scene).actuators) == 7


# -- troubleshooting


@cache
def told() -> str:
    """Return every text in the code, a line each, with … for what is filled in."""
    return '\n'.join(text for path in (TOP / 'trimodal_ros').rglob('*.py')
                     for node in ast.walk(ast.parse(path.read_text()))
                     for text in [text_of(node)] if text)


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.replace('\n', ' ')
    if isinstance(node, ast.JoinedStr):
        return ''.join(text_of(part) or '…' for part in node.values)
    return ''


def messages() -> list[str]:
    return re.findall(r'^\| `([^`]+)` \|', CURE.read_text(), re.MULTILINE)


@pytest.mark.parametrize('message', messages())
def test_quoted_messages_are_still_told(message):
    """Catches a cure for a message that reads otherwise by now: nobody would find it."""
    parts = [re.escape(part.strip()) for part in message.split('…') if part.strip(' :')]
    assert parts and re.search('.*'.join(parts), told())


def test_the_troubleshooting_page_has_its_messages():
    """Catches a table that the test above does not see any more."""
    assert len(messages()) > 30


# -- Foxglove

# What panels of an exported layout are called, and which settings they read: panels/index.ts of
# lichtblick-suite/lichtblick (66adecb) and foxglove.layouts of foxglove-sdk 0.30.3.
SETTINGS = {
    'Image': {'imageMode'},
    'Plot': {'paths', 'showLegend', 'legendDisplay', 'isSynced', 'xAxisVal', 'showXAxisLabels',
             'showYAxisLabels', 'followingViewWidth'},
    'RawMessages': {'topicPath', 'diffEnabled'},
    'DiagnosticSummary': {'topicToRender', 'minLevel', 'pinnedIds', 'hardwareIdFilter',
                          'sortByLevel'},
    'DiagnosticStatusPanel': {'topicToRender', 'selectedHardwareId', 'selectedName'},
    'CallService': {'serviceName', 'requestPayload', 'layout', 'buttonText', 'buttonColor'}}
LAYOUT = json.loads((TOP / 'config' / 'foxglove.json').read_text())


def panels(layout) -> list[str]:
    if isinstance(layout, str):
        return [layout]
    return panels(layout['first']) + panels(layout['second'])


def test_foxglove_layout_shows_topics_that_there_are():
    """Catches a panel without its settings, and one of a topic or service that nobody has."""
    assert sorted(panels(LAYOUT['layout'])) == sorted(LAYOUT['configById'])
    reference = ''.join((TOP / 'doc' / 'reference' / f'{name}.md').read_text()
                        for name in ('topics', 'services'))
    known = {name.replace('~/', 'policy/').lstrip('/')
             for name in re.findall(r'`([~/\w]+)` \| `\w+/(?:msg|srv)/', reference)}
    shown = set(re.findall(r'"(/[a-z_/]+)', json.dumps(LAYOUT['configById'])))
    assert shown and {name.lstrip('/') for name in shown} <= known


@pytest.mark.parametrize('panel', LAYOUT['configById'])
def test_foxglove_panel_has_settings_that_foxglove_reads(panel):
    """Catches a panel that Foxglove does not know, and a setting that it passes over."""
    kind = panel.partition('!')[0]
    assert set(LAYOUT['configById'][panel]) <= SETTINGS[kind] | {'foxglovePanelTitle'}
