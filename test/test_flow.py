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

from conftest import small_settings
import numpy as np
import pytest
from safetensors.torch import load_file
import torch

from trimodal_ros.plan.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from trimodal_ros.plan.flow import FlowDecoder
from trimodal_ros.plan.policy import PolicyConfig
from trimodal_ros.plan.proposal import draw_noise
from trimodal_ros.spec import Observation, RobotSpec
from trimodal_ros.train import __main__ as command_line
from trimodal_ros.train.batches import BatchSource
from trimodal_ros.train.cache import open_frames
from trimodal_ros.train.loop import train
from trimodal_ros.train.metrics import validate


@pytest.fixture(scope='module')
def flow_checkpoint(small_checkpoint, tmp_path_factory):
    """The small checkpoint with the fresh head of a flow."""
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp('models') / 'flow'
    save_checkpoint(out, load_checkpoint(small_checkpoint, decoder='flow'), {}, '')
    return out


@pytest.fixture
def policy(flow_checkpoint):
    return load_checkpoint(flow_checkpoint)


def small_decoder() -> FlowDecoder:
    torch.manual_seed(0)
    return FlowDecoder((), width=32, embed_dim=4, joints=2, horizon=4)


class Straight(torch.nn.Module):
    """A network for which ``target`` is the only chunk there is."""

    def __init__(self, target_BN):
        super().__init__()
        self.target_BN = target_BN

    def scene(self, context_BF):
        return context_BF

    def forward(self, x_BN, t_B, scene_BK):
        return self.target_BN


def test_the_way_back_from_noise_ends_at_the_chunk():
    """Catches times off by one step, or run the wrong way."""
    decoder, target_BTJ = small_decoder(), torch.randn(3, 4, 2)
    decoder.head = Straight(target_BTJ.flatten(1))
    torch.testing.assert_close(decoder.decode(torch.zeros(3, 1)), target_BTJ)


def test_the_loss_is_of_the_velocity():
    """Catches a velocity of the wrong sign, or noise and chunk taken for each other."""
    decoder, target_BTJ = small_decoder(), torch.randn(64, 4, 2)
    decoder.head = Straight(target_BTJ.flatten(1))
    assert decoder.loss(torch.zeros(64, 1), target_BTJ) < 1e-6
    decoder.head = Straight(-target_BTJ.flatten(1))
    assert decoder.loss(torch.zeros(64, 1), target_BTJ) > 1


