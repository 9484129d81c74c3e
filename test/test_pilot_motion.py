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

"""All that a pilot sends, played by the controller: plans by any rules, and holds between."""

from hypothesis import given, settings, strategies as st
from motions import accept, chunk, controller, MS, ROBOT, START_NS
import numpy as np
from test_chunk import assert_within_limits

from trimodal_ros.command.chunk import LEAD_S
from trimodal_ros.command.decision import Rules
from trimodal_ros.command.message import to_message
from trimodal_ros.command.pilot import Pilot
from trimodal_ros.record.messages import BAG_TYPES
from trimodal_ros.record.sensor_messages import image_message, joint_state_message

SAMPLE_NS = 2 * MS
LEAD_MS = round(1000 * LEAD_S)
FIRST_POINTS_MS = 1500  # until then the controller is on its way from its own state, ramped in
STEPS = st.lists(st.tuples(*[st.floats(-0.25, 0.25)] * 3), min_size=8, max_size=8)
MOMENTS = st.lists(st.tuples(STEPS, st.integers(0, 350), st.integers(0, LEAD_MS - 6),
                             st.integers(0, 300), st.sampled_from(['plan'] * 5 + ['hold'])),
                   min_size=1, max_size=6)
RULES = st.builds(Rules, blending=st.sampled_from(['none', 'ensemble', 'prefix']),
                  on_limit=st.sampled_from(['refuse', 'clamp']),
                  ramp_s=st.sampled_from([0.0, 1.0]))


class Flight:
    """A pilot, the controller that plays what it sends, and an arm that is where it is told."""

    def __init__(self, rules: Rules):
        self.now_ns, self.shade, self.samples = START_NS, 0, []
        self.pilot = Pilot(ROBOT, self._plan, lambda: self.now_ns, rules)
        self.pilot.observer.set_instruction('put it there')
        self.played, self._first_ms = controller(), FIRST_POINTS_MS
        self.pilot.begin()

    def decide(self, steps, thinking_ms: int):
        """Return what comes of a plan of steps from what is commanded."""
        self._steps, self._thinking_ns = steps, thinking_ms * MS
        self.shade = (self.shade + 1) % 256
        camera = ROBOT.cameras[0]
        pixels = np.full((camera.height, camera.width, 3), self.shade, np.uint8)
        self.pilot.observer.add_image(camera.name, image_message(
            pixels, self.now_ns, camera.name, BAG_TYPES), self.now_ns)
        self.measure()
        return self.pilot.in_time(self.pilot.decide())

    def measure(self) -> None:
        self.pilot.observer.add_joints(joint_state_message(
            ROBOT.joint_names, self.played.reference(self.now_ns).position_J, [], self.now_ns,
            BAG_TYPES))

    def _plan(self, observation):
        self.now_ns += self._thinking_ns
        self.measure()
        return chunk(np.clip(observation.command_J + np.cumsum(self._steps, axis=0), 0.05, 0.95),
                     observation.stamp_ns)

    def send(self, trajectory, is_hold: bool, transport_ms: int) -> None:
        """Send, and let it be played from when it arrives."""
        self.pilot.sent(trajectory, is_hold)
        self.go_on(transport_ms)
        accept(self.played, to_message(trajectory, BAG_TYPES), self.now_ns)
        first_ms, self._first_ms = self._first_ms, 0
        self.go_on(LEAD_MS + first_ms)

    def go_on(self, ms: int) -> None:
        """Note what is commanded all the while."""
        until_ns = self.now_ns + ms * MS
        while self.now_ns < until_ns:
            self.samples.append(self.played.reference(self.now_ns))
            self.now_ns = min(until_ns, self.now_ns + SAMPLE_NS)


@settings(max_examples=60, deadline=None)
@given(RULES, MOMENTS)
def test_whatever_is_sent_by_any_rules_is_accepted_and_within_the_limits(rules, moments):
    """Catches a refusal or a jump where plans are blended, clamped, ramped in or held."""
    flight = Flight(rules)
    for steps, thinking_ms, transport_ms, gap_ms, what in moments:
        if what == 'hold':
            flight.measure()
            flight.send(flight.pilot.hold(), True, transport_ms)
        else:
            decision = flight.decide(steps, thinking_ms)
            if decision.trajectory is not None:
                flight.send(decision.trajectory, decision.holds, transport_ms)
        flight.go_on(gap_ms + 1)
    assert_within_limits(flight.samples)
