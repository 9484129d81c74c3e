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
Where a link of the robot is, by MuJoCo, and how far it can move.

Only the chain of joints from the URDF's root link to the link is looked at: no mesh, no mass.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from ..spec import RobotSpec, SpecError
from ..spec.urdf import movable_joint
from ..spec.urdf_file import joints_of, read_urdf

PLACED_BY = ('parent', 'child', 'origin', 'axis')   # parts of a <joint> that say where things are


class Chain:
    """
    The joints between the URDF's root link and the link ``frame``, as a MuJoCo ``model``.

    ``index_K`` are the robot's joints among them, ``joint_K`` the same ones in the model, which
    has no others: joints of the chain that the robot doesn't command stay at 0. Raises SpecError
    for a link that isn't in the URDF or that no joint of the robot moves, for a chain with a joint
    that mimics another or has no single axis, and for one that MuJoCo can't read.
    """

    def __init__(self, urdf: str, robot: RobotSpec, frame: str):
        root = read_urdf(urdf)
        joints = joints_of(root)
        for joint in robot.joints:
            movable_joint(joints, joint.driven[0].joint)
        chain = _chain_to(root, frame)
        self.frame, self.model = frame, _compile(_skeleton(root, chain, robot.joint_names))
        moving = {joint.get('name') for joint in chain if joint.get('type') != 'fixed'}
        self.index_K = [index for index, name in enumerate(robot.joint_names) if name in moving]
        if not self.index_K:
            raise SpecError(f'no joint of the robot moves {frame!r}; '
                            f'from the root to it there are {sorted(moving)}')
        self.joint_K = [self.model.joint(robot.joint_names[index]).id for index in self.index_K]
        self.qpos_K = self.model.jnt_qposadr[self.joint_K]


class FramePosition:
    """
    The origin of the link ``frame`` in the root link's frame, for positions of the robot's joints.

    Raises SpecError where ``Chain`` does.
    """

    def __init__(self, urdf: str, robot: RobotSpec, frame: str):
        import mujoco  # who checks no workspace needs no MuJoCo
        chain = Chain(urdf, robot, frame)
        model = chain.model
        self.frame, self._model, self._data = frame, model, mujoco.MjData(model)
        self._forward, self._body = mujoco.mj_kinematics, model.body(frame).id
        self._index_K, self._qpos_K = chain.index_K, chain.qpos_K
        self._slides_K = model.jnt_type[chain.joint_K] == mujoco.mjtJoint.mjJNT_SLIDE
        self._set_levers(model.jnt_bodyid[chain.joint_K])

    def _set_levers(self, body_K: np.ndarray) -> None:
        """Prepare ``travel_m``: bodies of a chain are numbered from the root on."""
        length_m = np.linalg.norm(self._model.body_pos, axis=1)
        self._lever_m_K = np.array([length_m[body + 1:].sum() for body in body_K])
        self._slides_below_KK = (body_K[None] > body_K[:, None]) & self._slides_K

    def positions_m(self, position_TJ: np.ndarray) -> np.ndarray:
        """Return x, y, z [T, 3] for joint positions in rad (m for a prismatic joint)."""
        position_m_T3 = np.empty((len(position_TJ), 3))
        for position_m_3, position_K in zip(position_m_T3, position_TJ[:, self._index_K]):
            self._data.qpos[self._qpos_K] = position_K
            self._forward(self._model, self._data)
            position_m_3[:] = self._data.xpos[self._body]
        return position_m_T3

    def travel_m(self, turn_J: np.ndarray, extent_J: np.ndarray) -> float:
        """
        Return a bound on the way of the frame while each joint turns by ``turn_J`` in all.

        ``extent_J`` is how far from 0 each joint gets. A joint moves the frame by no more than
        its turn times the stretched length of what is between them.
        """
        lever_m_K = self._lever_m_K + self._slides_below_KK @ extent_J[self._index_K]
        return float(np.where(self._slides_K, 1.0, lever_m_K) @ turn_J[self._index_K])


def _chain_to(root: Element, frame: str) -> list[Element]:
    """Return the joints between the root link and ``frame``."""
    names = _link_names(root)
    if frame not in names:
        raise SpecError(f'the URDF has no link {frame!r}; it has {sorted(names)}')
    above = {}
    for joint in joints_of(root).values():
        if above.setdefault(_link(joint, 'child'), joint) is not joint:
            raise SpecError(f'link {_link(joint, "child")!r} has two parents in the URDF')
    chain, link = [], frame
    while link in above:
        joint = above.pop(link)  # so that a circle ends, for MuJoCo to refuse
        _check_placing(joint)
        chain.append(joint)
        link = _link(joint, 'parent')
    return chain


def _check_placing(joint: Element) -> None:
    if joint.get('type') != 'fixed':
        movable_joint({joint.get('name'): joint}, joint.get('name'))
    origin = joint.find('origin')
    if origin is not None and not set(origin.attrib) <= {'xyz', 'rpy'}:
        raise SpecError(f'joint {joint.get("name")!r}: expected the attributes xyz and rpy of '
                        f'<origin>, got {sorted(origin.attrib)}')


def _link(joint: Element, end: str) -> str:
    element = joint.find(end)
    name = None if element is None else element.get('link')
    if name is None:
        raise SpecError(f'joint {joint.get("name")!r}: the URDF names no {end} link for it')
    return name


def _link_names(root: Element) -> set[str]:
    return {link.get('name', '') for link in root.findall('link')}


def _skeleton(root: Element, chain: list[Element], moved: tuple[str, ...]) -> str:
    """Return a URDF of the chain that has nothing but what places its links and is ``moved``."""
    robot = Element('robot', name='chain')
    ends = {_link(joint, end) for joint in chain for end in ('parent', 'child')}
    for name in sorted(ends & _link_names(root)):
        SubElement(robot, 'link', name=name)
    for joint in chain:
        kind = joint.get('type') if joint.get('name') in moved else 'fixed'
        kept = SubElement(robot, 'joint', name=joint.get('name'), type=kind)
        kept.extend(part for part in joint if part.tag in PLACED_BY)
    return tostring(robot, encoding='unicode')


def _compile(urdf: str):
    """Compile a URDF without masses; raises SpecError for what MuJoCo refuses, and for NaN."""
    import mujoco
    try:
        spec = mujoco.MjSpec.from_string(urdf)
        spec.compiler.fusestatic = False
        for body in spec.bodies:
            body.mass, body.inertia, body.explicitinertial = 1.0, np.ones(3), True
        model = spec.compile()
    except ValueError as error:
        raise SpecError(f'MuJoCo cannot read the URDF: {error}') from error
    if not all(np.isfinite(part).all() for part in (
            model.body_pos, model.body_quat, model.jnt_axis)):
        raise SpecError('the URDF has an <origin> or <axis> that is not finite')
    return model
