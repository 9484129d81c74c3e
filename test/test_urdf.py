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
Limits from a URDF: a hand-written one, and the SO-101's own.

The oracle for what is tighter is a pair of min and max; the rest is what must be refused.
"""

from hypothesis import given, strategies as st
import numpy as np
import pytest

from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.spec import RobotSpec, SpecError
from trimodal_ros.spec.urdf import apply_urdf_limits

ROBOT = RobotSpec.make_example()  # shoulder, elbow and gripper
WIDE = {'lower': -9, 'upper': 9, 'velocity': 9, 'effort': 1}


def joint(name: str, kind='revolute', inside='', **limit) -> str:
    """Return a joint wider than the robot's, with the changes given; None leaves one out."""
    values = {**WIDE, **limit}
    text = ' '.join(f'{key}="{value}"' for key, value in values.items() if value is not None)
    return f'<joint name="{name}" type="{kind}"><limit {text}/>{inside}</joint>'


def urdf(*changed: str) -> str:
    changes = ''.join(changed)
    others = [joint(name) for name in ROBOT.joint_names if f'joint name="{name}"' not in changes]
    return f'<robot name="r">{changes}{"".join(others)}</robot>'


LIMITS = st.tuples(st.floats(-9, -0.1), st.floats(0.1, 9), st.floats(0.1, 9), st.floats(1, 99))


@given(LIMITS)
def test_the_tighter_of_both_holds_for_each_limit(values):
    """Catches min and max mixed up, a limit not taken, and a change to another joint."""
    lower, upper, velocity, acceleration = values
    was, now = ROBOT.joints[1], apply_urdf_limits(ROBOT, urdf(joint(
        'elbow', lower=lower, upper=upper, velocity=velocity, acceleration=acceleration)))
    assert now.joints[1].lower == max(was.lower, lower)
    assert now.joints[1].upper == min(was.upper, upper)
    assert now.joints[1].velocity == min(was.velocity, velocity)
    assert now.joints[1].acceleration == min(was.acceleration, acceleration)
    assert now.joints[::2] == ROBOT.joints[::2]
    assert now.content_hash == ROBOT.content_hash


def test_a_deceleration_is_an_acceleration():
    """Catches braking harder than the robot may."""
    limited = apply_urdf_limits(ROBOT, urdf(joint('elbow', acceleration=40, deceleration=20)))
    assert limited.acceleration_J.tolist() == [60, 20, 60]


def test_a_wider_urdf_changes_nothing():
    """Catches limits of the YAML that a URDF would loosen."""
    endless = joint('elbow', lower='-inf', upper='inf', velocity='inf', acceleration='inf')
    assert apply_urdf_limits(ROBOT, urdf(endless)) == ROBOT


@pytest.mark.parametrize('continuous', [
    '<joint name="elbow" type="continuous"/>',
    joint('elbow', 'continuous', lower=0, upper=0),
    joint('elbow', 'continuous', lower=None, upper=None)])
def test_a_continuous_joint_has_no_positions(continuous):
    """Catches the zeros that exporters write for it, and a limit asked of it."""
    assert apply_urdf_limits(ROBOT, urdf(continuous)) == ROBOT


def test_a_continuous_joint_has_a_velocity():
    """Catches a limit that is passed over with the positions."""
    limited = apply_urdf_limits(ROBOT, urdf(joint('elbow', 'continuous', velocity=1)))
    assert limited.velocity_J.tolist() == [3, 1, 3]


def test_a_bound_left_out_is_zero():
    """Catches a joint freed of its lower limit by a URDF that keeps to the specification."""
    limited = apply_urdf_limits(ROBOT, urdf(joint('elbow', lower=None)))
    assert limited.lower_J.tolist() == [-2, 0, 0]


