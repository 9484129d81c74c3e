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
The robot of a scene as a MuJoCo model: from MJCF or URDF, made light, with a servo a joint.

Nothing of the robot touches anything but the geoms that the scene names.
"""

from __future__ import annotations

from pathlib import Path
import re
from xml.sax.saxutils import escape

import mujoco

from .meshes import coarsen
from .scene import Attached, Scene
from ..spec import SpecError
from ..spec.urdf_file import find_urdf, PACKAGE

TOOL_SITE = 'tool'
HIDDEN_GROUP = 4                          # a visual group that is not rendered
STL = '.stl'
# What makes MuJoCo keep a URDF's links, and find its files where they are.
URDF_COMPILER = ('<mujoco><compiler strippath="false" discardvisual="true" '
                 'fusestatic="false"/></mujoco>')


def robot_model(scene: Scene) -> mujoco.MjSpec:
    """Build the robot of a scene. Raises SpecError for names that are not in its model."""
    spec = _read(scene.model, scene)
    for part in scene.attached:
        _attach(spec, part, scene)
    for site in spec.sites:
        site.group = HIDDEN_GROUP
    for name in scene.removed:
        spec.delete(_found(spec.body(name), scene, 'body', name, spec.bodies))
    _set_contacts(spec, scene)
    _set_servos(spec, scene)
    if scene.tabletop is not None:
        tool = scene.tabletop
        body = _found(spec.body(tool.tool_body), scene, 'body', tool.tool_body, spec.bodies)
        body.add_site(name=TOOL_SITE, pos=tool.tool_m, group=HIDDEN_GROUP)
    return spec


def _found(element, scene: Scene, what: str, name: str, there):
    if element is None:
        names = ', '.join(each.name for each in there if each.name)
        raise SpecError(f'{scene.path}: the model has no {what} {name!r}; it has {names}')
    return element


def _read(path: Path, scene: Scene) -> mujoco.MjSpec:
    """Read a model file, light; the files it needs are read now."""
    if path.suffix == '.urdf':
        spec = mujoco.MjSpec.from_string(_urdf_for_mujoco(path))
        spec.compiler.discardvisual = False  # nothing touches: it would drop what is left
    else:
        spec = mujoco.MjSpec.from_file(str(path))
    for element in (*spec.actuators, *spec.keys, *spec.equalities, *spec.tendons):
        spec.delete(element)  # servos are the scene's, and what moves together
    _drop_geoms(spec, scene)
    _colour(spec, scene)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if (mesh.name or Path(mesh.file).stem) not in used:
            spec.delete(mesh)
        elif mesh.file.lower().endswith(STL):
            coarsen(mesh, path.parent / spec.meshdir, scene.mesh_cell_m)
    return spec


def _urdf_for_mujoco(path: Path) -> str:
    """Return a URDF with the paths of its files in full, and MuJoCo told to keep its links."""
    def full(match: re.Match) -> str:
        where = match[1].removeprefix('file://')
        file = find_urdf(where, path.parent) if where.startswith(PACKAGE) else path.parent / where
        return f'filename="{escape(str(file))}"'
    text = re.sub(r'filename="([^"]*\.(?:stl|STL|obj|OBJ|dae|DAE))"', full, path.read_text())
    return re.sub(r'<robot\b[^>]*>', lambda match: match[0] + URDF_COMPILER, text, count=1)


def _drop_geoms(spec: mujoco.MjSpec, scene: Scene) -> None:
    kept = scene.contacts.geoms if scene.contacts else ()
    for geom in list(spec.geoms):
        is_dropped = scene.dropped is not None and (
            geom.classname.name == scene.dropped.get('class')
            or geom.group == scene.dropped.get('group'))
        if is_dropped and geom.name not in kept:
            spec.delete(geom)


def _colour(spec: mujoco.MjSpec, scene: Scene) -> None:
    painted = [(material, material.name) for material in spec.materials]
    painted += [(geom, geom.meshname) for geom in spec.geoms if not geom.material]
    for element, name in painted:
        for pattern, rgba in (scene.colours or {}).items():
            if name and re.fullmatch(pattern, name):
                element.rgba = rgba
                break


def _attach(spec: mujoco.MjSpec, part: Attached, scene: Scene) -> None:
    body = _found(spec.body(part.to), scene, 'body', part.to, spec.bodies)
    other = _read(part.model, scene)
    other.compiler.degree = part.degrees
    frame = body.add_frame(pos=part.position_m, quat=part.quaternion)
    spec.attach(other, prefix=part.prefix, frame=frame)


def _set_contacts(spec: mujoco.MjSpec, scene: Scene) -> None:
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    for name in scene.contacts.geoms if scene.contacts else ():
        pad = _found(spec.geom(name), scene, 'geom', name, spec.geoms)
        pad.contype = pad.conaffinity = 1
        pad.condim = scene.contacts.condim
        pad.friction = scene.contacts.friction
        pad.solref = scene.contacts.solref


def _set_servos(spec: mujoco.MjSpec, scene: Scene) -> None:
    for body in spec.bodies:
        if body.name != 'world':
            body.gravcomp = 1.0
    for driven, drives in scene.drives.items():
        servo, range_ = scene.servo(driven), scene.range_of(driven)
        for name, factor in drives.items():
            joint = _found(spec.joint(name), scene, 'joint', name, spec.joints)
            if servo.friction is not None:
                joint.frictionloss = servo.friction
            if servo.armature is not None:
                joint.armature = servo.armature
            actuator = spec.add_actuator(
                name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT,
                forcerange=[-servo.force, servo.force])
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = servo.stiffness
            actuator.biasprm[:3] = [0.0, -servo.stiffness, -servo.damping]
            actuator.ctrllimited = actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
            if scene.ranges_of_robot:
                joint.range = sorted(factor * end for end in range_)
            actuator.ctrlrange = sorted(factor * end for end in range_)
