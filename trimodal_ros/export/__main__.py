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
"""``python -m trimodal_ros.export``: from a checkpoint to a folder that needs no PyTorch."""

from __future__ import annotations

from pathlib import Path

import tyro

from ..command_line import one_line_errors


def run(checkpoint: Path, out: Path, episodes: Path | None = None, benchmark: bool = False,
        plans: int = 200, threads: int = 1, compiled: bool = True) -> None:
    """
    Export a checkpoint to ONNX, for the policy node to run by onnxruntime or OpenVINO.

    The folder has the whole policy, its sentence encoder too: no other folder, hub or network is
    needed on the robot, and no PyTorch. It is written only if it plans what the checkpoint does,
    to 1e-4 rad and 1e-4 in the cosines. Give it to the node as the parameter checkpoint, and the
    parameter provider says what runs it.

    :param checkpoint: Checkpoint folder.
    :param out: Folder to write; an exported policy there is replaced.
    :param episodes: Recorded episodes to compare on too, beside noise.
    :param benchmark: Measure how long a plan takes in PyTorch, eager and compiled, and by every
        provider here, and name the fastest. With an export of this checkpoint at --out, it is
        measured as it is.
    :param plans: Plans to measure of each.
    :param threads: CPU threads of each, as the node's parameter of that name.
    :param compiled: Measure PyTorch compiled too, which takes a C++ compiler and a minute.
    """
    from .benchmark import measure, table
    from .folder import export
    from ..plan.checkpoint import content_hash, read_config
    from ..plan.exported import identity_of, is_export, read_export
    read_config(checkpoint)
    there = is_export(out) and read_export(out)[0].checkpoint == content_hash(checkpoint)
    if not (there and benchmark):
        checked = export(checkpoint, out, episodes).checked
        print(f'{out}, content hash {identity_of(out)}: compared on {checked["observations"]} '
              f'observations, {checked["recorded"]} recorded; positions off by at most '
              f'{checked["positions_rad"]:.1e} rad, cosines by {checked["cosines"]:.1e}')
    if benchmark:
        print(table(measure(checkpoint, out, plans, threads, compiled)))


def main(args: list[str] | None = None) -> None:
    with one_line_errors(ArithmeticError, interrupted='interrupted; nothing was written'):
        tyro.cli(run, args=args, prog='trimodal_ros.export')


if __name__ == '__main__':
    main()
