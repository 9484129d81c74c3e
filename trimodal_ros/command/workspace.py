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

"""A box that a link of the robot must stay in, between the points of a trajectory too."""

from __future__ import annotations

from collections.abc import Iterator
import math

import numpy as np

from .frame import FramePosition
from .limits import LimitError
from ..spec import RobotSpec, SpecError, Trajectory

STEP_M = 0.005        # the frame moves no further between two samples
LONGEST_M = 10.0      # between two points: what is longer is refused, not sampled
SLACK_M = 1e-5        # URDFs write angles to five digits: heights drift as a pan turns


class WorkspaceBox:
    """
    A box, in m along the axes of the URDF's root link, for the origin of the link ``frame``.

    A side may be infinite. Raises SpecError for a box without room, and where
    ``FramePosition`` does.
    """

    def __init__(self, urdf: str, robot: RobotSpec, frame: str, lower_m_3, upper_m_3):
        self.lower_m_3 = np.array(lower_m_3, dtype=np.float64)
        self.upper_m_3 = np.array(upper_m_3, dtype=np.float64)
        if self.lower_m_3.shape != (3,) or self.upper_m_3.shape != (3,):
            raise SpecError(f'workspace of {frame!r}: expected x, y, z in m, '
                            f'got {lower_m_3} and {upper_m_3}')
        if not (self.lower_m_3 < self.upper_m_3).all():
            raise SpecError(f'workspace of {frame!r}: lower {lower_m_3} m is not below '
                            f'upper {upper_m_3} m')
        self._position = FramePosition(urdf, robot, frame)

    def check(self, trajectory: Trajectory) -> None:
        """
        Raise LimitError, of kind 'workspace', where the frame leaves the box.

        Looks at the points and, as the controller interpolates, between them: the frame moves at
        most ``STEP_M`` from one sample to the next, so it is never further out than half of that,
        and ``SLACK_M``, unnoticed. A frame may be as far out on each side as at the first point,
        where the robot already is. A trajectory on which the frame might move more than
        ``LONGEST_M`` between two points is refused.
        """
        time_s_S, position_m_S3 = frame_path(self._position, trajectory)
        first_m_3 = position_m_S3[0]
        lower_m_3 = np.minimum(self.lower_m_3, first_m_3) - SLACK_M
        upper_m_3 = np.maximum(self.upper_m_3, first_m_3) + SLACK_M
        outside_S3 = (position_m_S3 < lower_m_3) | (position_m_S3 > upper_m_3)
        if outside_S3.any():
            sample, axis = np.argwhere(outside_S3)[0]
            raise _left(self._position.frame, time_s_S[sample], (
                f'{"xyz"[axis]} = {position_m_S3[sample, axis]:.3f} m is outside '
                f'[{self.lower_m_3[axis]}, {self.upper_m_3[axis]}] m'))


def frame_path(position: FramePosition,
               trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """
    Return times [S] in s and places [S, 3] in m of a frame from the first point to the last.

    It moves at most ``STEP_M`` from one to the next. Raises LimitError for two points between
    which it might move more than ``LONGEST_M``.
    """
    time_s_T, position_TJ = trajectory.time_s_T, trajectory.position_TJ
    times, positions = [time_s_T[:1]], [position_TJ[:1]]
    for step, bezier_4J in enumerate(_bezier_segments(trajectory), start=1):
        # a cubic and its derivative stay within the hulls of their Bezier points
        turn_J = 3 * np.abs(np.diff(bezier_4J, axis=0)).max(axis=0)
        travel_m = position.travel_m(turn_J, np.abs(bezier_4J).max(axis=0))
        if not travel_m <= LONGEST_M:
            raise _left(position.frame, time_s_T[step], (
                f'the joints turn so far since the last point that it may have moved '
                f'{travel_m:.3g} m, more than {LONGEST_M} m'))
        u_S = np.linspace(0.0, 1.0, max(1, math.ceil(travel_m / STEP_M)) + 1)[1:]
        times.append(time_s_T[step - 1] + u_S * (time_s_T[step] - time_s_T[step - 1]))
        positions.append(_bernstein(u_S) @ bezier_4J)
    return np.concatenate(times), position.positions_m(np.concatenate(positions))


def _bezier_segments(trajectory: Trajectory) -> Iterator[np.ndarray]:
    """
    Yield, for each segment that ``playback.interpolate`` goes along, its Bezier points [4, J].

    Farin, Curves and Surfaces for CAGD (2002), chapters 5 and 7; a line is a cubic too.
    """
    position_TJ, velocity_TJ = trajectory.position_TJ, trajectory.velocity_TJ
    for step, duration_s in enumerate(np.diff(trajectory.time_s_T)):
        p0, p1 = position_TJ[step:step + 2]
        turn0, turn1 = ((p1 - p0, p1 - p0) if velocity_TJ is None
                        else velocity_TJ[step:step + 2] * duration_s)
        yield np.array([p0, p0 + turn0 / 3, p1 - turn1 / 3, p1])


def _bernstein(u_S: np.ndarray) -> np.ndarray:
    """Return the weights [S, 4] of Bezier points."""
    rest_S = 1 - u_S
    return np.stack([rest_S**3, 3 * u_S * rest_S**2, 3 * u_S**2 * rest_S, u_S**3], axis=1)


def _left(frame: str, time_s: float, how: str) -> LimitError:
    return LimitError('workspace', frame, f'frame {frame!r}, {time_s:.2f} s: {how}')
