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

"""How commands and nodes end: an error of whoever calls them is one line, and no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_line_errors(*others: type[Exception], interrupted: str = 'interrupted') -> Iterator[None]:
    """Exit with a line for ValueError, OSError and ``others``, and for Ctrl-C."""
    try:
        yield
    except (ValueError, OSError, *others) as error:
        raise SystemExit(f'error: {describe_error(error)}') from error
    except KeyboardInterrupt:
        raise SystemExit(interrupted) from None


def describe_error(error: Exception) -> str:
    """
    Return an error's message, of a file system's without its number.

    >>> describe_error(FileNotFoundError(2, 'No such file or directory', 'robot.yaml'))
    'robot.yaml: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f'{error.filename}: {error.strerror}'
    return str(error)
