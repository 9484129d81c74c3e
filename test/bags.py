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

"""Small bags, places to write them that are full or read-only, and processes that write them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys

import pytest
import yaml

from trimodal_ros.record import synced
from trimodal_ros.record.episode import EpisodeInfo, read_info
from trimodal_ros.record.messages import BAG_TYPES, serialize
from trimodal_ros.record.qos import LATCHED, offered_qos, RELIABLE
from trimodal_ros.record.reader import read_messages, read_raw
from trimodal_ros.record.scan import scan
from trimodal_ros.record.writer import EpisodeWriter

SENSOR = offered_qos(reliable=False, depth=5)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000
STARTED = EpisodeInfo('put it there', 'hash', 'policy', operator='Ada')
COUNT = 60           # messages of a bag
CHUNK_BYTES = 2000   # so that a small bag has many
PER_CHUNK = 10       # messages

# Writes 'n' for each message n, and 'safe n' for what the writer says a power cut would leave.
WRITE_ENDLESSLY = """
import sys, time
sys.path.insert(0, sys.argv[4])
from pathlib import Path
from bags import message, STARTED
from trimodal_ros.record.writer import EpisodeWriter

writer = EpisodeWriter(Path(sys.argv[1]), STARTED, compression=sys.argv[2], sync_s=0.1)
writer.add_topic('words', 'std_msgs/msg/String')
written = []
while True:
    if len(written) < int(sys.argv[3]):
        writer.write('words', time.time_ns(), message(len(written)))
        written.append(time.monotonic())
        print(len(written), flush=True)
    now, unsynced = time.monotonic(), writer.unsynced_s
    print('safe', sum(each < now - unsynced for each in written), flush=True)
    time.sleep(0.001)
"""


def message(n: int) -> bytes:
    """Return a String of 200 bytes that begins with a number."""
    return serialize(BAG_TYPES.String(data=f'{n} '.ljust(200, '.')))


def number(data) -> int:
    """Return the number of a message, raw."""
    return int(bytes(data[8:]).split(b' ')[0])


def fill(writer: EpisodeWriter, count: int) -> None:
    """Write numbered messages to two topics in turn, 10 ms apart, sent 1 ms before."""
    writer.add_topic('words', 'std_msgs/msg/String', [SENSOR])
    writer.add_topic('instruction', 'std_msgs/msg/String', [LATCHED])
    for n in range(count):
        received_ns = START_NS + n * STEP_NS
        writer.write('instruction' if n % 3 == 0 else 'words', received_ns, message(n),
                     received_ns - 1_000_000)


def write_bag(path: Path, count: int = COUNT, compression: str = 'none',
              outcome: str = 'success') -> Path:
    """Write an episode of numbered messages, in chunks of a few."""
    with small_chunks():
        writer = EpisodeWriter(path, STARTED, compression, sync_s=1e6)
        fill(writer, count)
        return writer.close(EpisodeInfo(**{**vars(STARTED), 'outcome': outcome}))


@contextmanager
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synced, 'CHUNK_BYTES', CHUNK_BYTES)
        yield


def copy_episode(path: Path, out: Path, change=lambda recorded: bytes(recorded.data),
                 info: EpisodeInfo | None = None) -> Path:
    """Copy an episode, each message changed, or left out where that gives None."""
    info = info or read_info(path)
    writer, known = EpisodeWriter(out, info, 'none'), set()
    for recorded in read_raw(path):
        name, data = recorded.topic.name, change(recorded)
        if data is not None and name not in known:
            writer.add_topic(name, recorded.topic.type_name,
                             [LATCHED if name == 'instruction' else RELIABLE])
            known.add(name)
        if data is not None:
            writer.write(name, recorded.received_ns, data)
    return writer.close(info)


def copy_without(path: Path, out: Path, topic: str) -> Path:
    """Copy an episode but for one topic."""
    return copy_episode(path, out, lambda recorded: (
        None if recorded.topic.name == topic else bytes(recorded.data)))


def storage(path: Path) -> Path:
    """Return the one MCAP file of a folder."""
    [file] = path.glob('*.mcap')
    return file


def chunks(path: Path) -> list[tuple[int, int, list[int]]]:
    """Return first and last byte, exclusive, of each chunk, and the numbers of its messages."""
    with scan(storage(path)) as found:
        return [(piece.offset, piece.end, [number(each.data) for each in found.messages(piece)])
                for piece in found.pieces]


def numbers(path: Path) -> list[int]:
    """Return the numbers of an episode's messages, in its order."""
    return [number(recorded.data) for recorded in read_raw(path)]


def tear(path: Path, end: int | None = None) -> Path:
    """Make of a whole bag what is left of it when it was not closed, cut at a byte."""
    (path / 'metadata.yaml').unlink()
    file = storage(path)
    file.write_bytes(file.read_bytes()[:end])
    return path.rename(path.with_name(f'{path.name}.partial'))


def torn(root: Path, name: str = 'one', count: int = COUNT) -> Path:
    """Leave an episode as a killed recorder does."""
    writer = EpisodeWriter(root / name, STARTED, sync_s=0.001)
    fill(writer, count)
    while writer.unsynced_s:
        pass
    writer.abandon()
    return root / f'{name}.partial'


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob('*') if path.is_file()}


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    """Mount a file system; the test is skipped where that isn't allowed."""
    folder.mkdir(exist_ok=True)
    mount = subprocess.run(['mount', *arguments, str(folder)], capture_output=True, text=True,
                           check=False)
    if mount.returncode:
        pytest.skip(f'nothing can be mounted here: {mount.stderr.strip()}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=True)


@contextmanager
def writing(path: Path, compression: str = 'none', count: int = 10**9
            ) -> Iterator[subprocess.Popen]:
    """Run a process that writes an episode, ``count`` messages and then none, until killed."""
    process = subprocess.Popen(
        [sys.executable, '-c', WRITE_ENDLESSLY, str(path), compression, str(count),
         str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read(path: Path) -> list:
    return [(topic, received_ns, message.data) for topic, received_ns, message
            in read_messages(path)]


def edit(path: Path, change) -> None:
    """Rewrite the MCAP file of a bag by a function of its bytes."""
    file = storage(path)
    file.write_bytes(bytes(change(bytearray(file.read_bytes()))))


def edit_metadata(path: Path, change) -> None:
    file = path / 'metadata.yaml'
    told = yaml.safe_load(file.read_text())
    change(told['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(told))


def find_unfinished(root: Path) -> list[str]:
    return [path.name for path in root.glob('*.partial')]


def make_disk(image: Path) -> Path:
    """Make an ext4 of 200 MB in a file that takes only what is in it."""
    with image.open('wb') as file:
        file.truncate(200 * 2**20)
    subprocess.run(['mkfs.ext4', '-q', str(image)], check=True)
    return image


def cut_the_power(disk: Path) -> None:
    """Let a mounted ext4 forget, at once, all that is not on its device."""
    code = ('import fcntl, os, sys\n'
            'fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, b"\\2\\0\\0\\0")\n')
    subprocess.run([sys.executable, '-c', code, str(disk)], check=True)  # NOLOGFLUSH
