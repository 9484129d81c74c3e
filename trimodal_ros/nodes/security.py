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
Writes an SROS 2 policy for each executable: what it opens, and nothing else.

    python -m trimodal_ros.nodes.security --out security/policies
    python -m trimodal_ros.nodes.security --robot ROBOT.yaml --checkpoint FOLDER \
        --namespace left --out my_policies

The nodes are opened, on a graph of their own, and looked at; doc/explanation/security.md tells
what to do with the files.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tyro

from .endpoints import Endpoints
from .opened import Deployment, open_all, SHIPPED
from .private_graph import enter_private_graph, GraphError
from ..command_line import one_line_errors

POLICY_VERSION = '0.2.0'   # of sros2/policy/schemas/policy.xsd
RULES = (   # element, what it holds, attribute, of which endpoints
    ('topics', 'topic', 'publish', 'publishes'), ('topics', 'topic', 'subscribe', 'subscribes'),
    ('services', 'service', 'reply', 'serves'), ('services', 'service', 'request', 'asks'))
# Where it isn't the executable's.
NODE_NAMES = dict.fromkeys(('demo', 'teleop_demo', 'bring_up'), 'conductor')


def policy_xml(executable: str, opened: Endpoints, namespace: str = '') -> str:
    """
    Return the policy of one executable, in the enclave of its name below the namespace.

    >>> print(policy_xml('console', Endpoints({'instruction': 'std_msgs/msg/String'}, {}, {}, {})))
    <policy version="0.2.0">
      <enclaves>
        <enclave path="/console">
          <profiles>
            <profile ns="/" node="console">
              <topics publish="ALLOW">
                <topic>instruction</topic>
              </topics>
            </profile>
          </profiles>
        </enclave>
      </enclaves>
    </policy>
    <BLANKLINE>
    """
    namespace = '/' + namespace.strip('/')
    policy = ElementTree.Element('policy', version=POLICY_VERSION)
    enclave = ElementTree.SubElement(ElementTree.SubElement(policy, 'enclaves'), 'enclave',
                                     path=f'{namespace.rstrip("/")}/{executable}')
    profile = ElementTree.SubElement(
        ElementTree.SubElement(enclave, 'profiles'), 'profile', ns=namespace,
        node=NODE_NAMES.get(executable, executable))
    for element, held, right, kind in RULES:
        names = sorted(getattr(opened, kind))
        if names:
            rule = ElementTree.SubElement(profile, element, {right: 'ALLOW'})
            for name in names:
                ElementTree.SubElement(rule, held).text = name
    ElementTree.indent(policy)
    return ElementTree.tostring(policy, encoding='unicode') + '\n'


def write_policies(opened: dict[str, Endpoints], out: Path, namespace: str = '') -> None:
    """Write one file an executable; the folder is made."""
    out.mkdir(parents=True, exist_ok=True)
    for executable, ends in opened.items():
        (out / f'{executable}.xml').write_text(policy_xml(executable, ends, namespace))


def security(out: Path, robot: Path = SHIPPED.robot, checkpoint: Path = SHIPPED.checkpoint,
             stop_topic: str = SHIPPED.stop_topic, namespace: str = '') -> None:
    """
    Write an SROS 2 policy for each executable: what it opens, and nothing else.

    :param out: Folder for the files, one an executable.
    :param robot: Robot YAML, which names the cameras.
    :param checkpoint: Checkpoint folder for that robot.
    :param stop_topic: Topic of the emergency stop that policy and teleop heed.
    :param namespace: Namespace of the nodes, and of their enclaves.
    """
    enter_private_graph()
    write_policies(open_all(Deployment(robot, checkpoint, stop_topic)), out, namespace)
    print(f'policies: {out.resolve()}')


def main(args: list[str] | None = None) -> None:
    with one_line_errors(GraphError):
        tyro.cli(security, args=args, prog='trimodal_ros.nodes.security')


if __name__ == '__main__':
    main()
