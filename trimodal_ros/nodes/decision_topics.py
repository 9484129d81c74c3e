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

"""Topics on which decisions are told: their records, and plan and alignment behind them."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectory

from .decision_message import decision_message
from .ros import ROS_TYPES
from ..command.decision import Decision
from ..command.guard import SCORES
from ..command.message import to_message
from ..command.outlet import Told


class DecisionTopics:
    """Publishes decisions of one policy after another; ``close`` ends the publishers."""

    def __init__(self, node, decision: str, behind: str):
        self._node = node
        self._decision = node.create_publisher(DiagnosticArray, decision, 10)
        self._plan = node.create_publisher(JointTrajectory, f'{behind}/plan', 10)
        self._alignment = {name: node.create_publisher(Float64, f'{behind}/alignment/{name}', 10)
                           for name in SCORES}

    def publish(self, decision: Decision, told: Told, age_ms: float, content_hash: str) -> None:
        """Publish the record of a decision and, if there is one, the plan as the model made it."""
        if decision.planned is not None:
            self._plan.publish(to_message(decision.planned, ROS_TYPES))
        for name, value in decision.alignment.items():
            self._alignment[name].publish(Float64(data=value))
        self._decision.publish(decision_message(decision, told, age_ms, content_hash))

    def close(self) -> None:
        for publisher in (self._decision, self._plan, *self._alignment.values()):
            self._node.destroy_publisher(publisher)
