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

"""What goes out: commands while the robot may be commanded, else one hold and why."""

from __future__ import annotations

from .interlock import Interlock, TAKEN_OVER
from .outlet import Outlet
from .pilot import Pilot
from .schedule import Schedule
from ..observe.observer import NotReady
from ..spec import Trajectory


class Helm:
    """
    Sends, holds and stops; each under the pilot's lock.

    With ``dry_run`` nothing counts as commanded, but for what others command with
    ``follows_others``. ``holds`` counts them, and what others command: what was thought of before
    the last one must not be sent. To somebody who commands by hand it yields: until they give
    back, only a stop is sent. ``holds_begun`` counts those that were told.
    """

    def __init__(self, pilot: Pilot, interlock: Interlock, schedule: Schedule, outlet: Outlet,
                 dry_run: bool, follows_others: bool = False):
        if follows_others and not dry_run:
            raise ValueError('follow_commands is for a dry run: without one what others command '
                             'is gone on from in any case')
        self.pilot, self.interlock, self.schedule = pilot, interlock, schedule
        self.outlet, self.dry_run, self.follows_others = outlet, dry_run, follows_others
        self.is_active, self.holds, self.holds_begun = False, 0, 0

    def send(self, trajectory: Trajectory, is_hold: bool) -> None:
        """Send a trajectory and note it as commanded."""
        self.outlet.send(trajectory)
        if not self.dry_run:
            self.pilot.sent(trajectory, is_hold)

    def begin(self) -> None:
        """Command from now on, from where the arm is or as it still brakes."""
        with self.pilot.lock:
            if not self.dry_run and (not self.pilot.is_moving or self.pilot.stray()):
                self.pilot.commanded.clear()
            self.pilot.begin()
            self.interlock.begin()
            self.schedule.begin()
            self.is_active = True

    def end(self, reason: str) -> None:
        """Brake if active, as the last that is sent; it ends even where that can't be sent."""
        with self.pilot.lock:
            try:
                self.hold(reason)
            finally:
                self.is_active = False

    def hold(self, what: str, reason: str = '') -> None:
        """Brake once; say why, when it is for something else than before."""
        with self.pilot.lock:
            if self.is_active and not self.interlock.is_taken:
                self._brake(what, reason)

    def stop_by(self, who: str, asks_on: bool = False, details: str = '') -> None:
        """
        Stop whatever goes on, whoever commands, until somebody ends the stop.

        An arm that rests elsewhere than it is commanded is told to stay where it is.
        """
        with self.pilot.lock:
            self.interlock.stop(who, asks_on)
            if self.is_active:
                is_away = not self.dry_run and bool(self.pilot.stray())
                self._brake(f'stopped by {who}', details, is_away)

    def give_way(self) -> None:
        """Hold without a word to the robot: somebody commands it by hand."""
        with self.pilot.lock:
            self.holds += 1
            self.interlock.take()
            self.outlet.tell('warning', f'holding: {TAKEN_OVER}')

    def take_back(self) -> None:
        """Let the hold end that somebody's command by hand was."""
        with self.pilot.lock:
            self.interlock.give_back()
            self.schedule.skip(self.pilot.observer.image_stamp_ns)
            self.outlet.tell('info', 'given back')

    def overhear(self, trajectory: Trajectory) -> None:
        """Note what somebody else commands; in a dry run only where it follows them."""
        with self.pilot.lock:
            if self.dry_run and self.follows_others:
                self.pilot.overheard(trajectory)
                return
            self.holds += 1
            if not self.dry_run:
                self.pilot.overheard(trajectory)

    def _brake(self, what: str, reason: str, is_away: bool = False) -> None:
        self.holds += 1
        is_new = self.interlock.hold(what, reason)  # first: no plan may follow if sending fails
        try:
            if is_away or (self.pilot.is_moving and not self.pilot.is_braking):
                trajectory = self.pilot.hold()
                if trajectory is not None:
                    self.send(trajectory, is_hold=True)
        finally:
            if is_new:
                self.holds_begun += 1
                self.schedule.skip(self.pilot.observer.image_stamp_ns)
                self.outlet.tell('warning', f'holding: {NotReady(what, reason)}')
