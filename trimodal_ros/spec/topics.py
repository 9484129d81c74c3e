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


"""Names of topics that several rooms know."""

from __future__ import annotations

import re

from .robot import RobotSpec

LABEL_TOPIC = 'demonstration'   # what should be done now, whoever commands


def inputs_pattern(robot: RobotSpec) -> str:
    """
    Return the regular expression of what a policy of a robot listens to, absolute or not.

    The compressed images of a raw camera count, too.
    """
    topics = '|'.join(re.escape(topic.strip('/')) for topic in robot.input_topics)
    return f'/?({topics})(/compressed)?'
