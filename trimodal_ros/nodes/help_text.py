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

"""What a node's ``--help`` prints, made without a graph: its docstring and its parameters."""

from __future__ import annotations

import inspect
import sys

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.parameter import Parameter

HEADINGS = ('parameter', 'type', 'default', 'range', 'description')


class DeclaredParameters:
    """Stands in for a node while it declares its parameters, and keeps them as rows."""

    def __init__(self):
        self.rows = []

    def declare_parameter(self, name: str, default, descriptor: ParameterDescriptor) -> None:
        type_name = Parameter.Type.from_parameter_value(default).name.lower()
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        limits = ', '.join(f'{limit.from_value:.12g} to {limit.to_value:.12g}' for limit in ranges)
        shown = repr(default) if isinstance(default, str) else str(default).lower()
        self.rows.append((name, type_name, shown, limits, descriptor.description))


def help_text(node_class: type) -> str:
    """Return what a node of this class does, how it is started and its parameters."""
    declared = DeclaredParameters()
    node_class._declare_parameters(declared)
    module = sys.modules[node_class.__module__]
    return '\n\n'.join([
        inspect.cleandoc(module.__doc__),
        'Arguments: --ros-args -p PARAMETER:=VALUE ... --params-file FILE -r TOPIC:=OTHER',
        _table([HEADINGS, *declared.rows])])


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)
