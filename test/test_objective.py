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

"""The tasks' losses, how they are put together, and the same over several processes."""

import copy
from dataclasses import replace

from conftest import small_settings
import pytest
from safetensors.torch import load_file, save_file
import torch

from trimodal_ros.plan.checkpoint import load_checkpoint
from trimodal_ros.spec import RobotSpec
from trimodal_ros.train.batches import BatchSource
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import NotFinite, Run
from trimodal_ros.train.memory import MotionMemory
from trimodal_ros.train.objective import Objective, TASKS, TaskWeights
from trimodal_ros.train.parallel import group_size, mean_over_group, rank, run_together
from trimodal_ros.train.weighting import gradient_cosines, task_gradients, Weighting

EVERYTHING = TaskWeights(**dict.fromkeys(TASKS, 0.5))
REACH = {'vision_language': ('vision', 'language'), 'language_action': ('language', 'motion'),
         'vision_action': ('vision', 'motion'), 'language_language': ('language',),
         'fused_action': ('vision', 'language', 'motion', 'decoder'),
         'fused_language': ('vision', 'language', 'motion', 'fusions'),
         'fused_vision': ('vision', 'language', 'motion', 'fusions'),
         'trimodal': ('vision', 'language', 'motion'),
         'action_generation': ('vision', 'language', 'decoder'),
         'action_reconstruction': ('motion', 'motion_decoder')}


@pytest.fixture
def frames(episodes, so101):
    return open_frames([episodes], so101, 'demonstration', 1)


@pytest.fixture
def batch(frames):
    return BatchSource(frames, 4, seed=0).at(0)


@pytest.fixture
def policy(small_checkpoint):
    return load_checkpoint(small_checkpoint)


def losses_of(policy, batch, **changes):
    return Objective(EVERYTHING, policy, **changes)(policy, batch)


@pytest.mark.parametrize('pair_loss', ['info_nce', 'siglip'])
def test_every_task_reaches_what_it_trains(policy, batch, pair_loss):
    """Catches an encoder cut off from its loss: each task's gradient must arrive."""
    assert set(REACH) == set(TASKS)
    for task, parts in REACH.items():
        policy.zero_grad()
        losses_of(policy, batch, pair_loss=pair_loss)[task].backward()
        for part in ('vision', 'language', 'motion', 'decoder', 'fusions', 'motion_decoder'):
            moved = any(p.grad is not None and p.grad.abs().sum() > 0
                        for p in getattr(policy, part).parameters())
            assert moved == (part in parts), f'{task} and {part}'


@pytest.mark.parametrize('loss', ['gram', 'gram_rotating', 'triangle', 'symile'])
def test_trimodal_losses_differ_and_are_finite(policy, batch, loss):
    """Catches a choice that is silently another one."""
    values = {name: losses_of(policy, batch, trimodal_loss=name)['trimodal'].item()
              for name in ('gram', 'gram_rotating', 'triangle', 'symile')}
    assert sum(abs(value - values[loss]) < 1e-6 for value in values.values()) == 1
    assert values[loss] > 0


def test_task_with_weight_zero_is_not_computed(policy, batch):
    """Catches a task that can't be switched off."""
    weights = replace(EVERYTHING, vision_action=0.0)
    assert set(Objective(weights, policy)(policy, batch)) == set(TASKS) - {'vision_action'}


def test_weights_that_mean_nothing_are_refused():
    """Catches a negative weight, which would push apart what belongs together."""
    with pytest.raises(ValueError, match='vision_action: -1'):
        TaskWeights(vision_action=-1)
    with pytest.raises(ValueError, match='fused_action: nan'):
        TaskWeights(fused_action=float('nan'))
    with pytest.raises(ValueError, match='every task'):
        TaskWeights(**dict.fromkeys(TASKS, 0))


def test_features_that_are_not_finite_are_named(policy, batch):
    """Catches NaN that spreads over the whole batch before anyone sees it."""
    with torch.no_grad():
        policy.motion.head.layers[0].weight[0, 0] = float('nan')
    with pytest.raises(NotFinite, match='z_motion'):
        losses_of(policy, batch)


