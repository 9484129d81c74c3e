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

"""Figures on /diagnostics."""

import pytest

pytest.importorskip('rclpy')

from trimodal_ros.command.decision import Decision, Refusal  # noqa: E402
from trimodal_ros.nodes import policy_diagnostics  # noqa: E402
from trimodal_ros.nodes.policy_diagnostics import PolicyDiagnostics  # noqa: E402
from trimodal_ros.spec import Observation  # noqa: E402


def test_times_are_those_of_the_newest_decisions(monkeypatch):
    """Catches figures of the first decisions for ever, or of room not yet filled."""
    monkeypatch.setattr(policy_diagnostics, 'DECISIONS', 4)
    diagnostics = PolicyDiagnostics('example')
    decision = Decision(Observation.make_example(), None, Refusal(), {'check': 1.0})
    for count, expected in ((2, 'p50 0.0 max 1.0'), (6, 'p50 3.0 max 5.0')):
        while diagnostics.decisions < count:
            diagnostics.note(decision, float(diagnostics.decisions))
        _, message, values = diagnostics._timing()
        told = {name: float(values[f'age_{name}_ms']) for name in ('p50', 'max')}
        assert f'p50 {told["p50"]} max {told["max"]}' == expected
        assert message == f'of the last {min(count, 4)}'
