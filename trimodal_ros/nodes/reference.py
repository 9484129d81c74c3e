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
Writes the reference from the code: parameters, topics, services and a picture of the graph.

    python -m trimodal_ros.nodes.reference

which is ``make reference``; the policies of ``security`` are written beside.
"""

from __future__ import annotations

from collections.abc import Iterable
import inspect
from pathlib import Path
import sys

import tyro

from .endpoints import Endpoints
from .graph_picture import draw_graph
from .help_text import DeclaredParameters
from .opened import open_all, SHIPPED
from .policy import PolicyNode
from .private_graph import enter_private_graph, GraphError
from .recorder import RecorderNode
from .security import write_policies
from .simulated_robot import SimulatedRobotNode
from .teleop import TeleopNode
from .teleop_keyboard import KeyboardNode
from ..command_line import one_line_errors

NODES = {'policy': PolicyNode, 'recorder': RecorderNode, 'simulated_robot': SimulatedRobotNode,
         'teleop': TeleopNode, 'teleop_keyboard': KeyboardNode}
WRITTEN = '<!-- Written by `make reference`; what is changed here is lost. -->\n'
EVERY_NODE = ('rcl_interfaces/', 'type_description_interfaces/')   # types of what all nodes have
NAMES = ('Names are relative to the namespace of the node, `~` is its own name, and all may be '
         f'remapped. Cameras are those of `config/robots/{SHIPPED.robot.name}`, `/emergency_stop` '
         'stands for the parameter `stop_topic`.\n')


def pages(opened: dict[str, Endpoints]) -> dict[str, str]:
    """Return the files of the reference by name."""
    return {'parameters.md': _parameters(),
            'topics.md': _endpoints('Topics', opened, {'publishes': 'publishes',
                                                       'subscribes': 'subscribes to'}),
            'services.md': _endpoints('Services', opened, {'serves': 'offers',
                                                           'asks': 'asks for'}),
            'graph.svg': draw_graph(opened)}


def _parameters() -> str:
    text = f'{WRITTEN}\n# Parameters\n\n`--help` of each node prints the same.\n'
    for name, node_class in NODES.items():
        declared = DeclaredParameters()
        node_class._declare_parameters(declared)
        summary = inspect.getdoc(sys.modules[node_class.__module__]).split('\n\n')[0]
        rows = [(f'`{row[0]}`', row[1], f'`{row[2]}`', row[3], row[4]) for row in declared.rows]
        text += f'\n## {name}\n\n{summary}\n\n' + table(
            ('parameter', 'type', 'default', 'range', 'description'), rows)
    return text


def _endpoints(title: str, opened: dict[str, Endpoints], kinds: dict[str, str]) -> str:
    text = (f'{WRITTEN}\n# {title}\n\n{NAMES}\nLeft out is what every ROS node has: '
            'parameter events and services, the log, type descriptions.\n')
    for name, ends in opened.items():
        rows = [(said, f'`{endpoint}`', f'`{type_name}`') for kind, said in kinds.items()
                for endpoint, type_name in sorted(getattr(ends, kind).items())
                if not type_name.startswith(EVERY_NODE) or kind == 'asks']
        if rows:
            text += f'\n## {name}\n\n' + table(('', 'name', 'type'), rows)
    return text


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    r"""
    Return a Markdown table.

    >>> print(table(('a', 'b'), [('x', '1|2')]), end='')
    | a | b |
    |---|---|
    | x | 1\|2 |
    """
    lines = [list(headings), *map(list, rows)]
    text = ['| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines]
    text.insert(1, '|' + '---|' * len(lines[0]))
    return '\n'.join(text) + '\n'


def reference(out: Path = Path('doc/reference'), policies: Path = Path('security/policies')
              ) -> None:
    """
    Write the reference and the security policies of the shipped robot and checkpoint.

    :param out: Folder for the pages of the reference.
    :param policies: Folder for the policies.
    """
    enter_private_graph()
    opened = open_all(SHIPPED)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages(opened).items():
        (out / name).write_text(text)
    write_policies(opened, policies)
    print(f'reference: {out.resolve()}, policies: {policies.resolve()}')


def main(args: list[str] | None = None) -> None:
    with one_line_errors(GraphError):
        tyro.cli(reference, args=args, prog='trimodal_ros.nodes.reference')


if __name__ == '__main__':
    main()