def test_memory_keeps_the_newest():
    """Catches old motions kept in place of new ones, or rows torn apart."""
    memory = MotionMemory(3, 2, 1)
    for first in (0, 2):
        value = torch.arange(first, first + 2.0)
        memory.remember(torch.stack([value, value], 1), value.long(), value[:, None])
    z_MD, group_M, motion_MN = memory.recall()
    assert sorted(group_M.tolist()) == [1, 2, 3]
    assert torch.equal(z_MD[:, 0], motion_MN[:, 0]) and torch.equal(z_MD[:, 1].long(), group_M)


def test_memory_adds_negatives_from_the_second_batch_on(policy, batch):
    """Catches a memory that is never read, or that is filled while judging."""
    objective = Objective(EVERYTHING, policy, memory=16)
    first = objective(policy, batch)
    second = objective.eval()(policy, batch)
    assert len(objective.memory.recall()[0]) == 4
    assert second['vision_action'] > first['vision_action']
    assert second['vision_language'].item() == pytest.approx(first['vision_language'].item())


METHODS = ('fixed', 'uncertainty', 'dwa', 'famo', 'pcgrad', 'upgrad')
TWO = {'a': 2.0, 'b': 0.5}


def two_losses(point):
    return {'a': (point[0] - 1) ** 2 + point[1] ** 2, 'b': (point[0] + 1) ** 2 + point[1] ** 2}


def test_fixed_weights_are_the_weighted_sum():
    """Catches a weight applied twice or to another task."""
    point = torch.nn.Parameter(torch.tensor([0.5, 0.3]))
    weights = Weighting('fixed', TWO).backward(two_losses(point), [point])
    assert weights == TWO
    assert point.grad.tolist() == pytest.approx([2 * 2 * -0.5 + 0.5 * 2 * 1.5, 2.5 * 0.6])


@pytest.mark.parametrize('method', METHODS)
def test_every_method_descends(method):
    """Catches a method that climbs, stands still or leaves weights unsaid."""
    point = torch.nn.Parameter(torch.tensor([2.0, 2.0]))
    weighting = Weighting(method, TWO)
    optimizer = torch.optim.SGD([point, *weighting.parameters()], lr=0.02)
    torch.manual_seed(0)
    for step in range(250):
        optimizer.zero_grad()
        weights = weighting.backward(two_losses(point), [point])
        optimizer.step()
        weighting.after_step(step, lambda: two_losses(point))
    assert set(weights) == set(TWO) and all(weight > 0 for weight in weights.values())
    assert abs(point[1].item()) < 0.1 and -1.1 < point[0].item() < 1.1


def test_uncertainty_is_the_equation():
    """Catches e^s for e^-s, or the half left out of either term."""
    point = torch.nn.Parameter(torch.tensor([0.5, 0.3]))
    weighting = Weighting('uncertainty', TWO)
    with torch.no_grad():
        weighting.scalarizer.log_var.copy_(torch.tensor([0.7, -0.2]))
    weights = weighting.backward(two_losses(point), [point])
    assert weights['a'] == pytest.approx(2.0 * 0.5 * 2.718281828 ** -0.7)
    value = 2.0 * two_losses(point)['a'].item()
    assert weighting.scalarizer.log_var.grad[0].item() == pytest.approx(
        0.5 - 0.5 * 2.718281828 ** -0.7 * value)


def test_uncertainty_is_kept_in_bounds():
    """Catches a task whose weight grows without end: InfoNCE's floor isn't 0."""
    weighting = Weighting('uncertainty', TWO)
    with torch.no_grad():
        weighting.scalarizer.log_var.fill_(-9.0)
    weighting.after_step(0, dict)
    assert weighting.scalarizer.log_var.tolist() == [-4.0, -4.0]


def test_projected_gradients_conflict_with_no_task():
    """Catches gradients that are summed although they disagree."""
    point = torch.nn.Parameter(torch.tensor([0.0, 1.0]))
    losses = {'a': point[0] * 3 + point[1], 'b': -point[0] + point[1]}
    for method in ('pcgrad', 'upgrad'):
        Weighting(method, {'a': 1.0, 'b': 1.0}).backward(losses, [point])
        gradient_KP = task_gradients(losses, [point])
        assert (gradient_KP @ point.grad >= -1e-6).all(), method
    assert gradient_cosines(losses, [point], 'a')['b'] == pytest.approx(-2 / 20 ** 0.5)


