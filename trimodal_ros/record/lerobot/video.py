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

"""Videos: RGB frames at a fixed rate into MP4, and the frames at given times out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import errno
from fractions import Fraction
import os
from pathlib import Path

import av
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace
import numpy as np

from .schema import DatasetError
from .settings import Encoding

ENCODERS = {'h264': 'libx264', 'av1': 'libsvtav1'}
OPTIONS = {'h264': {'preset': 'veryfast', 'bf': '0'}, 'av1': {'preset': '8'}}
GROUP = 2            # frames between key frames: any frame is found by decoding two, as LeRobot's
SMPTE170M = 6        # colour matrix and primaries (ITU-T H.273): what decoders assume when untold


class VideoWriter:
    """One MP4 file at ``fps``: frame n is shown at n / fps, exactly."""

    def __init__(self, path: Path, width: int, height: int, fps: int, encoding: Encoding):
        os.environ.setdefault('SVT_LOG', '1')  # of the AV1 encoder, on standard error: faults only
        path.parent.mkdir(parents=True, exist_ok=True)
        self.encoding, self.frames, self.bytes = encoding, 0, 0
        self._container = av.open(str(path), 'w', format='mp4')
        self._stream = stream = self._container.add_stream(
            ENCODERS[encoding.codec], rate=fps, options={
                **OPTIONS[encoding.codec], 'crf': str(encoding.quality), 'g': str(GROUP)})
        stream.width, stream.height = width, height
        stream.pix_fmt = encoding.pixel_format
        stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.colorspace = stream.codec_context.color_primaries = SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG

    def add(self, image: np.ndarray, first: bool = False) -> None:
        """Append RGB uint8 [H, W, 3]; the first of an episode can be decoded on its own."""
        frame = av.VideoFrame.from_ndarray(image, format='rgb24').reformat(
            format=self.encoding.pixel_format, dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG)
        frame.pts, frame.time_base = self.frames, self._stream.codec_context.time_base
        frame.pict_type = PictureType.I if first else PictureType.NONE
        self._mux(frame)
        self.frames += 1

    def _mux(self, frame: av.VideoFrame | None) -> None:
        packets = self._stream.encode(frame)
        self.bytes += sum(packet.size for packet in packets)
        self._container.mux(packets)

    def close(self) -> None:
        """Finish the file."""
        if self.frames:
            self._mux(None)
        self._container.close()


def read_frames(path: Path, time_s_N: Sequence[float], fps: float) -> Iterator[np.ndarray]:
    """
    Yield RGB uint8 [H, W, 3] shown at some times of a video, in s and increasing.

    Raises DatasetError, naming file and frame, where the video is damaged or has no frame
    within half a period.
    """
    count = 0
    try:
        with av.open(str(path)) as container:
            for frame in _nearest(container, time_s_N, fps):
                if frame is None:
                    break
                # By way of yuv444p: straight to RGB, swscale rounds every value of 4:2:0 down.
                yield frame.reformat(format='yuv444p').to_ndarray(format='rgb24')
                count += 1
    except (av.error.FFmpegError, IndexError) as error:
        raise DatasetError(f'{path}: damaged at frame {count} of {len(time_s_N)}: '
                           f'{error}') from error
    if count < len(time_s_N):
        raise DatasetError(f'{path}: no frame within {0.5 / fps:.3f} s of {time_s_N[count]:.3f} s '
                           f'(frame {count} of {len(time_s_N)})')


def _nearest(container, time_s_N: Sequence[float], fps: float) -> Iterator:
    """Yield the frame nearest to each time; None where none is within half a period."""
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise av.error.InvalidDataError(errno.EINVAL, 'no known codec')
    stream.thread_type = 'AUTO'
    stream.codec_context.options = {'err_detect': 'explode'}  # rather than guess what was there
    container.seek(max(0, round(time_s_N[0] / stream.time_base) - 1), stream=stream)
    frames = container.decode(stream)
    held, ahead = None, next(frames, None)
    for time_s in time_s_N:
        while ahead is not None and (
                held is None or abs(ahead.time - time_s) <= abs(held.time - time_s)):
            held, ahead = ahead, next(frames, None)
        near = held is not None and abs(held.time - time_s) <= 0.5 / fps
        yield held if near else None
