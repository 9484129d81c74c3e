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

"""All that a robot YAML is checked for against what was seen of a graph."""

from __future__ import annotations

from collections.abc import Iterator

from .cameras import judge_images
from .controllers import judge_controller
from .finding import Finding
from .joints import judge_description, judge_joints, PART
from .seen import INSTRUCTION, JOINT_STATE, JOINT_STATES, Seen
from .streams import Asked, judge_stream
from ..robot import RobotSpec

STRING = 'std_msgs/msg/String'


def judge(robot: RobotSpec, seen: Seen, max_age_s: float, max_ahead_s: float) -> list[Finding]:
    """Return what was found, cameras first; stamps may be so old, or so far ahead."""
    return list(_judge(robot, seen, max_age_s, max_ahead_s))


def _judge(robot: RobotSpec, seen: Seen, max_age_s: float, max_ahead_s: float,
           ) -> Iterator[Finding]:
    for camera in robot.cameras:
        yield from judge_stream(Asked(
            f'camera {camera.name}', camera.topic, camera.message_type, robot.rate_hz,
            camera.rate_hz, max_age_s, max_ahead_s), seen)
        yield from judge_images(camera, seen)
    yield from judge_stream(Asked(PART, JOINT_STATES, JOINT_STATE, robot.rate_hz,
                                  robot.joint_states_hz, max_age_s, max_ahead_s), seen)
    yield from judge_joints(robot, seen)
    yield from judge_description(robot, seen)
    for group in robot.groups:
        yield from judge_controller(robot, group, seen)
    yield from _instruction(seen)


def _instruction(seen: Seen) -> Iterator[Finding]:
    for publisher in seen.publishers.get(INSTRUCTION, ()):
        if publisher.type != STRING:
            yield Finding('error', INSTRUCTION, 'type', f'{publisher.node} sends {publisher.type}',
                          STRING, 'nothing arrives where types differ', 'remap one of them')
        elif not (publisher.reliable and publisher.latched):
            yield Finding('error', INSTRUCTION, 'QoS', f'{publisher.node} is '
                          f'{"reliable" if publisher.reliable else "best effort"} and '
                          f'{"transient local" if publisher.latched else "volatile"}',
                          'reliable and transient local', 'the policy asks for that, and gets '
                          'nothing', 'give it that QoS (ros2 topic pub --qos-durability '
                          'transient_local)')
