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

"""What ends a hold and what ends a stop."""

import pytest

from trimodal_ros.command.interlock import Interlock, NO_INSTRUCTION


def count_good(interlock: Interlock, times: int) -> None:
    for _ in range(times):
        interlock.good()


def test_hold_ends_after_good_observations_in_a_row():
    """Catches a robot that goes on at the first image, or counts those before the hold."""
    interlock = Interlock(resume_after=3)
    count_good(interlock, 5)
    interlock.hold('camera')
    count_good(interlock, 2)
    assert not interlock.may_plan
    interlock.hold('camera')  # again: the row is broken
    count_good(interlock, 2)
    assert not interlock.may_plan
    interlock.good()
    assert interlock.may_plan
    assert interlock.reason == 'camera'  # until a command goes out
    assert interlock.command() and not interlock.command()
    assert interlock.reason == interlock.details == ''


def test_only_another_reason_is_new():
    """Catches a line in the log for each number that changes."""
    interlock = Interlock()
    assert interlock.hold('cameras', '0.06 s apart')
    assert not interlock.hold('cameras', '0.08 s apart')
    assert interlock.details == '0.08 s apart'
    assert interlock.hold('joint_states')


def test_without_an_instruction_nothing_is_wrong():
    """Catches a robot that needs a service call after each task."""
    interlock = Interlock('service')
    interlock.hold(NO_INSTRUCTION)
    assert interlock.may_plan


def test_hold_ends_by_service_only():
    """Catches observations that end a hold somebody was to end, and a call that skips them."""
    interlock = Interlock('service', resume_after=2)
    interlock.hold('camera')
    count_good(interlock, 9)
    assert not interlock.may_plan
    interlock.hold(NO_INSTRUCTION)  # does not take the place of what was wrong
    assert not interlock.may_plan
    interlock.hold('camera')
    interlock.resume()
    assert not interlock.may_plan
    count_good(interlock, 2)
    assert interlock.may_plan


@pytest.mark.parametrize('resume', ['auto', 'service'])
def test_stop_outlasts_everything_but_resume(resume):
    """Catches a stop that good observations or an activation end."""
    interlock = Interlock(resume, resume_after=1)
    interlock.stop('~/stop')
    interlock.hold('stopped')
    count_good(interlock, 9)
    interlock.begin()
    assert not interlock.may_plan and interlock.stopped_by == '~/stop'
    interlock.resume()
    assert interlock.may_plan and interlock.stopped_by == ''


def test_stop_that_is_asked_for_cannot_be_ended():
    """Catches a service that overrules a pressed button, or a stop that ends with it."""
    interlock = Interlock(resume_after=1)
    interlock.stop('button', asks_on=True)
    interlock.stop('~/stop')
    with pytest.raises(ValueError, match='still stopped by button'):
        interlock.resume()
    assert not interlock.may_plan
    interlock.ask_no_more('button')
    assert not interlock.may_plan
    interlock.resume()
    assert interlock.may_plan


def test_unknown_way_to_resume_is_named():
    """Catches a spelling mistake that is taken for 'auto'."""
    with pytest.raises(ValueError, match="resume 'never' is not one of auto, service"):
        Interlock('never')
