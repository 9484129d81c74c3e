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

"""``python -m trimodal_ros.spec``: a robot YAML against a live graph, or a first one from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import tyro

from .errors import SpecError
from .graph.finding import has_errors, summary, table
from .graph.judge import judge
from .robot_file import read_robot_file
from ..command_line import one_line_errors

Remaps = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


def check(file: Annotated[Path, tyro.conf.Positional], timeout: float = 10.0,
          json_file: Annotated[Path | None, tyro.conf.arg(name='json')] = None,
          namespace: str = '', remap: Remaps = (), use_sim_time: bool = False) -> None:
    """
    Check a robot YAML, first by itself and then against what is on the graph now.

    Sends nothing. Looks at topics, types, QoS, rates and stamps, names and positions of joints,
    the URDF on robot_description, and the parameters of the controllers. Each finding says what
    was found and expected, why that matters and what to change. Ends with 1 where there is an
    error, else with 0.

    :param file: Robot YAML.
    :param timeout: Seconds to look at most; it ends earlier when all was seen.
    :param json_file: File that gets the findings, '-' for standard output instead of the table.
    :param namespace: Namespace of the policy node, from which relative names are resolved.
    :param remap: Remapping as FROM:=TO, of the policy node; may be given again.
    :param use_sim_time: Go by /clock.
    """
    from ..nodes.graph_look import look
    from ..nodes.graph_node import graph_node
    from ..observe.freshness import Freshness
    from ..observe.observer import MAX_AHEAD_S
    robot = read_robot_file(file).robot
    with graph_node(namespace, remap, use_sim_time) as make_node:
        seen = look(make_node, robot, timeout)
    findings = judge(robot, seen, Freshness.max_age_s, MAX_AHEAD_S)
    text = json.dumps({'file': str(file), 'robot': robot.name, 'seconds': round(seen.seconds, 2),
                       'passed': not has_errors(findings),
                       'findings': [finding.to_dict() for finding in findings]}, indent=1)
    if str(json_file) == '-':
        print(text)
    else:
        print(f'{table(findings)}\n{file}: {summary(findings)}')
    if json_file is not None and str(json_file) != '-':
        _write({json_file: text + '\n'})
    if has_errors(findings):
        raise SystemExit(1)


def new(file: Annotated[Path, tyro.conf.Positional], timeout: float = 10.0, namespace: str = '',
        remap: Remaps = (), use_sim_time: bool = False) -> None:
    """
    Write a first robot YAML from what is on the graph, with comments on what to check.

    What robot_description says goes beside it, as a URDF that it names. What the graph doesn't
    tell is left open, and refused until you fill it in. Existing files are never touched.

    :param file: Robot YAML to be written; the URDF gets its name.
    :param timeout: Seconds to look at most; it ends earlier when all was seen.
    :param namespace: Namespace of the policy node, from which relative names are resolved.
    :param remap: Remapping as FROM:=TO, of the policy node; may be given again.
    :param use_sim_time: Go by /clock.
    """
    from .graph.draft import draft
    from ..nodes.graph_look import look
    from ..nodes.graph_node import graph_node
    urdf = file.with_suffix('.urdf')
    for path in (file, urdf):
        if path.exists():
            raise SpecError(f'{path} exists already; give another name, or move it away')
    with graph_node(namespace, remap, use_sim_time) as make_node:
        seen = look(make_node, None, timeout)
    text, open_points = draft(seen, urdf.name)
    _write({**({urdf: seen.description} if seen.description else {}), file: text})
    print(f'{file} written; {open_points} places to fill in, marked FILL IN, and all that is '
          f'marked CHECK to be looked at.\nThen: python -m trimodal_ros.spec check {file}')


def _write(texts: dict[Path, str]) -> None:
    """Write files whole, and all of them or none."""
    partials = {path.with_name(path.name + '.partial'): path for path in texts}
    try:
        for partial, path in partials.items():
            partial.write_text(texts[path])
        for partial, path in partials.items():
            partial.rename(path)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def main(args: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    with one_line_errors(interrupted='interrupted; nothing was written'):
        tyro.extras.subcommand_cli_from_dict(
            {'check': check, 'new': new}, args=args, prog='trimodal_ros.spec',
            description='Robot YAMLs: check one against a live graph, or write a first one from '
                        'what is there.')


if __name__ == '__main__':
    main()
