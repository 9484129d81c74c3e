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

"""A camera of the robot against what came on its topic."""

from __future__ import annotations

from collections.abc import Iterator

from .finding import Finding
from .seen import Seen
from ..camera import CameraSpec

ALIKE = 0.02   # of aspect ratios, relative: a pixel more or less


def judge_images(camera: CameraSpec, seen: Seen) -> Iterator[Finding]:
    """Yield what was found of the newest image: can it be read, its size, its shape."""
    part, publishers = f'camera {camera.name}', seen.publishers.get(camera.topic, ())
    if len(publishers) > 1:
        yield Finding('error', part, 'publisher', f'{len(publishers)} publishers: '
                      f'{", ".join(sorted(each.node for each in publishers))}', 'one',
                      'images of different views or times get mixed', 'stop all but one')
    stream = seen.streams.get(camera.topic)
    if stream is None or not stream.received_ns:
        return
    if stream.fault:
        yield Finding('error', part, 'image', stream.fault, 'an image that can be read',
                      'the policy holds for it', 'change encoding or crop_px')
        return
    width, height = stream.size_px
    told = f'{width}x{height} px {stream.encoding}'
    seen_px = camera.crop_px[2:] if camera.crop_px else (width, height)
    if camera.rotation_deg % 180:
        seen_px = seen_px[::-1]
    yield _shape(camera, part, told, seen_px)


def _shape(camera: CameraSpec, part: str, told: str, seen_px: tuple[int, int]) -> Finding:
    stretch = (camera.width / camera.height) / (seen_px[0] / seen_px[1])
    wants = f'{camera.width}x{camera.height} px'
    if abs(stretch - 1) > ALIKE:
        return Finding('warning', part, 'shape', f'{told}; of it {seen_px[0]}x{seen_px[1]} are '
                       f'made {wants}', 'the same ratio of width to height',
                       f'the picture is stretched by {stretch:.2f}, as no recording of another '
                       'camera would be', 'change width or height, or crop_px')
    if camera.width > seen_px[0]:
        return Finding('warning', part, 'shape', f'{told}, made {wants}', 'no more than comes',
                       'it is enlarged: there is less to see than the policy was built for',
                       'lower width and height, or have the camera send more')
    return Finding('ok', part, 'shape', f'{told}, made {wants}')
