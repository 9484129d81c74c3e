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

"""The reference, the security policies and the launch files say what the nodes really open."""

import ast
from pathlib import Path
import re
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy')
from rclpy.utilities import ok  # noqa: E402

from trimodal_ros.nodes.endpoints import Endpoints  # noqa: E402
from trimodal_ros.nodes.opened import open_all, SHIPPED  # noqa: E402
from trimodal_ros.nodes.reference import pages  # noqa: E402
from trimodal_ros.nodes.security import policy_xml  # noqa: E402

TOP = Path(__file__).resolve().parents[1]
POLICIES = TOP / 'security' / 'policies'
EXECUTABLES = re.findall(r"'(\w+)'", re.search(
    r'for node in \((.*?)\)', (TOP / 'setup.py').read_text(), re.DOTALL)[1])
LAUNCHED = {'policy': ('policy',), 'record': ('recorder',), 'teleop': ('teleop',)}
EVERY_NODE = {'/rosout', '/parameter_events'}
OF_THE_ROBOT = re.compile(r'.*/image_raw|/emergency_stop|policy/.*|~/.*')   # remap, parameters
RIGHTS = {('topics', 'publish'): 'publishes', ('topics', 'subscribe'): 'subscribes',
          ('services', 'reply'): 'serves', ('services', 'request'): 'asks'}


@pytest.fixture(scope='module')
def opened() -> dict[str, Endpoints]:
    """What every executable opens, of real nodes on a real graph."""
    assert not ok()
    return open_all(SHIPPED)


def test_every_executable_is_known(opened):
    """Catches a new node that has neither reference nor policy."""
    assert set(opened) == set(EXECUTABLES)
    assert {path.stem for path in POLICIES.glob('*.xml')} == set(EXECUTABLES)


def test_reference_is_up_to_date(opened):
    """Catches a parameter, topic or service that changed since `make reference`."""
    for name, text in pages(opened).items():
        assert (TOP / 'doc' / 'reference' / name).read_text() == text, 'run `make reference`'


def allowed(path: Path) -> dict[str, set[str]]:
    """Return what a policy allows; anything but what sros2's schema has is an error."""
    policy = ElementTree.parse(path).getroot()
    assert (policy.tag, policy.attrib) == ('policy', {'version': '0.2.0'})
    (enclave,) = policy.findall('enclaves/enclave')
    (profile,) = enclave.findall('profiles/profile')
    assert enclave.get('path') == f'/{path.stem}' and profile.get('ns') == '/'
    found = {}
    for rule in profile:
        ((right, verdict),) = rule.attrib.items()
        assert verdict == 'ALLOW' and {child.tag for child in rule} == {rule.tag[:-1]}
        found[RIGHTS[rule.tag, right]] = {child.text for child in rule}
    return found


@pytest.mark.parametrize('executable', EXECUTABLES)
def test_policies_allow_what_nodes_open_and_nothing_else(opened, executable):
    """Catches a node that its policy keeps from working, and a right that nobody needs."""
    really = {kind: set(getattr(opened[executable], kind)) for kind in RIGHTS.values()
              if getattr(opened[executable], kind)}
    assert allowed(POLICIES / f'{executable}.xml') == really


def test_nobody_but_policy_and_teleop_may_command(opened):
    """Catches a right to move the robot that came in unnoticed."""
    commanding = {name for name in EXECUTABLES
                  if 'joint_trajectory' in allowed(POLICIES / f'{name}.xml')['publishes']}
    assert commanding == {'policy', 'teleop'}


def test_policies_of_a_namespace_are_in_enclaves_below_it(opened):
    """Catches two robots that share keys, and so may command each other."""
    text = policy_xml('policy', opened['policy'], 'left')
    assert 'path="/left/policy"' in text and 'ns="/left"' in text


@pytest.mark.parametrize('name', LAUNCHED)
def test_launch_files_rename_every_topic(opened, name):
    """Catches a topic that can't be remapped, and an argument for one that isn't there."""
    tree = ast.parse((TOP / 'launch' / f'{name}.launch.py').read_text())
    topics = next(ast.literal_eval(node.value) for node in tree.body
                  if isinstance(node, ast.Assign) and node.targets[0].id == 'TOPICS')
    real = {topic for executable in LAUNCHED[name] for topic in (
        *opened[executable].publishes, *opened[executable].subscribes)}
    assert set(topics) == {topic for topic in real - EVERY_NODE
                           if not OF_THE_ROBOT.fullmatch(topic)}
