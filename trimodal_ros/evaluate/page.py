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

"""Files of a report: HTML pages from templates beside this file, values escaped, and JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                           undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)


def write_page(template: str, path: Path, **values) -> None:
    """Fill ``<template>.html.jinja`` and write it."""
    write_whole(path, _ENVIRONMENT.get_template(f'{template}.html.jinja').render(**values))


def write_json(path: Path, figures: dict) -> None:
    """Write plain data and paths. Raises ValueError for a NaN, which JSON doesn't have."""
    write_whole(path, json.dumps(figures, indent=1, allow_nan=False, default=os.fspath) + '\n')


def write_whole(path: Path, text: str) -> None:
    """Write a text file, and its folder if need be; a reader never finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.partial')
    try:
        partial.write_text(text, encoding='utf-8')
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def check_files(**files: Path | None) -> None:
    """Raise ValueError, naming the option, for a file that could not be written in the end."""
    for option, path in files.items():
        if path is None:
            continue
        if path.is_dir():
            raise ValueError(f'--{option}: {path} is a folder, expected a file')
        folder = next(each for each in path.absolute().parents if each.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ValueError(f'--{option}: {path} cannot be written into {folder}')