@pytest.mark.parametrize('changed, complaint', [
    (joint('elbow', 'fixed'), "joint 'elbow': its type in the URDF is 'fixed'"),
    (joint('elbow', 'floating'), "'floating', expected one of .*'prismatic'"),
    ('<joint name="elbow"/>', "joint 'elbow': its type in the URDF is None"),
    (joint('elbow', inside='<mimic joint="shoulder"/>'), "joint 'elbow' mimics another"),
    ('<joint name="elbow" type="revolute"/>', "joint 'elbow': the URDF has no <limit>"),
    ('<joint name="elbow" type="prismatic"/>', 'as a prismatic joint must'),
    (joint('elbow', lower=1.5, upper=3), r'\[-1.5, 1.5\] rad and \[1.5, 3.0\] rad in the URDF'),
    (joint('elbow', lower=1, upper=-1), "joint 'elbow': .* do not overlap"),
    (joint('elbow', lower=None, upper=None), r"'elbow': .* \[0.0, 0.0\] rad in the URDF do not"),
    (joint('elbow', velocity=None), "joint 'elbow': velocity 'missing' in the URDF"),
    (joint('elbow', velocity=0), 'velocity 0.0 in the URDF, must be above 0.*; write the real'),
    (joint('elbow', 'continuous', velocity=0), 'velocity 0.0 in the URDF, must be above 0'),
    (joint('elbow', velocity='${fast}'), "joint 'elbow': velocity '\\${fast}' in the URDF"),
    (joint('elbow', upper='nan'), "joint 'elbow': upper 'nan' in the URDF is not a number"),
    (joint('elbow', acceleration=-1), "joint 'elbow': acceleration -1.0 in the URDF, must"),
    (joint('elbow') + joint('elbow'), r"the URDF names a joint twice: \['elbow'\]"),
    ('<joint type="fixed"/>', 'a joint without a name'),
])
def test_a_joint_that_does_not_fit_is_named(changed, complaint):
    """Catches a limit made up where the URDF has none that could be meant."""
    with pytest.raises(SpecError, match=complaint):
        apply_urdf_limits(ROBOT, urdf(changed))


def test_a_joint_of_a_transmission_does_not_count():
    """Catches names looked for where they are only mentioned."""
    mentioned = '<transmission name="t"><joint name="elbow"/></transmission>'
    with pytest.raises(SpecError, match=r"no joint 'elbow'; it has \['gripper', 'shoulder'\]"):
        apply_urdf_limits(ROBOT, urdf(mentioned))
    assert apply_urdf_limits(ROBOT, urdf(mentioned, joint('elbow'))) == ROBOT


@pytest.mark.parametrize('text, complaint', [
    ('', 'not XML'), ('hello', 'not XML'), ('<robot>', 'not XML'), ('<robot/>\ud800', 'not XML'),
    ('<mujoco/>', 'expected <robot>, got <mujoco>'),
    ('<robot/>', "the URDF has no joint 'shoulder'; it has \\[\\]"),
    ('<robot xmlns:xacro="http://x">\n<xacro:include filename="arm.xacro"/></robot>',
     r'this is xacro.*<xacro:include> \(line 2 of the URDF\); make one: xacro FILE'),
])
def test_what_is_not_a_urdf_is_refused(text, complaint):
    """Catches a traceback of the XML reader, and a robot without limits."""
    with pytest.raises(SpecError, match=complaint):
        apply_urdf_limits(ROBOT, text)


@pytest.mark.parametrize('entity', ['"9"', 'SYSTEM "file:///etc/hostname"', 'SYSTEM "http://x/"'])
def test_entities_are_refused(entity):
    """Catches a topic that reads this machine's files, or fills its memory."""
    text = urdf(joint('elbow', velocity='&e;'))
    with pytest.raises(SpecError, match='DOCTYPE'):
        apply_urdf_limits(ROBOT, f'<!DOCTYPE robot [<!ENTITY e {entity}>]>{text}')


def test_xml_declaration_is_fine():
    """Catches a reader that takes text with a declared encoding for a mistake, as lxml does."""
    text = '<?xml version="1.0" encoding="utf-8"?>' + urdf('<!-- \N{GREEK SMALL LETTER OMEGA} -->')
    assert apply_urdf_limits(ROBOT, text) == ROBOT


def test_the_so101_has_its_urdf(so101):
    """Catches a YAML that drifts from the URDF it was written from: it is rounded, not wider."""
    limited = apply_urdf_limits(so101, shipped_scene().urdf.read_text())
    assert np.abs(limited.lower_J - so101.lower_J).max() < 1e-5
    assert np.abs(limited.upper_J - so101.upper_J).max() < 1e-5
    assert limited.velocity_J.tolist() == so101.velocity_J.tolist()  # the URDF's 10 rad/s is more
