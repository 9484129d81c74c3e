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

from glob import glob
import os

from setuptools import find_packages, setup

NAME = 'trimodal_ros'


def shared(top):
    """Return data_files that install a folder, as it is, under share/trimodal_ros."""
    return [(os.path.join('share', NAME, folder), [os.path.join(folder, name) for name in names])
            for folder, _, names in os.walk(top) if names]


setup(
    name=NAME,
    version='0.1.0',
    packages=find_packages(include=[NAME, NAME + '.*']),
    package_data={NAME: ['evaluate/*.jinja', 'evaluate/replay/*.jinja']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + NAME]),
        ('share/' + NAME, ['package.xml']),
        ('share/' + NAME + '/launch', glob('launch/*.launch.py')),
        *shared('config'),
        *shared('models'),
        *shared('security'),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='trimodal_ros maintainers',
    maintainer_email='maintainers@trimodal-ros.invalid',
    description='A vision-language-action policy on a real robot.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            f'{node} = {NAME}.nodes.{node}:main'
            for node in ('policy', 'recorder', 'console', 'simulated_robot', 'demo', 'teleop',
                         'teleop_keyboard', 'teleop_demo', 'player', 'bring_up')
        ],
    },
)
