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


"""
Does replay predict? Replay measures beside closed-loop success, over checkpoints from bad to good.

    python -m benchmarks.predict measure --checkpoints A B ... --bags DIR --out DIR
    python -m benchmarks.predict table --out DIR

``measure`` judges every checkpoint by the same recordings and has it do the same layouts in the
simulator; it goes on where it was interrupted. ``table`` correlates, by ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
import json
import math
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
import tyro

from trimodal_ros.evaluate.page import write_json
from trimodal_ros.evaluate.replay.__main__ import replay
from trimodal_ros.evaluate.replay.catalogue import MEASURES
from trimodal_ros.evaluate.rollout import make_trials, run_trials, summarize
from trimodal_ros.evaluate.statistics import wilson_interval

SENTENCE = 'put the {object} on the {place}'
REPLAN_STEPS = 6
RESAMPLES, SEED = 4000, 0
LEAST = 8      # checkpoints
REPLAY, ROLLOUT = '.replay.json', '.rollout.json'


def measure(checkpoints: list[Path], bags: list[Path], out: Path, episodes: int = 60,
            seed: int = 1_950_000, workers: int = 1) -> None:
    """
    Judge every checkpoint by recordings and in the simulator.

    :param checkpoints: Checkpoint folders; their names are what the table calls them.
    :param bags: Directories of recordings that none of them was trained on.
    :param out: Folder for the figures.
    :param episodes: Layouts in the simulator.
    :param seed: Of the first layout.
    :param workers: Processes that share the work.
    """
    names = [checkpoint.name for checkpoint in checkpoints]
    if len(set(names)) < len(names):
        raise ValueError(f'--checkpoints: two folders have one name in {names}')
    out.mkdir(parents=True, exist_ok=True)
    trials = make_trials(episodes, seed, [SENTENCE], swap=False)
    for checkpoint in checkpoints:
        print(checkpoint.name, flush=True)
        judged, tried = (out / f'{checkpoint.name}{kind}' for kind in (REPLAY, ROLLOUT))
        if not judged.exists():
            replay(bags, checkpoint, json_file=judged, workers=workers)
        if not tried.exists():
            figures = summarize(run_trials(checkpoint, trials, workers, REPLAN_STEPS))
            del figures['trials']
            write_json(tried, figures)


def table(out: Path) -> None:
    """
    Print success and measures of every checkpoint, and how well each measure ranks them.

    :param out: Folder that ``measure`` wrote to.
    """
    rows = sorted((_row(path) for path in out.glob(f'*{ROLLOUT}')), key=lambda row: row['rate'])
    if len(rows) < LEAST:
        raise SystemExit(f'{len(rows)} checkpoints in {out}: at least {LEAST} are needed')
    names = [name for name in MEASURES if all(
        row['figures'].get(name, {}).get('value') is not None for row in rows)]
    print(f'| checkpoint | success | {" | ".join(MEASURES[name].title for name in names)} |')
    print('|---' * (len(names) + 2) + '|')
    for row in rows:
        low, high = wilson_interval(row['successes'], row['episodes'])
        values = ' | '.join(f'{row["figures"][name]["value"]:.3g}' for name in names)
        print(f'| {row["name"]} | {row["successes"]} of {row["episodes"]} '
              f'({100 * low:.0f}-{100 * high:.0f} %) | {values} |')
    print('\n| measure | rank correlation with success | 95 % interval |\n|---|---|---|')
    success = np.array([[row['successes'], row['episodes']] for row in rows])
    told = [(name, *correlate([row['figures'][name]['value'] for row in rows], success))
            for name in names]
    for name, rho, low, high in sorted(told, key=lambda row: -abs(np.nan_to_num(row[1]))):
        cells = 'the same for all |' if math.isnan(rho) else (
            f'{rho:+.2f} | {low:+.2f} to {high:+.2f}')
        print(f'| {MEASURES[name].title} | {cells} |')


def _row(path: Path) -> dict:
    tried = json.loads(path.read_text())
    name = path.name.removesuffix(ROLLOUT)
    judged = json.loads(path.with_name(f'{name}{REPLAY}').read_text())
    return {'name': name, 'successes': tried['successes'], 'episodes': tried['episodes'],
            'rate': tried['successes'] / tried['episodes'], 'figures': judged['figures']}


def correlate(values: Sequence[float], success_C2: np.ndarray) -> tuple[float, float, float]:
    """
    Return Spearman's rank correlation of values with success rates, and its 95 % interval.

    ``success_C2`` are successes and trials. Checkpoints are drawn again and again, and for each
    its successes from the Beta posterior of its rate (percentile bootstrap): both that these are
    but some checkpoints and that each did but some layouts is in the interval. NaN where all
    values are the same.
    """
    values, rng = np.asarray(values, dtype=np.float64), np.random.default_rng(SEED)
    drawn_RC = rng.integers(len(values), size=(RESAMPLES, len(values)))
    done, trials = success_C2.T
    rate_RC = rng.beta(1 + done[drawn_RC], 1 + trials[drawn_RC] - done[drawn_RC])
    rho_R = np.array([spearman(values[drawn], rate) for drawn, rate in zip(drawn_RC, rate_RC)])
    rho_R = rho_R[np.isfinite(rho_R)]
    low, high = np.percentile(rho_R, [2.5, 97.5]) if len(rho_R) else (math.nan, math.nan)
    return spearman(values, done / trials), float(low), float(high)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """
    Return the correlation of ranks, ties sharing theirs (Spearman 1904); NaN without any spread.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([5.0, 9.0, 7.0]))
    0.5
    """
    a, b = rankdata(a), rankdata(b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return round(float(np.corrcoef(a, b)[0, 1]), 12)


if __name__ == '__main__':
    tyro.extras.subcommand_cli_from_dict({'measure': measure, 'table': table},
                                         description=__doc__)
