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

"""Sentences for tasks: templates with {object} and {place}, one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .layout import Task


def read_templates(path: Path) -> list[str]:
    """
    Read templates, one a line; blank lines and lines starting with ``#`` are left out.

    Raises ValueError, naming the line, where {object} or {place} is missing.
    """
    templates = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith('#'):
            if line.count('{object}') != 1 or line.count('{place}') != 1:
                raise ValueError(f'{path}, line {number}: a template needs {{object}} and '
                                 f'{{place}} once each, got {line!r}')
            templates.append(line)
    if not templates:
        raise ValueError(f'{path} holds no template')
    return templates


def say(task: Task, template: str) -> str:
    """
    Return the sentence for a task.

    >>> say(Task('red cube', 'left plate'), 'put the {object} on the {place}')
    'put the red cube on the left plate'
    """
    return template.format(object=task.object, place=task.place)


def draw_sentences(task: Task, templates: list[str], count: int,
                   rng: np.random.Generator) -> list[str]:
    """Return ``count`` different sentences for a task."""
    chosen = rng.choice(len(templates), size=min(count, len(templates)), replace=False)
    return [say(task, templates[index]) for index in chosen]
