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

"""Message types by their names on the graph, and the text of their definitions."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
import re

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError

from ..record.episode import EpisodeError
from ..record.messages import TYPESTORE

NAME = re.compile(r'([a-z]\w*)/msg/(\w+)')
FIELD = re.compile(r'^\s*((?:[a-z]\w*/)?(?:msg/)?[A-Z]\w*)', re.MULTILINE)
SEPARATOR = '=' * 80
HEADER = 'std_msgs/Header'


class MessageTypeError(EpisodeError):
    """A message type that isn't installed here; the message names it."""


def import_message(type_name: str) -> type:
    """
    Return the class of ``package/msg/Name``. Raises MessageTypeError where it isn't installed.

    >>> import_message('std_msgs/msg/Bool').__name__
    'Bool'
    """
    match = NAME.fullmatch(type_name)
    try:
        return getattr(import_module(f'{match[1]}.msg'), match[2])
    except (TypeError, ImportError, AttributeError) as error:
        raise MessageTypeError(f'unknown message type {type_name!r}: install its package, or '
                               'source the workspace that has it, and start again') from error


def has_header(message_class: type) -> bool:
    """Tell whether a message begins with a ``std_msgs/Header``."""
    fields = list(message_class.get_fields_and_field_types().values())
    return fields[:1] == [HEADER]


def definition_of(type_name: str) -> str | None:
    """
    Return the text of a type and of all it consists of, None for Jazzy's common interfaces.

    Raises MessageTypeError where a .msg file isn't installed.
    """
    if type_name in TYPESTORE.types:
        return None
    texts, todo = {}, [type_name]
    while todo:
        name = todo.pop(0)
        if name not in texts:
            texts[name] = _text_of(name)
            todo += _parts_of(texts[name], name.split('/')[0])
    first, *others = texts.items()
    return ''.join([first[1], *(f'\n{SEPARATOR}\nMSG: {name.replace("/msg/", "/")}\n{text}'
                                for name, text in others)])


def _text_of(type_name: str) -> str:
    if type_name in TYPESTORE.types:
        return TYPESTORE.generate_msgdef(type_name, ros_version=2)[0].split(SEPARATOR)[0]
    package, _, name = type_name.split('/')
    try:
        share = get_package_share_directory(package)
        return (Path(share) / 'msg' / f'{name}.msg').read_text()
    except (PackageNotFoundError, OSError) as error:
        raise MessageTypeError(f'{type_name}: its definition, {package}/msg/{name}.msg, is not '
                               'installed here') from error


def _parts_of(text: str, package: str) -> list[str]:
    """Return the message types among the fields of a definition."""
    fields = FIELD.findall(re.sub(r'#.*', '', text))
    parts = [(package, field) if '/' not in field else (field.split('/')[0], field.split('/')[-1])
             for field in fields]
    return [f'{where}/msg/{name}' for where, name in parts]
