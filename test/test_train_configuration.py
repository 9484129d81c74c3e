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
"""Training by a configuration YAML, the ones in config/train among them."""

import pytest
import torch
from zoo import make_policy, SMALL

from trimodal_ros.paths import share_dir
from trimodal_ros.train import __main__ as command_line
from trimodal_ros.train.configuration import ConfigurationError, with_configuration
from trimodal_ros.train.costs import describe_costs, measure_costs
from trimodal_ros.train.loop import train

SHIPPED = sorted((share_dir() / 'config' / 'train').glob('*.yaml'))
KNOWN = ('episodes', 'steps', 'vision_frozen', 'weights', 'config')


@pytest.fixture
def asked(monkeypatch):
    """Return the settings that training is asked for."""
    seen = []
    monkeypatch.setattr('trimodal_ros.train.loop.train',
                        lambda settings, *args, **kwargs: seen.append((settings, args)))
    return seen


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_build_and_train(path, zoo, episodes, tmp_path, asked):
    """Catches a configuration that no longer says what the command takes, or can't learn."""
    command_line.main([
        '--config', str(path), '--episodes', str(episodes), '--out', str(tmp_path / 'out'),
        '--vision-encoder', str(zoo / ('siglip' if 'gpu' in path.stem else 'dinov2')),
        '--language-encoder', str(zoo / 'siglip'), '--device', 'cpu', '--steps', '2',
        '--batch-size', '4', '--processes', '1', '--compiling', 'off', '--vision-width', '32'])
    [(settings, _)] = asked
    said = command_line.signature(command_line.run).parameters
    assert settings.policy.vision_frozen and settings.steps == 2 and 'config' in said
    if 'gpu' in path.stem:
        assert settings.precision == 'bfloat16' and settings.policy.vision_adapter_rank == 16
    assert train(settings, tmp_path / 'out', workers=1)


def test_what_is_given_counts_before_the_file(tmp_path, asked):
    """Catches a file that overrides what a person types, or blocks that are dropped."""
    path = tmp_path / 'mine.yaml'
    path.write_text('episodes: [a, b]\nsteps: 7\nseed: 3\nvision_encoder: here\n'
                    'vision_frozen: true\nweights: {vision_language: 0.5}\n'
                    'keep_unhealthy: true\n')
    command_line.main([f'--config={path}', '--out', 'o', '--steps', '9', '--no-vision-frozen'])
    settings = asked[0][0]
    assert (settings.steps, settings.seed, settings.episodes) == (9, 3, ('a', 'b'))
    assert not settings.policy.vision_frozen and settings.policy.vision_encoder == 'here'
    assert settings.weights.vision_language == 0.5 and settings.selection.keep_unhealthy


@pytest.mark.parametrize('text, message', [
    ('stepz: 3', "no option 'stepz'; did you mean 'steps'?"),
    ('config: other.yaml', "no option 'config'"), ('zzzzzz: 1', 'known: episodes, steps'),
    ('- steps', 'expected lines of option: value, got list'), ('steps: [', 'while parsing')])
def test_bad_configuration_is_named(tmp_path, text, message):
    """Catches an option that is misspelt and has no effect."""
    path = tmp_path / 'bad.yaml'
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refusal:
        with_configuration(['--config', str(path)], KNOWN)
    assert message in str(refusal.value) and str(path) in str(refusal.value)


def test_missing_configuration_is_named():
    """Catches a traceback for a mistyped path."""
    with pytest.raises(ConfigurationError, match='expected a file after it'):
        with_configuration(['--steps', '1', '--config'], KNOWN)
    with pytest.raises(ConfigurationError, match='/no/such.yaml: .*No such file'):
        with_configuration(['--config', '/no/such.yaml'], KNOWN)


def test_costs_are_of_what_is_trained(zoo, so101, episodes):
    """Catches memory that counts frozen weights as trained, or forgets the frozen ones."""
    from trimodal_ros.train.batches import BatchSource
    from trimodal_ros.train.cache import open_frames
    batch = BatchSource(open_frames([episodes], so101, 'demonstration', 1), 4, 0).at(0)
    costs = {}
    for kind, options in (
            ('frozen', {'vision_frozen': True}), ('trained', {}),
            ('adapters', {'vision_frozen': True, 'vision_adapter_rank': 2})):
        config = command_line.PolicyConfig(**{**vars(SMALL), **options, 'vision_encoder': str(
            zoo / 'dinov2')})
        policy = make_policy(so101, config)
        all_costs = measure_costs(policy, batch, 4, torch.float32)
        assert not policy.training and 'decoder' in describe_costs(all_costs, 4, policy.device)
        costs[kind] = all_costs[0]
    frozen, adapters, trained = (costs[kind] for kind in ('frozen', 'adapters', 'trained'))
    assert frozen.weights == trained.weights == trained.trained
    assert frozen.trained < adapters.trained < trained.trained
    assert adapters.weights - frozen.weights == adapters.trained - frozen.trained
    assert frozen.activations < adapters.activations < 2 * trained.activations
    assert trained.memory_mb == pytest.approx(
        (16 * trained.trained + trained.activations) / 1e6)
