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

"""The services ``~/stop`` and ``~/resume`` of a node that commands a robot."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import Trigger


def offer_stop(node: Node, stop: Callable[[str], None], resume: Callable[[], str]) -> None:
    """
    Offer both: ``stop`` is told who asks, ``resume`` returns what follows.

    ``resume`` raises ValueError where it is refused.
    """
    def on_stop(request, response):
        stop('~/stop')
        response.success, response.message = True, 'stopped; ~/resume lets it go on'
        return response

    def on_resume(request, response):
        try:
            response.success, response.message = True, resume()
        except ValueError as error:
            response.success, response.message = False, str(error)
        return response
    node.create_service(Trigger, '~/stop', on_stop)
    node.create_service(Trigger, '~/resume', on_resume)
