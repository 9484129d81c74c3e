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

"""
Limits of the joints as the robot's URDF has them.

After http://wiki.ros.org/urdf/XML/joint, and URDF 1.2 for accelerations
(https://github.com/ros/urdfdom/pull/212).
"""

from __future__ import annotations

from dataclasses import replace
import math
from xml.etree.ElementTree import Element, fromstring, ParseError, TreeBuilder, XMLParser

from .spec import JointSpec, RobotSpec, SpecError

MAX_CHARACTERS = 5_000_000   # of a URDF, which may come from a topic
MOVABLE = ('revolute', 'prismatic', 'continuous')


class _NoDoctype(TreeBuilder):
    """A URDF may come from a topic: what can define entities is refused before it does."""

    def doctype(self, name, pubid, system):
        raise SpecError('a URDF with a DOCTYPE is refused: remove it')


def read_urdf(urdf: str) -> Element:
    """Return the ``<robot>`` of a URDF; raises SpecError for anything else."""
    if len(urdf) > MAX_CHARACTERS:
        raise SpecError(f'the URDF has {len(urdf)} characters, at most {MAX_CHARACTERS} are taken')
    try:
        root = fromstring(urdf, XMLParser(target=_NoDoctype()))
    except (ParseError, UnicodeError) as error:
        raise SpecError(f'the URDF is not XML: {error}') from error
    if root.tag != 'robot':
        raise SpecError(f'not a URDF: expected <robot>, got <{root.tag}>')
    return root


def joints_of(root: Element) -> dict[str, Element]:
    """Return the ``<joint>`` elements by name; raises SpecError for no name or one used twice."""
    joints = root.findall('joint')
    names = [joint.get('name') for joint in joints]
    if None in names:
        raise SpecError('the URDF has a joint without a name')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f'the URDF names a joint twice: {twice}')
    return dict(zip(names, joints))


def movable_joint(joints: dict[str, Element], name: str) -> Element:
    """Return a joint that can be commanded; raises SpecError for one that isn't there or can't."""
    joint = joints.get(name)
    if joint is None:
        raise SpecError(f'the URDF has no joint {name!r}; it has {sorted(joints)}')
    if joint.get('type') not in MOVABLE:
        raise SpecError(f'joint {name!r}: its type in the URDF is {joint.get("type")!r}, '
                        f'expected one of {MOVABLE}')
    if joint.find('mimic') is not None:
        raise SpecError(f'joint {name!r} mimics another in the URDF: it cannot be commanded')
    return joint


def apply_urdf_limits(robot: RobotSpec, urdf: str) -> RobotSpec:
    """
    Return the robot with, for every joint, the tighter of its own limits and the URDF's.

    ``urdf`` is the text. Positions are in rad (m for a prismatic joint); a continuous joint's are
    ignored, a bound that is left out is 0, as the specification says. ``velocity`` is required
    in a ``<limit>`` and must be above 0, whatever the type: many exporters write 0 for 'unknown',
    by the specification it is a joint that may not move. ``acceleration`` and ``deceleration``
    count where they are there; ``effort``, ``<safety_controller>`` and ``<ros2_control>`` are not
    read. A value may be infinite. Raises SpecError, naming the joint, where the two do not go
    together: no such joint, one that can't be commanded, a ``<limit>`` that is missing (but for a
    continuous joint) or unreadable, positions that don't overlap.
    """
    joints = joints_of(read_urdf(urdf))
    return replace(robot, joints=tuple(
        _tightened(joint, movable_joint(joints, joint.name)) for joint in robot.joints))


def _tightened(joint: JointSpec, element: Element) -> JointSpec:
    limit, is_continuous = element.find('limit'), element.get('type') == 'continuous'
    if limit is None:
        if is_continuous:
            return joint
        raise SpecError(f'joint {joint.name!r}: the URDF has no <limit> for it, '
                        f'as a {element.get("type")} joint must')
    if not is_continuous:
        joint = _within(joint, _number(joint, limit, 'lower'), _number(joint, limit, 'upper'))
    accelerations = [_positive(joint, limit, name) for name in ('acceleration', 'deceleration')
                     if name in limit.attrib]
    return replace(
        joint, velocity_rad_s=min(joint.velocity_rad_s, _positive(joint, limit, 'velocity')),
        acceleration_rad_s2=min(joint.acceleration_rad_s2, *accelerations, math.inf))


def _within(joint: JointSpec, lower_rad: float, upper_rad: float) -> JointSpec:
    lower, upper = max(joint.lower_rad, lower_rad), min(joint.upper_rad, upper_rad)
    if not lower < upper:
        raise SpecError(
            f'joint {joint.name!r}: [{joint.lower_rad}, {joint.upper_rad}] rad and '
            f'[{lower_rad}, {upper_rad}] rad in the URDF do not overlap')
    return replace(joint, lower_rad=lower, upper_rad=upper)


def _number(joint: JointSpec, limit: Element, name: str, default: str = '0') -> float:
    text = limit.get(name, default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise SpecError(f'joint {joint.name!r}: {name} {text!r} in the URDF is not a number')
    return value


def _positive(joint: JointSpec, limit: Element, name: str) -> float:
    value = _number(joint, limit, name, default='missing')
    if not value > 0:
        raise SpecError(f'joint {joint.name!r}: {name} {value} in the URDF, must be above 0')
    return value
