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

"""All parameters of a node of somebody else, by its services."""

from __future__ import annotations

from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python


class ParameterReader:
    """
    Asks a node for its parameters; ``values`` are there once ``done``.

    ``step`` goes on as far as answers are there, and is called until then.
    """

    def __init__(self, node: Node, of: str):
        self._list = node.create_client(ListParameters, f'{of}/list_parameters')
        self._get = node.create_client(GetParameters, f'{of}/get_parameters')
        self._listed = self._got = None
        self.values: dict | None = None

    @property
    def done(self) -> bool:
        return self.values is not None

    def step(self) -> None:
        """Ask what can be asked, take what was answered."""
        if self._listed is None and self._list.service_is_ready():
            self._listed = self._list.call_async(ListParameters.Request())
        elif self._got is None and self._is_answered(self._listed) and (
                self._get.service_is_ready()):
            self._names = list(self._listed.result().result.names)
            self._got = self._get.call_async(GetParameters.Request(names=self._names))
        elif self._is_answered(self._got) and not self.done:
            self.values = dict(zip(self._names, map(
                _plain, self._got.result().values)))

    @staticmethod
    def _is_answered(future) -> bool:
        return future is not None and future.done()


def _plain(value):
    """Return a parameter's value; arrays as lists."""
    plain = parameter_value_to_python(value)
    return plain if plain is None or isinstance(plain, (bool, int, float, str)) else list(plain)