def test_both_of_two_right_motions_are_sampled():
    """Catches a decoder that answers with the mean of what is right, which is neither."""
    decoder, width = small_decoder(), 2 * 4 + 4 + 2 * 2
    optimizer = torch.optim.Adam(decoder.head.parameters(), 1e-3)
    for _ in range(300):
        side_B = torch.randint(2, (64, 1, 1)) * 2.0 - 1
        loss = decoder.loss(torch.zeros(64, width), side_B.expand(64, 4, 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        chunk_BTJ = decoder.decode(torch.zeros(64, width))
    assert ((chunk_BTJ.abs() - 1).abs().mean(dim=(1, 2)) < 0.3).float().mean() > 0.9
    assert 0.3 < (chunk_BTJ.mean(dim=(1, 2)) > 0).float().mean() < 0.7


def test_a_sample_is_of_its_observation(policy, so101):
    """Catches noise that a replay can't draw again, and noise that is the same for ever."""
    first, later = Observation.make_example(so101), Observation.make_example(so101)
    object.__setattr__(later, 'stamp_ns', first.stamp_ns + 1)
    chunks = [policy.plan(seen).position_TJ for seen in (first, first, later)]
    assert np.array_equal(chunks[0], chunks[1]) and not np.array_equal(chunks[0], chunks[2])


def test_the_best_of_the_candidates_is_taken(policy, so101):
    """Catches a ranking upside down, or a similarity that is another candidate's."""
    seen, policy.candidates = Observation.make_example(so101), 5
    batches = []
    policy.decoder.head.scene.register_forward_hook(
        lambda module, inputs, output: batches.append(inputs[0]))
    taken = policy.plan(seen)
    [context_NF] = batches
    with torch.no_grad():
        unit_NTJ = policy.decoder.decode(context_NF, torch.from_numpy(
            draw_noise(5, policy.decoder.shape_TJ, seen.stamp_ns)))
        command_NJ = torch.tensor(seen.command_J, dtype=torch.float32).expand(5, -1)
        chunk_NTJ = policy.normalizer.chunk_to_rad(unit_NTJ, command_NJ)
        z_fused_D = policy.decoder.fuse(context_NF[:1, :policy.decoder.fuse.layers[0].in_features])
        score = [float(policy.embed_motion(chunk_TJ[None]) @ z_fused_D[0])
                 for chunk_TJ in chunk_NTJ]
    assert len(set(score)) == 5
    assert taken.alignment['scene_motion'] == pytest.approx(max(score), abs=1e-6)
    assert np.allclose(taken.position_TJ, chunk_NTJ[int(np.argmax(score))], atol=1e-6)


def test_candidates_are_seen_and_read_once(policy, so101):
    """Catches candidates that cost a look each."""
    seen = []
    policy.candidates = 3
    policy.language.register_forward_hook(lambda m, inputs, out: seen.append(len(out)))
    policy.decoder.fuse.register_forward_hook(lambda m, inputs, out: seen.append(len(out)))
    policy.plan(Observation.make_example(so101))
    assert seen == [1, 1]


def test_candidates_of_one_answer_are_refused(small_checkpoint, policy):
    """Catches a ranking of copies."""
    chunk = load_checkpoint(small_checkpoint)
    chunk.candidates = 1
    with pytest.raises(ValueError, match="candidates: 4, but the decoder 'chunk'.*'flow'"):
        chunk.candidates = 4
    with pytest.raises(ValueError, match='candidates: 0'):
        policy.candidates = 0


def test_unknown_decoder_lists_the_known():
    with pytest.raises(ValueError, match="decoder: 'diffusion'; known: chunk, flow"):
        PolicyConfig(decoder='diffusion')


def test_another_decoder_keeps_all_but_the_head(small_checkpoint, flow_checkpoint):
    """Catches encoders that start from nothing, or a head of the other decoder."""
    chunk, flow = (load_file(path / 'model.safetensors')
                   for path in (small_checkpoint, flow_checkpoint))
    shared = {name for name in chunk if not name.startswith('decoder.head.')}
    assert shared == {name for name in flow if not name.startswith('decoder.head.')}
    assert len(shared) < len(chunk) and all(torch.equal(chunk[name], flow[name])
                                            for name in shared)


def test_another_decoder_is_no_excuse_for_another_robot(flow_checkpoint):
    """Catches a check that is left out together with the head."""
    with pytest.raises(CheckpointError, match='was trained for joints'):
        load_checkpoint(flow_checkpoint, robot=RobotSpec.make_example(), decoder='chunk')


def test_held_out_error_is_the_same_twice(policy, episodes, so101):
    """Catches a log that depends on what was drawn before."""
    batch = BatchSource(open_frames([episodes], so101, 'demonstration', 1), 4, 0).validation(8)
    first, second = validate(policy, batch), validate(policy, batch)
    assert first == second and first['held_out_error_rad'] > 0


def test_flow_goes_on_from_a_chunk_checkpoint(small_checkpoint, episodes, tmp_path):
    """Catches --initial that falls back to the checkpoint's own decoder."""
    settings = small_settings(episodes, initial=str(small_checkpoint),
                              policy=PolicyConfig(decoder='flow'))
    train(settings, tmp_path / 'next', workers=1)
    policy = load_checkpoint(tmp_path / 'next')
    assert policy.decoder.samples and policy.config.embed_dim == 16


@pytest.mark.parametrize('given, initial, expected', [
    ((), None, 'chunk'), (('--policy.decoder', 'flow'), None, 'flow'),
    (('--decoder', 'flow'), None, 'flow'), ((), 'flow', 'flow'),
    (('--decoder', 'chunk'), 'flow', 'chunk')])
def test_decoder_on_the_command_line(flow_checkpoint, monkeypatch, given, initial, expected):
    """Catches a later round that silently drops the head of the one before."""
    seen = []
    monkeypatch.setattr('trimodal_ros.train.loop.train',
                        lambda settings, *args, **kwargs: seen.append(settings))
    start = ('--initial', str(flow_checkpoint)) if initial else ()
    command_line.main(['--episodes', 'e', '--out', 'o', *start, *given])
    assert seen[0].policy.decoder == expected
