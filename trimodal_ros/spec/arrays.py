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

"""Arrays that nobody changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def frozen(values: ArrayLike) -> np.ndarray:
    """Return values as a read-only array, a view where they are one."""
    array = np.asarray(values).view()
    array.flags.writeable = False
    return array
