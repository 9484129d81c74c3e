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

"""Every mistake in a robot YAML, told with its line and its cure."""

import re

import pytest
from test_robot_file import refusal, write

SHOULDER = '{name: shoulder, acceleration_rad_s2: 10.0}'
MISTAKES = {  # what is replaced, by what; what the error must say
    'unknown key': (
        'horizon', 'horizont',
        "bench.yaml:4: robot: unknown key 'horizont', expected one of robot, .*did you mean "
        "'horizon'"),
    'unknown key of a joint': (
        'lower_m', 'lower',
        "bench.yaml:7: joint 'rail': unknown key 'lower', .*did you mean 'lower_m'"),
    'unknown key of a camera': (
        'width: 64', 'wide: 64',
        "bench.yaml:13: camera 'front': unknown key 'wide'"),
    'key twice': (
        'horizon: 8', 'horizon: 8\nrate_hz: 5',
        "bench.yaml:5: 'rate_hz' is there twice, first on line 3"),
    'missing key': (
        'horizon: 8\n', '',
        'bench.yaml:1: robot: horizon is missing, expected whole'),
    'not a number': (
        'rate_hz: 10.0', 'rate_hz: ten',
        "bench.yaml:3: robot: rate_hz: got 'ten', expected a number above 0"),
    'left open': (
        'rate_hz: 10.0', 'rate_hz:',
        'bench.yaml:3: .*got nothing, .*; fill it in'),
    'joint twice': (
        SHOULDER, f'{SHOULDER}\n  - {SHOULDER}',
        "bench.yaml:7: a joint is named twice: got 'shoulder', which is on line 6 "
        'already.*remove one'),
    'cameras on one topic': (
        'wrist/compressed', 'front/image_raw',
        "bench.yaml:14: camera 'wrist': got topic 'front/image_raw', which 'front' has on line "
        '13'),
    'degrees': (
        '{name: shoulder,', '{name: shoulder, lower_rad: -114.6,',
        'bench.yaml:6: .*got -114.6 rad, expected at most 12.57; this looks like degrees: '
        'write -2.00015'),
    'degrees a second': (
        '{name: shoulder,', '{name: shoulder, velocity_rad_s: 171.9,',
        'bench.yaml:6: .*got 171.9 rad/s, expected at most 25; .*write 3.0002'),
    'degrees a second of a slow arm': (
        '{name: shoulder,', '{name: shoulder, velocity_rad_s: 45,',
        'bench.yaml:6: .*got 45 rad/s, expected at most 25; .*write 0.785398'),
    'degrees a second squared': (
        SHOULDER, '{name: shoulder, acceleration_rad_s2: 859}',
        r'bench.yaml:6: .*got 859 rad/s\^2, expected at most 300; .*write 14.9924'),
    'millimetres': (
        'lower_m: 0.1', 'lower_m: 100',
        'bench.yaml:7: .*got 100 m, expected at most 20; this looks like millimetres: write 0.1'),
    'radians of a rail': (
        'lower_m: 0.1, acceleration_m_s2', 'lower_rad: 0.1, acceleration_rad_s2',
        "bench.yaml:7: joint 'rail': got lower_rad, expected limits in m"),
    'two units': (
        'lower_m: 0.1', 'lower_rad: 0.1',
        r"bench.yaml:7: .*got units \['m', 'rad'\]"),
    'limits the wrong way round': (
        'lower_m: 0.1', 'lower_m: 0.7, upper_m: 0.2',
        'bench.yaml:7: .*lower_m 0.7 and upper_m 0.2.*exchange'),
    'beside the URDF': (
        'lower_m: 0.1', 'lower_m: 0.9, upper_m: 1.0',
        r'bench.yaml:7: .*\[0.9, 1.0\] m and \[0.0, 0.8\] m in the URDF do not overlap'),
    'no such joint': (
        'name: shoulder', 'name: elbow',
        "bench.yaml:6: the URDF has no joint 'elbow'; it has .*'shoulder'"),
    'fixed': (
        'name: shoulder', 'name: mount',
        r"bench.yaml:6: joint 'mount': its type .*'fixed'.*\(line 11 of the URDF\); leave it "
        r'out'),
    'mimic': (
        'name: shoulder', 'name: finger_2',
        r"bench.yaml:6: joint 'finger_2' mimics another in the URDF \(line 8.*make it a finger "
        r".* after 'finger_1'"),
    'continuous': (
        'name: shoulder', 'name: wheel',
        'bench.yaml:6: .*got no lower_rad, upper_rad, expected each limit: it is a continuous '
        'joint.*add them here'),
    'without limits': (
        'name: shoulder', 'name: bare',
        r"bench.yaml:6: joint 'bare': the URDF has no <limit> .*\(line 13 of the URDF\); add "
        r'one'),
    'no acceleration anywhere': (
        'shoulder, acceleration_rad_s2: 10.0', 'shoulder',
        "bench.yaml:6: joint 'shoulder': got no acceleration_rad_s2, .*add it here"),
    'no URDF, no limits': (
        'urdf: bench.urdf\n', '',
        'bench.yaml:5: .*got no lower_rad, upper_rad, velocity_rad_s and no urdf'),
    'no such file': (
        'bench.urdf', 'other.urdf',
        'bench.yaml:2: urdf: no file other.urdf'),
    'fingers of what has none': (
        'parallel', 'true',
        'bench.yaml:10: .*fingers of a joint with gripper: True, expected parallel or binary'),
    'parallel without fingers': (
        '    fingers: {finger_1: 0.5, finger_2: -0.5}\n', '',
        'bench.yaml:9: .*a parallel gripper without fingers'),
    'a kind nobody knows': (
        'parallel', 'suction',
        "bench.yaml:9: .*got 'suction', expected true, position, parallel or binary"),
    'open of what is not binary': (
        'parallel', 'parallel\n    open_m: 0.05',
        'bench.yaml:10: .*open_m of a joint with .*write gripper: binary'),
    'open beyond its limits': (
        'parallel', 'binary\n    open_m: 0.2',
        'open or closed at 0.2 m, outside'),
    'crop of nothing': (
        'height: 48', 'height: 48, crop_px: [0, 0, 0, 9]',
        r'bench.yaml:13: .*crop_px: got \[0, 0, 0, 9\], expected \[x, y, width, height\]'),
    'a skewed rotation': (
        'height: 48', 'height: 48, rotation_deg: 45',
        'bench.yaml:13: .*got 45, expected 0, 90, 180 or 270'),
    'joint without a controller': (
        'cameras:', 'controllers:\n  arm: {topic: a, joints: [shoulder]}\ncameras:',
        'bench.yaml:12: controllers: got none for rail, gripper, expected one for each joint'),
    'controllers on one topic': (
        'cameras:',
        'controllers:\n  arm: {topic: a, joints: [shoulder]}\n  rail: {topic: a, joints: '
        '[rail, gripper]}\ncameras:',
        "bench.yaml:14: controller 'rail': got topic 'a', which 'arm' has on line 13"),
    'joint of two controllers': (
        'cameras:',
        'controllers:\n  arm: {topic: a, joints: [shoulder, rail]}\n  rail: {topic: b, joints: '
        '[rail, gripper]}\ncameras:',
        "bench.yaml:14: controller 'rail': got joint 'rail', which 'arm' has on line 13"),
    'a finger for the gripper': (
        'cameras:',
        'controllers:\n  arm: {topic: a, joints: [shoulder, rail, finger_1]}\ncameras:',
        "bench.yaml:13: .*got joint 'finger_1', expected one of shoulder, rail, gripper"),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_are_told_with_their_line_and_cure(tmp_path, mistake):
    """Catches a robot driven by a YAML that says something else than is meant."""
    old, new, complaint = MISTAKES[mistake]
    told = refusal(write(tmp_path, (old, new)))
    assert any(re.search(complaint, line) for line in told), told


def test_all_mistakes_are_told_at_once(tmp_path):
    """Catches a file that has to be read ten times to be mended."""
    told = refusal(write(tmp_path, ('horizon: 8', 'horizon: 1'), ('width: 64', 'width: 4'),
                         ('lower_m: 0.1', 'lower_m: x'), ('name: shoulder', 'name: mount')))
    assert sorted(int(line.split(':')[1]) for line in told) == [4, 6, 7, 13]


@pytest.mark.parametrize('text, complaint', [
    ('', 'bench.yaml:1: robot: got None, expected a mapping'),
    ('- 1', 'robot: got .1., expected a mapping'), ('robot: ]', 'is not YAML'),
    ('a: &a [*a]', 'is not YAML'), ('robot: \x00', 'is not YAML'),
    ('robot: 1\n1: 2\n', 'unknown key 1'), ('? [a, b]\n: 1', 'is not YAML')])
def test_what_is_no_robot_is_refused(tmp_path, text, complaint):
    """Catches a traceback for a file that is something else."""
    (tmp_path / 'bench.yaml').write_text(text)
    assert complaint.replace('.1.', '[1]') in '\n'.join(refusal(tmp_path / 'bench.yaml'))
