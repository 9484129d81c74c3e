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

"""Draws the graph: a line a topic, from who publishes it to who hears it, with its type."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from .endpoints import Endpoints

ROBOT, SIMULATED = 'your robot', 'simulated_robot'
COLUMNS = (ROBOT, SIMULATED, 'policy', 'teleop', 'teleop_keyboard', 'recorder', 'console')
LEFT_OUT = ('rcl_interfaces/', 'lifecycle_msgs/')    # types of what every node has
NAME_PX, TYPE_PX, COLUMN_PX, ROW_PX, TOP_PX, EDGE_PX = 590, 330, 125, 26, 64, 16
STYLE = """
  text { font: 13px ui-monospace, monospace; fill: #1f2328; }
  .node, .type { fill: #59636e; } .node { font-weight: 600; }
  .lane { stroke: #d1d9e0; } .wire { stroke: #0969da; stroke-width: 1.5; }
  .from { fill: #0969da; } .to { fill: none; stroke: #0969da; stroke-width: 1.5; }
  .to { fill: #ffffff; } .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .node, .type { fill: #9198a1; } .lane { stroke: #3d444d; }
    .wire, .to { stroke: #4493f8; } .from { fill: #4493f8; } .to, .ground { fill: #0d1117; }
  }"""


@dataclass
class Wire:
    """A topic: its type, who publishes and who hears it."""

    type_name: str
    sources: set[str] = field(default_factory=set)
    sinks: set[str] = field(default_factory=set)


def wires(opened: dict[str, Endpoints]) -> dict[str, Wire]:
    """Return the topics that more than one have to do with, as seen from no namespace."""
    found: dict[str, Wire] = {}
    for executable in COLUMNS:
        ends = opened.get(executable, Endpoints({}, {}, {}, {}))
        for topics, who in ((ends.publishes, 'sources'), (ends.subscribes, 'sinks')):
            for topic, type_name in topics.items():
                if not type_name.startswith(LEFT_OUT):
                    wire = found.setdefault(topic.replace('~', executable), Wire(type_name))
                    getattr(wire, who).add(executable)
    found = {topic: _with_robot(wire) for topic, wire in found.items()}
    return {topic: wire for topic, wire in sorted(found.items(), key=_place)
            if len(wire.sources | wire.sinks) > 1}


def _with_robot(wire: Wire) -> Wire:
    """Add a real robot: what the simulator stands in for, and what nobody here publishes."""
    if not wire.sources or (SIMULATED in wire.sources and wire.sinks):
        wire.sources.add(ROBOT)
    if SIMULATED in wire.sinks:
        wire.sinks.add(ROBOT)
    return wire


def _place(item: tuple[str, Wire]) -> tuple[list[int], str]:
    return sorted(list(COLUMNS).index(name) for name in item[1].sources), item[0]


def draw_graph(opened: dict[str, Endpoints]) -> str:
    """Return the graph as SVG; its colours follow the reader's light or dark scheme."""
    rows = wires(opened)
    width = NAME_PX + COLUMN_PX * len(COLUMNS)
    height = TOP_PX + ROW_PX * len(rows) + EDGE_PX
    x_of = {name: NAME_PX + COLUMN_PX * (index + 0.5) for index, name in enumerate(COLUMNS)}
    parts = [f'<rect class="ground" width="{width}" height="{height}"/>',
             _text(EDGE_PX, 30, 'topic', 'node'),
             f'<circle class="from" cx="{EDGE_PX + 70}" cy="26" r="5"/>',
             _text(EDGE_PX + 82, 30, 'publishes', 'type'),
             f'<circle class="to" cx="{EDGE_PX + 180}" cy="26" r="5"/>',
             _text(EDGE_PX + 192, 30, 'subscribes', 'type')]
    for name, x in x_of.items():
        parts.append(_text(x, 30, name, 'node', ' text-anchor="middle"'))
        parts.append(f'<line class="lane" x1="{x}" x2="{x}" y1="42" y2="{height - EDGE_PX}"/>')
    for index, (topic, wire) in enumerate(rows.items()):
        parts += _row(topic, wire, TOP_PX + ROW_PX * index, x_of)
    body = '\n'.join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'role="img" aria-label="Nodes and the topics between them">\n<style>{STYLE}\n'
            f'</style>\n{body}\n</svg>\n')


def _row(topic: str, wire: Wire, y: float, x_of: dict[str, float]) -> list[str]:
    ends = [x_of[name] for name in wire.sources | wire.sinks]
    package, _, name = wire.type_name.partition('/msg/')
    return [_text(EDGE_PX, y + 4, topic), _text(TYPE_PX, y + 4, f'{package}/{name}', 'type'),
            f'<line class="wire" x1="{min(ends)}" x2="{max(ends)}" y1="{y}" y2="{y}"/>',
            *(f'<circle class="to" cx="{x_of[end]}" cy="{y}" r="5"/>'
              for end in sorted(wire.sinks - wire.sources)),
            *(f'<circle class="from" cx="{x_of[end]}" cy="{y}" r="5"/>'
              for end in sorted(wire.sources))]


def _text(x: float, y: float, text: str, kind: str = '', more: str = '') -> str:
    kind = f' class="{kind}"' if kind else ''
    return f'<text{kind} x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'