@pytest.mark.parametrize('method', ['dwa', 'famo'])
def test_methods_go_on_exactly_where_they_were(method, monkeypatch):
    """Catches weights that start afresh when training is resumed."""
    monkeypatch.setattr('trimodal_ros.train.weighting.DWA_STEPS', 2)

    def go(point, weighting, steps):
        for step in steps:
            point.grad = None
            weights = weighting.backward(two_losses(point), [point])
            with torch.no_grad():
                point.sub_(0.05 * point.grad)
            weighting.after_step(step, lambda: two_losses(point))
        return weights
    point = torch.nn.Parameter(torch.tensor([2.0, 2.0]))
    weighting = Weighting(method, TWO)
    go(point, weighting, range(7))
    later = Weighting(method, TWO)
    later.load_state_dict(weighting.state_dict())
    later.recall(copy.deepcopy(weighting.memory()))
    again = torch.nn.Parameter(point.detach().clone())
    assert go(point, weighting, range(7, 12)) == go(again, later, range(7, 12))


def share_a_batch(small_checkpoint, episodes, robot: RobotSpec, memory: int, out):
    """Write losses and gradients, averaged over the group, of its share of one batch."""
    policy = load_checkpoint(small_checkpoint)
    frames = open_frames([episodes], robot, 'demonstration', 1)
    source = BatchSource(frames, 4, 0, rank=rank(), processes=group_size())
    objective = Objective(EVERYTHING, policy, memory=memory)
    for step in range(2):
        losses = objective(policy, source.at(step))
    values = torch.stack(list(losses.values())).detach()
    policy.zero_grad()
    Weighting('fixed', EVERYTHING.on()).backward(losses, list(policy.parameters()))
    gradients = {name: value.grad.contiguous() for name, value in policy.named_parameters()
                 if value.grad is not None}
    mean_over_group([values, *gradients.values()])
    if rank() == 0:
        save_file({**gradients, 'losses': values}, out)


def share_and_average(arguments, folder):
    share_a_batch(*arguments, folder / 'two')
    _average(folder)


def test_two_processes_are_one_with_the_whole_batch(small_checkpoint, episodes, so101, tmp_path):
    """
    Catches negatives that aren't gathered, or gathered without their gradient.

    And processes that drift apart, each on its own half of the batch.
    """
    arguments = (small_checkpoint, episodes, so101, 8)
    share_a_batch(*arguments, tmp_path / 'one')
    run_together(2, share_and_average, arguments, tmp_path)
    assert [(tmp_path / name).read_text() for name in '01'] == ['[2.0, 2.0, 2.0]'] * 2
    one, two = (load_file(tmp_path / name) for name in ('one', 'two'))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=2e-5, rtol=2e-4, msg=name)


def run_of(episodes, so101, tmp_path, **changes):
    settings = small_settings(episodes, **changes)
    frames = open_frames([episodes], so101, 'demonstration', 1)
    return Run(settings, so101, BatchSource(frames, 4, 0), tmp_path / 'run', 'cpu')


def test_bfloat16_is_near_float32(episodes, so101, tmp_path):
    """Catches losses taken in bfloat16, or an autocast that isn't switched on."""
    rows = [run_of(episodes, so101, tmp_path, precision=precision).step(
        BatchSource(open_frames([episodes], so101, 'demonstration', 1), 4, 0).at(0), 0)
        for precision in ('float32', 'bfloat16')]
    assert rows[0] != rows[1]
    for name, value in rows[0].items():
        assert rows[1][name] == pytest.approx(value, rel=0.05, abs=0.02), name


def test_loss_that_is_not_finite_names_step_task_and_episodes(episodes, so101, tmp_path,
                                                              monkeypatch, batch):
    """Catches NaN weights, and an error nobody can act upon."""
    run = run_of(episodes, so101, tmp_path)
    before = copy.deepcopy(run.policy.state_dict())
    with torch.no_grad():
        run.policy.motion_decoder.layers[-1].bias.fill_(float('inf'))
        before['motion_decoder.layers.4.bias'].fill_(float('inf'))
    with pytest.raises(NotFinite, match='step 7.*action_reconstruction.*seed_') as error:
        run.step(batch, 7)
    assert 'vision' not in str(error.value)
    assert all(torch.equal(value, before[name])
               for name, value in run.policy.state_dict().items())


def _average(out):
    value = torch.full((3,), 1.0 + 2.0 * rank())
    mean_over_group([value])
    (out / str(rank())).write_text(str(value.tolist()))
