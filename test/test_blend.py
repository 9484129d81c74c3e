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

"""How plans are blended with those before them."""

from motions import chunk, commanding, MS, ramp, ROBOT, START_NS
import numpy as np
import pytest

from trimodal_ros.command.blend import Blender, ENSEMBLE_DECAY
from trimodal_ros.command.playback import CommandedMotion


def test_ensemble_is_the_weighted_mean_of_what_reaches_a_time():
    """Catches weights in the wrong order, and a chunk asked beyond its end."""
    blender, commanded = Blender('ensemble'), CommandedMotion(ROBOT)
    first, second = chunk(ramp(0.2, 0.2)), chunk(ramp(0.6, 0.6), START_NS + 300 * MS)
    blender.blend(first, 'go', commanded, START_NS)
    blender.sent(is_hold=False)
    blender.blend(chunk(ramp(0.9, 0.9)), 'go', commanded, START_NS)  # and not sent
    mean = blender.blend(second, 'go', commanded, START_NS)
    young = np.exp(-ENSEMBLE_DECAY)
    both = (0.2 + young * 0.6) / (1 + young)
    assert mean.position_TJ[:, 0].tolist() == pytest.approx([both] * 5 + [0.6] * 3)


@pytest.mark.parametrize('forget', [True, False])
def test_ensemble_leaves_out_what_was_planned_for_something_else(forget):
    """Catches a mean of two errands, and one with plans from before a hold."""
    blender, commanded = Blender('ensemble'), CommandedMotion(ROBOT)
    blender.blend(chunk(ramp(0.2, 0.2)), 'go left', commanded, START_NS)
    blender.sent(is_hold=False)
    if forget:
        blender.sent(is_hold=True)
    mean = blender.blend(chunk(ramp(0.6, 0.6)), 'go left' if forget else 'go right', commanded,
                         START_NS)
    assert mean.position_TJ[:, 0].tolist() == [0.6] * 8


def test_prefix_keeps_the_next_steps_as_they_are_commanded():
    """Catches a new plan that changes what is about to happen."""
    commanded = commanding()
    planned = chunk(ramp(0.9, 0.9), START_NS + 200 * MS)
    clamped = Blender('prefix', 2).blend(planned, 'go', commanded, START_NS + 250 * MS)
    expected = [commanded.position_at(START_NS + ms * MS)[0] for ms in (300, 400)]
    assert clamped.position_TJ[:, 0].tolist() == pytest.approx([*expected] + [0.9] * 6)


def test_unknown_blending_is_refused():
    """Catches a misspelt parameter that is taken for none."""
    with pytest.raises(ValueError, match="'mean' is not one of none, ensemble, prefix"):
        Blender('mean')
