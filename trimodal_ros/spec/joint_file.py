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

"""A joint of a robot YAML as plain data, with the limits of the URDF where it gives none."""

from __future__ import annotations

from collections.abc import Mapping
import math
from xml.etree.ElementTree import Element

from .errors import SpecError
from .gripper import CLOSE_BELOW, Finger, OPEN_ABOVE
from .joint import limit_key, LIMIT_KEYS, LIMITS
from .keys import at, check_keys, END_KEYS, JOINT_KEYS, UNIT_OF
from .located import Located, Place
from .urdf import urdf_limits, UrdfLimits

PER = {'position': '', 'velocity': '/s', 'acceleration': '/s^2'}
MOST = {  # more than this is in another unit: that, and how much of ours it is
    'rad': ({'position': 4 * math.pi, 'velocity': 25.0, 'acceleration': 300.0},
            'degrees', math.pi / 180),
    'm': ({'position': 20.0, 'velocity': 5.0, 'acceleration': 100.0}, 'millimetres', 0.001)}
MOST_STROKE_M = 1.0     # of a gripper
BINARY_KEYS = {'close_below', 'open_above', *END_KEYS}


def read_joint(file: Located, place: Place, urdf: Mapping[str, Element] | None) -> dict | None:
    """
    Return a joint as ``JointSpec.from_dict`` takes it; None, with faults noted, for a wrong one.

    ``urdf`` are the joints of the URDF, if there is one: limits that are left out are its.
    """
    before = len(file.faults)
    what = _called(file, place)
    known = check_keys(file, place, what, JOINT_KEYS)
    units = sorted({UNIT_OF[key] for key in known if key in UNIT_OF})
    if len(units) > 1:
        file.fault(place, f'{what}: got units {units}, expected one for all of its keys')
    _check_gripper(file, place, what, known)
    if len(file.faults) > before:
        return None
    limits = _from_urdf(file, place, known, urdf) if urdf is not None else None
    if len(file.faults) > before:
        return None
    unit = units[0] if units else limits.unit if limits else 'rad'
    _check_plausible(file, place, what, known)
    plain = {'name': known['name'], **_limits(file, place, what, known, unit, limits),
             'gripper': bool(known.get('gripper', False))}
    if len(file.faults) > before:
        return None
    return {**plain, **_gripper(known, plain, unit)}


def _called(file: Located, place: Place) -> str:
    value = at(file, place)
    name = value.get('name') if isinstance(value, dict) else None
    return f'joint {name!r}' if isinstance(name, str) else f'joints[{place[-1]}]'


def _check_gripper(file: Located, place: Place, what: str, known: dict) -> None:
    kind = known.get('gripper', False)
    if kind == 'parallel' and 'fingers' not in known:
        file.fault((*place, 'gripper'), f'{what}: a parallel gripper without fingers, expected '
                   'its joints with their factor of the width; add fingers: {JOINT: 0.5, JOINT: '
                   '0.5}')
    if 'fingers' in known and kind not in ('parallel', 'binary'):
        file.fault((*place, 'fingers'), f'{what}: fingers of a joint with gripper: {kind!r}, '
                   'expected parallel or binary; write gripper: parallel')
    for key in sorted(BINARY_KEYS & set(known)):
        if kind != 'binary':
            file.fault((*place, key), f'{what}: {key} of a joint with gripper: {kind!r}, expected '
                       'binary; write gripper: binary, or remove it')


def _check_plausible(file: Located, place: Place, what: str, known: dict) -> None:
    for key, value in known.items():
        unit = UNIT_OF.get(key)
        if unit not in MOST:
            continue
        all_most, looks_like, factor = MOST[unit]
        kind = LIMIT_KEYS.get(key, ('',))[0]
        kind = kind if kind in PER else 'position'
        most = MOST_STROKE_M if kind == 'position' and unit == 'm' and known.get('gripper') \
            else all_most[kind]
        if abs(value) > most:
            file.fault((*place, key), f'{what}: {key}: got {value} {unit}{PER[kind]}, expected '
                       f'at most {most:.4g}; this looks like {looks_like}: write '
                       f'{value * factor:.6g}')


def _limits(file: Located, place: Place, what: str, known: dict, unit: str,
            limits: UrdfLimits | None) -> dict:
    found = {limit_key(limit, unit): known.get(limit_key(limit, unit), limits and
                                               getattr(limits, limit)) for limit in LIMITS}
    missing = [key for key, value in found.items() if value is None or math.isinf(value)]
    if missing:
        file.fault(place, f'{what}: got no {", ".join(missing)}{_why(limits)}; add '
                   f'{"it" if len(missing) == 1 else "them"} here')
    elif not found[limit_key('lower', unit)] < found[limit_key('upper', unit)]:
        lower, upper = (limit_key(limit, unit) for limit in ('lower', 'upper'))
        file.fault((*place, lower), f'{what}: got {lower} {found[lower]} and {upper} '
                   f'{found[upper]}, expected the first below the second; exchange them')
    return found


def _why(limits: UrdfLimits | None) -> str:
    if limits is None:
        return ' and no urdf that has them, expected each limit'
    if limits.lower is None:
        return ', expected each limit: it is a continuous joint, without positions in the URDF'
    return ', expected each limit: the URDF has them not, or infinite'


def _from_urdf(file: Located, place: Place, known: dict,
               urdf: Mapping[str, Element]) -> UrdfLimits | None:
    name, fingers = known['name'], known.get('fingers', {})
    driven = [Finger(joint, factor) for joint, factor in fingers.items()] or [Finger(name, 1.0)]
    try:
        limits = urdf_limits(urdf, name, driven)
    except SpecError as error:
        file.fault((*place, 'name'), str(error))
        return None
    wrong = [key for key in known if UNIT_OF.get(key, limits.unit) != limits.unit]
    if wrong:
        file.fault((*place, wrong[0]), f'joint {name!r}: got {wrong[0]}, expected limits in '
                   f'{limits.unit} as in the URDF; name them {limit_key("lower", limits.unit)} '
                   'and so on')
    return limits


def _gripper(known: dict, plain: dict, unit: str) -> dict:
    """Return what makes a gripper of a joint: its fingers, and the positions of a binary one."""
    made = {'fingers': known['fingers']} if 'fingers' in known else {}
    if known.get('gripper') == 'binary':
        made['binary'] = {
            'closed': known.get(f'closed_{unit}', plain[limit_key('lower', unit)]),
            'open': known.get(f'open_{unit}', plain[limit_key('upper', unit)]),
            'close_below': known.get('close_below', CLOSE_BELOW),
            'open_above': known.get('open_above', OPEN_ABOVE)}
    return made
