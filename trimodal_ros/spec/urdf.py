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

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
from xml.etree.ElementTree import Element

from .errors import SpecError
from .gripper import Finger
from .joint import JointSpec, Unit
from .robot import RobotSpec
from .urdf_file import joints_of, line_of, MOVABLE, read_urdf


@dataclass(frozen=True)
class UrdfLimits:
    """A joint's limits in its ``unit``; None where there is none, as of a continuous joint."""

    unit: Unit
    lower: float | None
    upper: float | None
    velocity: float | None
    acceleration: float | None


def movable_joint(joints: dict[str, Element], name: str) -> Element:
    """Return a joint that can be commanded; raises SpecError for one that isn't there or can't."""
    joint = joints.get(name)
    if joint is None:
        raise _not_there(joints, name)
    if joint.get('type') not in MOVABLE:
        raise SpecError(f'joint {name!r}: its type in the URDF is {joint.get("type")!r}, '
                        f'expected one of {MOVABLE}{line_of(joint)}; leave it out')
    mimic = joint.find('mimic')
    if mimic is not None:
        raise SpecError(f'joint {name!r} mimics another in the URDF{line_of(joint)}: it cannot '
                        f'be commanded; leave it out, or make it a finger of a parallel gripper '
                        f'after {mimic.get("joint")!r}')
    return joint


def urdf_limits(joints: dict[str, Element], name: str, driven: Sequence[Finger]) -> UrdfLimits:
    """
    Return the limits of a joint of the robot, which is ``driven`` by these of the URDF.

    Where fingers of a gripper have limits of their own, those that let the width change least.
    Positions are in rad (m for a prismatic joint); a bound that is left out is 0, as the
    specification says. ``velocity`` is required in a ``<limit>`` and must be above 0, whatever
    the type: many exporters write 0 for 'unknown', by the specification it is a joint that may
    not move. ``acceleration`` and ``deceleration`` count where they are there; ``effort``,
    ``<safety_controller>`` and ``<ros2_control>`` are not read. A value may be infinite. Raises
    SpecError, naming joint and line, for no such joint, one that can't be commanded, and a
    ``<limit>`` that is missing (but for a continuous joint) or unreadable.
    """
    movable_joint(joints, driven[0].joint)
    elements = [joints.get(finger.joint) for finger in driven]
    missing = [finger.joint for finger, element in zip(driven, elements) if element is None]
    if missing:
        raise _not_there(joints, missing[0])
    each = [_scaled(_limits(name, element), finger.factor)
            for finger, element in zip(driven, elements)]
    units = {limits.unit for limits in each}
    if len(units) > 1:
        raise SpecError(f'joint {name!r}: its fingers are in {sorted(units)}, expected one unit')
    return UrdfLimits(units.pop(), _most(max, (limits.lower for limits in each)),
                      _most(min, (limits.upper for limits in each)),
                      _most(min, (limits.velocity for limits in each)),
                      _most(min, (limits.acceleration for limits in each)))


def _not_there(joints: dict[str, Element], name: str) -> SpecError:
    return SpecError(f'the URDF has no joint {name!r}; it has {sorted(joints)}; name one of '
                     'these, leave it out, or add it to the URDF')


def _most(which, values) -> float | None:
    known = [value for value in values if value is not None]
    return which(known) if known else None


def _scaled(limits: UrdfLimits, factor: float) -> UrdfLimits:
    """Return what limits of a finger at ``factor`` times the width mean for the width."""
    def of(value, by):
        return None if value is None else value / by
    lower, upper = of(limits.lower, factor), of(limits.upper, factor)
    if factor < 0:
        lower, upper = upper, lower
    return UrdfLimits(limits.unit, lower, upper, of(limits.velocity, abs(factor)),
                      of(limits.acceleration, abs(factor)))


def _limits(name: str, element: Element) -> UrdfLimits:
    limit, is_continuous = element.find('limit'), element.get('type') == 'continuous'
    unit = 'm' if element.get('type') == 'prismatic' else 'rad'
    if limit is None:
        if is_continuous:
            return UrdfLimits(unit, None, None, None, None)
        raise SpecError(f'joint {name!r}: the URDF has no <limit> for it, as a '
                        f'{element.get("type")} joint must{line_of(element)}; add one')
    accelerations = [_positive(name, limit, key) for key in ('acceleration', 'deceleration')
                     if key in limit.attrib]
    ends = (None, None) if is_continuous else (
        _number(name, limit, 'lower'), _number(name, limit, 'upper'))
    return UrdfLimits(unit, *ends, _positive(name, limit, 'velocity'),
                      min(accelerations, default=None))


def apply_urdf_limits(robot: RobotSpec, urdf: str) -> RobotSpec:
    """
    Return the robot with, for every joint, the tighter of its own limits and the URDF's.

    ``urdf`` is the text. Positions of a continuous joint are the robot's own. Raises SpecError,
    naming the joint, where the two do not go together: what ``urdf_limits`` raises, another unit,
    positions that don't overlap.
    """
    joints = joints_of(read_urdf(urdf))
    return replace(robot, joints=tuple(
        tightened(joint, urdf_limits(joints, joint.name, joint.driven)) for joint in robot.joints))


def tightened(joint: JointSpec, limits: UrdfLimits) -> JointSpec:
    """Return a joint with the tighter of its limits and the URDF's. Raises SpecError."""
    if limits.unit != joint.unit:
        raise SpecError(f'joint {joint.name!r}: its limits are in {joint.unit}, the URDF has them '
                        f'in {limits.unit}')
    if limits.lower is not None:
        joint = _within(joint, limits.lower, limits.upper)
    return replace(joint, velocity=min(joint.velocity, limits.velocity or math.inf),
                   acceleration=min(joint.acceleration, limits.acceleration or math.inf))


def _within(joint: JointSpec, least: float, most: float) -> JointSpec:
    lower, upper = max(joint.lower, least), min(joint.upper, most)
    if not lower < upper:
        raise SpecError(
            f'joint {joint.name!r}: [{joint.lower}, {joint.upper}] {joint.unit} and '
            f'[{least}, {most}] {joint.unit} in the URDF do not overlap')
    return replace(joint, lower=lower, upper=upper)


def _number(name: str, limit: Element, key: str, default: str = '0') -> float:
    text = limit.get(key, default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise SpecError(f'joint {name!r}: {key} {text!r} in the URDF is not a number'
                        f'{line_of(limit)}; write one there')
    return value


def _positive(name: str, limit: Element, key: str) -> float:
    value = _number(name, limit, key, default='missing')
    if not value > 0:
        raise SpecError(f'joint {name!r}: {key} {value} in the URDF, must be above 0'
                        f'{line_of(limit)}; write the real one there, the YAML can only tighten '
                        'it')
    return value
