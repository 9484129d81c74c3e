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
"""A training configuration: YAML with the options of ``python -m trimodal_ros.train``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

import yaml

OPTION = '--config'


class ConfigurationError(ValueError):
    """A configuration file that can't be read, or says what there is no option for."""


def with_configuration(args: list[str], known: Collection[str]) -> list[str]:
    """
    Return arguments with the options of the file behind ``--config`` put before.

    Options given as arguments count, and the file's are left out. ``known`` are the names of
    options, with underscores; what stands in a block goes to an option with a dot. Raises
    ConfigurationError.

    >>> with_configuration(['--steps', '5'], ['steps'])
    ['--steps', '5']
    """
    path = _path(args)
    if path is None:
        return args
    given = {_plain(arg) for arg in args if arg.startswith('--')}
    options = _options(read_configuration(path, known))
    return [word for name, words in options.items() if _plain(name) not in given
            for word in words] + args


def _path(args: list[str]) -> Path | None:
    for index, arg in enumerate(args):
        option, equals, value = arg.partition('=')
        if option == OPTION:
            if not equals and index + 1 == len(args):
                raise ConfigurationError(f'{OPTION}: expected a file after it')
            return Path(value if equals else args[index + 1])
    return None


def read_configuration(path: Path, known: Collection[str]) -> Mapping:
    """Return what a file says. Raises ConfigurationError, naming the file and the key."""
    try:
        said = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f'configuration {path}: {error}') from error
    if not isinstance(said, Mapping):
        raise ConfigurationError(f'configuration {path}: expected lines of option: value, got '
                                 f'{type(said).__name__}')
    for name in said:
        if name not in known or name == OPTION.removeprefix('--'):
            near = get_close_matches(str(name), known, 1)
            raise ConfigurationError(
                f'configuration {path}: no option {name!r}; '
                + (f'did you mean {near[0]!r}?' if near else f'known: {", ".join(known)}'))
    return said


def _options(said: Mapping, above: str = '--') -> dict[str, list[str]]:
    """Return the words of each option on a command line."""
    words = {}
    for key, value in said.items():
        name = above + str(key).replace('_', '-')
        if isinstance(value, Mapping):
            words.update(_options(value, f'{name}.'))
        elif isinstance(value, bool):
            words[name] = [name if value else _negative(name)]
        elif isinstance(value, list):
            words[name] = [name, *map(str, value)]
        else:
            words[name] = [name, str(value)]
    return words


def _negative(name: str) -> str:
    """
    Return the option that switches another off.

    >>> _negative('--sampling.thorough')
    '--sampling.no-thorough'
    """
    block, dot, last = name.removeprefix('--').rpartition('.')
    return f'--{block}{dot}no-{last}'


def _plain(arg: str) -> str:
    """
    Return an option's name as both of its forms have it.

    >>> _plain('--no-vision_frozen=1')
    'vision-frozen'
    """
    block, dot, last = arg.partition('=')[0].removeprefix('--').replace('_', '-').rpartition('.')
    return block + dot + last.removeprefix('no-')
