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

"""What colcon makes of the package."""

import os
from pathlib import Path
import shutil
import subprocess
import sys
from xml.etree import ElementTree

TOP = Path(__file__).resolve().parents[1]
NODES = ('policy', 'recorder', 'simulated_robot', 'demo', 'player', 'bring_up')
LAUNCH_FILES = sorted((TOP / 'launch').glob('*.launch.py'))


def test_colcon_build_installs_everything(tmp_path):
    """Catches files that work in a clone and are missing on the robot, and an installed
    executable that doesn't start.
    """
    listed = subprocess.run(['git', 'ls-files', '-zco', '--exclude-standard'], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout.split('\0')
    source = tmp_path / 'src' / 'trimodal_ros'
    for name in filter(None, listed):
        if (TOP / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, source / name)
    colcon = Path(sys.executable).with_name('colcon')
    built = subprocess.run([colcon, 'build'], cwd=tmp_path, capture_output=True, text=True,
                           check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    prefix = tmp_path / 'install' / 'trimodal_ros'
    for node in NODES:
        script = prefix / 'lib' / 'trimodal_ros' / node
        assert script.read_text().startswith('#!/usr/bin/env python3')
    share = prefix / 'share' / 'trimodal_ros'
    for path in ('launch/demo.launch.py', 'launch/replay.launch.py', 'launch/policy.launch.py',
                 'config/robots/so101.yaml', 'security/policies/policy.xml',
                 'config/fastdds.xml', 'config/instructions/train.txt',
                 'models/so101_tabletop/model.safetensors', 'package.xml'):
        assert (share / path).is_file(), path
    site = str(next(prefix.glob('lib/python*/site-packages')))
    found = subprocess.run(
        [sys.executable, '-c', 'from trimodal_ros.paths import share_dir; print(share_dir())'],
        env={'PYTHONPATH': site}, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == share
    assert list(prefix.rglob('demo_page.html.jinja'))
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    asked = subprocess.run(
        [prefix / 'lib' / 'trimodal_ros' / 'demo', '--help'], cwd=tmp_path, check=False,
        env={'PATH': path, 'PYTHONPATH': site}, capture_output=True, text=True)
    assert asked.returncode == 0 and '--instruction' in asked.stdout, asked.stderr


def test_manifest_and_setup_agree():
    """Catches a version or a license that differs between the two."""
    manifest = ElementTree.parse(TOP / 'package.xml').getroot()
    setup = (TOP / 'setup.py').read_text()
    assert manifest.get('format') == '3'
    assert f"version='{manifest.findtext('version')}'" in setup
    assert manifest.findtext('license') == 'Apache-2.0'
    assert manifest.find('buildtool_depend') is None
    assert manifest.findtext('export/build_type') == 'ament_python'
