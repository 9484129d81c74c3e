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

"""A decision as a diagnostic message: what was decided on, how old it was, how long it took."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from .ros import ROS_TYPES
from ..command.decision import Decision
from ..command.outlet import Told


def decision_message(decision: Decision, told: Told, age_ms: float,
                     checkpoint_hash: str) -> DiagnosticArray:
    """
    Return the record of a decision, stamped with its observation's time.

    ``instruction_id`` counts the sentences the robot was told, ``instruction_since_ns`` is when
    the first command for this one went out, 0 before; ``started_ns`` is when this decision was
    begun, by the node's clock. ``planned`` and ``sent`` say whether there is a plan, and what was
    sent, on the topics of these. ``reason`` and ``joint`` are those of the refusal.
    """
    refusal = decision.refusal
    values = {
        'instruction': decision.observation.instruction, 'instruction_id': str(told.number),
        'instruction_since_ns': str(told.since_ns), 'checkpoint': checkpoint_hash,
        'planned': str(decision.planned is not None).lower(),
        'sent': str(decision.trajectory is not None).lower(),
        'reason': refusal.reason, 'joint': refusal.joint,
        'started_ns': str(decision.started_ns), 'age_ms': f'{age_ms:.3f}',
        **{f'{stage}_ms': f'{value:.3f}' for stage, value in decision.stages_ms.items()},
        **{name: repr(value) for name, value in decision.alignment.items()}}
    level = DiagnosticStatus.WARN if refusal else DiagnosticStatus.OK
    return DiagnosticArray(header=ROS_TYPES.header(decision.observation.stamp_ns), status=[
        status('decision', level, refusal.text or 'commanded', values)])


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    """Return one status with its values."""
    return DiagnosticStatus(level=level, name=name, message=message, values=[
        KeyValue(key=key, value=value) for key, value in values.items()])
