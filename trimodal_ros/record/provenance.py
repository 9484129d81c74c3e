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

"""Who commanded what in an episode: instruction, checkpoint, interventions, source."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .messages import TYPESTORE
from .sample import Sample
from .selection import DECISION, INSTRUCTION, TAKEOVER, TRAJECTORY, TYPES
from ..observe.instruction import InstructionError, normalize_instruction

MESSAGES = (INSTRUCTION, TAKEOVER, DECISION)   # that are read
COMMANDED = 'commanded'   # by the record of a decision
SURELY = 2                # decisions: the command of one may have come before the episode began
POLICY, TELEOPERATION, MIXED, UNKNOWN = 'policy', 'teleoperation', 'mixed', 'unknown'


class Provenance:
    """
    Follows the topics that tell; ``feed`` takes their samples in order of receipt.

    ``instruction`` is the newest, ``instructions`` are all that were given, '' among them;
    ``trajectories`` are the topics of the robot's controllers.
    """

    def __init__(self, instruction: str = '', is_taken_over: bool = False, from_ns: int = 0,
                 trajectories: Collection[str] = (TRAJECTORY,)):
        self._topics = trajectories
        self.instruction, self.instructions = instruction, [instruction] if instruction else []
        self.checkpoint = ''
        self._taken_ns = from_ns if is_taken_over else None
        self._interventions: list[tuple[int, int]] = []
        self._decisions = self._commanding = 0   # records, and those of plans that went out
        self._trajectories = self._free = 0      # and those while nobody had taken over

    @property
    def number(self) -> int:
        """Return how many instructions there were, '' in between among them."""
        return len(self.instructions)

    @property
    def is_taken_over(self) -> bool:
        return self._taken_ns is not None

    def feed(self, sample: Sample) -> None:
        """Take one sample; what tells nothing is left out."""
        if sample.topic in self._topics:  # too long to deserialize for nothing
            self._trajectories += 1
            self._free += self._taken_ns is None
        elif sample.topic in MESSAGES:
            self._read(sample)

    def _read(self, sample: Sample) -> None:
        message = TYPESTORE.deserialize_cdr(sample.data, TYPES[sample.topic])
        if sample.topic == INSTRUCTION:
            self._on_instruction(message.data)
        elif sample.topic == TAKEOVER:
            self._on_takeover(message.data, sample.received_ns)
        elif message.status:
            self._on_decision(message.status[0])

    def _on_instruction(self, text: str) -> None:
        try:
            self.instruction = normalize_instruction(text)
        except InstructionError:  # the policy holds for it, as for none
            self.instruction = ''
        if not self.instructions or self.instructions[-1] != self.instruction:
            self.instructions.append(self.instruction)

    def _on_takeover(self, is_taken: bool, received_ns: int) -> None:
        if is_taken and self._taken_ns is None:
            self._taken_ns = received_ns
        elif not is_taken and self._taken_ns is not None:
            self._interventions.append((self._taken_ns, received_ns))
            self._taken_ns = None

    def _on_decision(self, status) -> None:
        values = {item.key: item.value for item in status.values}
        self.checkpoint = values.get('checkpoint', '') or self.checkpoint
        self._decisions += 1
        self._commanding += status.message == COMMANDED

    @property
    def finding(self) -> str:
        """Say that a policy has commanded and no command was heard, '' where that isn't so."""
        if self._trajectories or self._commanding < SURELY:
            return ''
        return (f'{", ".join(self._topics)}: nothing has come, and a policy has '
                f'commanded {self._commanding} times: is it remapped, or does it run dry?')

    def interventions(self, until_ns: int) -> tuple[tuple[int, int], ...]:
        """Return the times, from and to, in which somebody had taken over."""
        under_way = [] if self._taken_ns is None else [(self._taken_ns, until_ns)]
        return (*self._interventions, *under_way)

    def source(self, until_ns: int) -> str:
        """
        Return who commanded: 'policy', 'teleoperation', 'mixed', or 'unknown' where nobody did.

        Trajectories are by hand while somebody has taken over, and where no policy has decided
        anything; a takeover without any is by hand as well.
        """
        by_policy = bool(self._free and self._decisions)
        by_hand = bool(self.interventions(until_ns)) or self._free > 0 and not by_policy
        if by_policy:
            return MIXED if by_hand else POLICY
        return TELEOPERATION if by_hand else UNKNOWN


def provenance_of(samples: Iterable[Sample], trajectories: Collection[str]) -> Provenance:
    """Return what samples that came earlier tell."""
    provenance = Provenance(trajectories=trajectories)
    for sample in samples:
        provenance.feed(sample)
    return provenance
