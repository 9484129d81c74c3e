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

"""A URDF as XML elements that know their line, and where its file is."""

from __future__ import annotations

import os
from pathlib import Path
import sys
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from .errors import SpecError

MAX_CHARACTERS = 5_000_000   # of a URDF, which may come from a topic
MOVABLE = ('revolute', 'prismatic', 'continuous')
PACKAGE = 'package://'
CMEEL = Path('cmeel.prefix') / 'share'   # where wheels of robot descriptions put their files


class LocatedElement(Element):
    """An element with the line it begins on; 0 where it was not read from a URDF."""

    line = 0


def read_urdf(urdf: str) -> Element:
    """
    Return the ``<robot>`` of a URDF; raises SpecError for anything else.

    A URDF may come from a topic: one with a DOCTYPE, which can define entities, is refused
    before it does.
    """
    if len(urdf) > MAX_CHARACTERS:
        raise SpecError(f'the URDF has {len(urdf)} characters, at most {MAX_CHARACTERS} are taken')
    builder, parser = TreeBuilder(element_factory=LocatedElement), expat.ParserCreate()

    def start(tag, attributes):
        builder.start(tag, attributes).line = parser.CurrentLineNumber

    def doctype(*_):
        raise SpecError('a URDF with a DOCTYPE is refused: remove it')

    parser.StartElementHandler, parser.EndElementHandler = start, builder.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(urdf.encode(), True)
        root = builder.close()
    except (expat.ExpatError, UnicodeError) as error:
        raise SpecError(f'the URDF is not XML: {error}') from error
    if root.tag != 'robot':
        raise SpecError(f'not a URDF: expected <robot>, got <{root.tag}>')
    macro = next((each for each in root.iter() if each.tag.startswith('xacro:')), None)
    if macro is not None:
        raise SpecError(f'this is xacro, not yet a URDF: <{macro.tag}>{line_of(macro)}; make one: '
                        'xacro FILE > robot.urdf')
    return root


def line_of(element: Element) -> str:
    """Return where in its URDF an element is, to be put behind what is wrong with it."""
    line = getattr(element, 'line', 0)
    return f' (line {line} of the URDF)' if line else ''


def joints_of(root: Element) -> dict[str, Element]:
    """Return the ``<joint>`` elements by name; raises SpecError for no name or one used twice."""
    joints = root.findall('joint')
    nameless = [joint for joint in joints if joint.get('name') is None]
    if nameless:
        raise SpecError(f'the URDF has a joint without a name{line_of(nameless[0])}')
    names = [joint.get('name') for joint in joints]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f'the URDF names a joint twice: {twice}')
    return dict(zip(names, joints))


def find_urdf(where: str, beside: Path) -> Path:
    """
    Return the file of a URDF: a path from the folder ``beside`` on, or ``package://``.

    Packages are looked for under ``share`` of each prefix in AMENT_PREFIX_PATH, as ROS installs
    them, and among the Python packages: in the folder that some carry (cmeel's), or their own.
    Raises SpecError.
    """
    if not where.startswith(PACKAGE):
        path = beside / where
        if not path.is_file():
            raise SpecError(f'no file {path}; name it from the folder of the YAML on')
        return path
    inside = where.removeprefix(PACKAGE)
    shares = [Path(prefix) / 'share' for prefix in
              os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix]
    shares += [Path(folder) / inside_it for folder in sys.path if folder
               for inside_it in (CMEEL, '')]
    for share in shares:
        if (share / inside).is_file():
            return share / inside
    raise SpecError(f'{where}: not found under share/ of AMENT_PREFIX_PATH, nor in the Python '
                    'environment; source the workspace that has it')
