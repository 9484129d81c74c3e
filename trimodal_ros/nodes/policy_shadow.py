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

"""What a policy node tells of its shadow, on topics under ``~/shadow/`` that nothing obeys."""

from __future__ import annotations

from .decision_topics import DecisionTopics
from .ros import ROS_TYPES
from .trajectory_topics import TrajectoryPublishers
from ..command.commander import Commander
from ..command.decision import Decision
from ..command.message import to_messages
from ..command.outlet import Thinker, Told
from ..command.shadow import Shadow
from ..spec import RobotSpec


class ShadowTopics:
    """The outlet of one shadow; its publishers are there as long as it is."""

    def __init__(self, node, robot: RobotSpec, content_hash: str):
        self._node, self._content_hash = node, content_hash
        self._decisions = DecisionTopics(node, '~/shadow/decision', '~/shadow')
        self._command = TrajectoryPublishers(node, robot, under='~/shadow/')
        self.tell = node.tell

    def report(self, decision: Decision, told: Told, age_ms: float) -> None:
        """Publish what would have been sent, and the decision."""
        if decision.trajectory is not None:
            self._command.publish(to_messages(decision.trajectory, ROS_TYPES))
        self._decisions.publish(decision, told, age_ms, self._content_hash)

    def close(self) -> None:
        self._decisions.close()
        for publisher in self._command.publishers:
            self._node.destroy_publisher(publisher)


class Shadows:
    """Puts a shadow beside a commander's policy, takes another in its place, or none."""

    def __init__(self, node):
        self._node, self._topics = node, None

    def cast(self, commander: Commander, policy: Thinker | None) -> None:
        """Decide by ``policy`` beside the active one from now on; None: by none."""
        topics = None if policy is None else ShadowTopics(
            self._node, commander.pilot.robot, policy.content_hash)
        shadow = None if policy is None else Shadow(commander.helm, policy, topics)
        before, commander.decider.shadow = commander.decider.shadow, shadow
        if before is not None:
            before.close()
        self._end_topics()
        self._topics = topics

    def end(self, commander: Commander | None) -> None:
        """Let go of everything."""
        if commander is not None and commander.decider.shadow is not None:
            commander.decider.shadow.close()
        self._end_topics()

    def _end_topics(self) -> None:
        if self._topics is not None:
            self._topics.close()
            self._topics = None
