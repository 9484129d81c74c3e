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

"""A YAML file with the line that everything in it is on, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .errors import SpecError

Place = tuple  # of keys and indices: ('joints', 0, 'lower_rad')


@dataclass
class Located:
    """
    What a YAML file holds, and what was found wrong with it so far.

    >>> file = Located(Path('a.yaml'), {'a': 1}, {(): 1, ('a',): 3})
    >>> file.fault(('a', 'b'), 'a: got 1, expected 2')
    >>> file.faults
    ['a.yaml:3: a: got 1, expected 2']
    """

    path: Path
    data: object
    lines: dict[Place, int]
    faults: list[str] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest that encloses it."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def fault(self, place: Place, text: str) -> None:
        """Note what is wrong at a place: what, got, expected, what to do."""
        self.faults.append(f'{self.path}:{self.line(place)}: {text}')

    def raise_faults(self) -> None:
        """Raise SpecError with all that was noted, a line each, if anything was."""
        if self.faults:
            raise SpecError('\n'.join(self.faults))


def read_located(path: Path) -> Located:
    """Return a YAML file. Raises SpecError for what isn't one, or has a key twice."""
    try:
        text = path.read_text()
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            located = Located(path, None, {(): 1})
            if node is not None:
                _note_lines(located, node, ())
                located.data = loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise SpecError(f'{path} is not YAML: {error}') from error
    except OSError as error:
        raise SpecError(f'{path}: {error.strerror}') from error
    located.raise_faults()
    return located


def _note_lines(located: Located, node: yaml.Node, place: Place) -> None:
    located.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(located, item, (*place, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*place, key.value if isinstance(key, yaml.ScalarNode) else '?')
            _note_key(located, key, inside)
            _note_lines(located, value, inside)


def _note_key(located: Located, key: yaml.Node, place: Place) -> None:
    line = key.start_mark.line + 1
    if place in located.lines:
        located.faults.append(
            f'{located.path}:{line}: {place[-1]!r} is there twice, first on line '
            f'{located.lines[place]}; YAML would take the last: remove one')
    located.lines[place] = line
