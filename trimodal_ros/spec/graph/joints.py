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

"""The joints of the robot against joint_states and robot_description."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
import math

from .finding import Finding
from .seen import DESCRIPTION, JOINT_STATES, Seen, Stream
from ..errors import SpecError
from ..joint import JointSpec, limit_key
from ..robot import RobotSpec
from ..urdf import urdf_limits, UrdfLimits
from ..urdf_file import joints_of, read_urdf

PART = 'joints'
AT_A_STOP = 0.02    # of the range, beyond a limit: where gravity or a stop leaves a joint
ROUNDED = 1e-4      # of a limit, relative: YAMLs are written with few digits


def judge_joints(robot: RobotSpec, seen: Seen) -> Iterator[Finding]:
    """Yield what was found of names and positions in joint_states."""
    stream = seen.streams.get(JOINT_STATES)
    if stream is None or not stream.received_ns:
        return
    if stream.fault:
        yield Finding('error', PART, 'message', stream.fault, 'a name and a finite position each',
                      'the policy holds for it', "look at the driver's log")
    expected = [finger.joint for finger in robot.driven]
    missing = [name for name in expected if name not in stream.positions]
    if missing:
        yield _missing(missing, stream)
        return
    others = [name for name in stream.positions if name not in expected]
    told = f'all {len(expected)} are there' + (f', and {", ".join(others)}' if others else '')
    if [name for name in stream.order if name in expected] != expected:
        told += '; in another order, which is fine: they are taken by name'
    yield Finding('ok', PART, 'names', told)
    for joint in robot.joints:
        yield from _inside(joint, stream)


def _missing(missing: list[str], stream: Stream) -> Finding:
    there = sorted(stream.positions)
    close = {name: get_close_matches(name, there, n=1) for name in missing}
    meant = ', '.join(f'{found[0]} for {name}' for name, found in close.items() if found)
    return Finding('error', PART, 'names', f'{", ".join(missing)} missing; there are '
                   f'{", ".join(there)}', 'every joint of the YAML',
                   'the policy holds while a joint is not measured',
                   f'write the names of the driver{f": {meant}" if meant else ""}, or start the '
                   'driver that has them')


def _inside(joint: JointSpec, stream: Stream) -> Iterator[Finding]:
    position = sum(stream.positions[finger.joint] / finger.factor
                   for finger in joint.driven) / len(joint.driven)
    room = AT_A_STOP * (joint.upper - joint.lower)
    if joint.lower - room <= position <= joint.upper + room:
        return
    looks = joint.unit == 'rad' and abs(position) > 2 * math.pi and (
        joint.lower <= math.radians(position) <= joint.upper)
    yield Finding('error', PART, 'positions', f'{joint.name} at {position:.4g} {joint.unit}',
                  f'[{joint.lower:.4g}, {joint.upper:.4g}] {joint.unit}',
                  'this looks like degrees' if looks else 'outside its limits nothing but the way '
                  'back may be commanded', 'have the driver publish radians (REP 103)' if looks
                  else 'move it inside by hand, or set the limits that the robot has')


def judge_description(robot: RobotSpec, seen: Seen) -> Iterator[Finding]:
    """Yield where the YAML's limits and those of robot_description part."""
    publishers = seen.publishers.get(DESCRIPTION, ())
    if publishers and not any(each.latched for each in publishers):
        yield Finding('error', DESCRIPTION, 'QoS', 'volatile', 'transient local',
                      'who comes later never gets it', 'publish it as robot_state_publisher does')
        return
    if not seen.description:
        yield Finding('note', DESCRIPTION, 'URDF', f'nothing on {DESCRIPTION}', '',
                      'limits can not be compared with it',
                      'start robot_state_publisher, if there is a URDF')
        return
    try:
        elements = joints_of(read_urdf(seen.description))
    except SpecError as error:
        yield Finding('error', DESCRIPTION, 'URDF', str(error), 'a URDF', '', 'mend it')
        return
    wrong = [finding for joint in robot.joints for finding in _compared(joint, elements)]
    yield from wrong or [Finding('ok', DESCRIPTION, 'limits',
                                 'those of the YAML are no wider than its')]


def _compared(joint: JointSpec, elements) -> Iterator[Finding]:
    try:
        limits = urdf_limits(elements, joint.name, joint.driven)
    except SpecError as error:
        yield Finding('error', DESCRIPTION, 'joints', str(error), 'a joint that can be commanded',
                      'YAML and URDF are of different robots, or one of them is wrong',
                      'write the names of the URDF, or leave the joint out')
        return
    if limits.unit != joint.unit:
        yield Finding('error', DESCRIPTION, 'joints', f'{joint.name} is in {limits.unit}',
                      joint.unit, 'metres would be taken for radians',
                      f'write {limit_key("lower", limits.unit)} and so on')
        return
    yield from _wider(joint, limits)


def _wider(joint: JointSpec, limits: UrdfLimits) -> Iterator[Finding]:
    for limit in ('lower', 'upper', 'velocity', 'acceleration'):
        ours, theirs = getattr(joint, limit), getattr(limits, limit)
        if theirs is None or math.isinf(theirs):
            continue
        beyond = theirs - ours if limit == 'lower' else ours - theirs
        if beyond > ROUNDED * max(1.0, abs(theirs)):
            key = limit_key(limit, joint.unit)
            yield Finding('error', DESCRIPTION, 'limits', f'{joint.name}: {key} {ours:.6g}',
                          f'{theirs:.6g} as in the URDF, or tighter',
                          'the arm could be commanded beyond what its maker allows',
                          f'write {key}: {theirs:.6g}')
