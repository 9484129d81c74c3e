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

"""A private ROS graph for the whole run, and what many tests need."""

import os
from pathlib import Path
import shutil
import signal
import tempfile

import pytest

from trimodal_ros.paths import share_dir
from trimodal_ros.spec import RobotSpec


def pytest_configure(config):
    from hypothesis import settings
    settings.register_profile('same each time', derandomize=True)
    settings.load_profile('same each time')
    os.environ.setdefault('MUJOCO_GL', 'egl')  # read when MuJoCo is imported, by whichever test
    # Ignored in a shell's background and under nohup, here and by all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        from trimodal_ros.nodes.private_graph import enter_private_graph
    except ImportError:
        return  # without ROS everything but the nodes is tested
    enter_private_graph()


@pytest.fixture
def ros():
    """
    A context for one test.

    A participant that has met a process now gone may not reach the next one, which takes over
    its shared-memory port.
    """
    import rclpy
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def memory():
    """A folder that is emptied and filled a hundred times without wearing a disk out."""
    folder = Path(tempfile.mkdtemp(dir='/dev/shm' if os.path.isdir('/dev/shm') else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def bag(memory) -> Path:
    """A small bag, to be spoilt."""
    from bags import write_bag
    return write_bag(memory / 'bag')


@pytest.fixture(scope='session')
def so101() -> RobotSpec:
    return RobotSpec.from_yaml(so101_yaml())


def so101_yaml() -> Path:
    return share_dir() / 'config' / 'robots' / 'so101.yaml'


@pytest.fixture(scope='session')
def shipped() -> Path:
    return share_dir() / 'models' / 'so101_tabletop'


@pytest.fixture(scope='session')
def simulated():
    """One simulated robot for all tests: each test resets it."""
    from trimodal_ros.record.messages import BAG_TYPES
    from trimodal_ros.sim.robot import SimulatedRobot
    robot = SimulatedRobot(BAG_TYPES)
    yield robot
    robot.world.close()


TEMPLATES = ['put the {object} on the {place}', 'move the {object} to the {place}']


@pytest.fixture(scope='session')
def episodes(tmp_path_factory, simulated, so101) -> Path:
    """A folder with four short demonstrations."""
    from trimodal_ros.sim.demonstrate import record_episode
    folder = tmp_path_factory.mktemp('episodes')
    for seed in range(4):
        record_episode(folder / f'seed_{seed}', simulated, so101, seed, TEMPLATES,
                       'demonstration', max_steps=12)
    return folder


@pytest.fixture(scope='session')
def small_checkpoint(tmp_path_factory, episodes) -> Path:
    """A checkpoint of two steps: right in form, useless on a robot."""
    from trimodal_ros.train.loop import train
    out = tmp_path_factory.mktemp('models') / 'small'
    train(small_settings(episodes), out, workers=1)
    return out


@pytest.fixture(scope='session')
def report(tmp_path_factory, small_checkpoint, episodes):
    """``evaluate alignment`` of the small checkpoint."""
    from alignment_report import make_report
    return make_report(tmp_path_factory.mktemp('report') / 'new', small_checkpoint, episodes)


def save_moving_checkpoint(folder: Path, robot: RobotSpec, speed_rad_s: float = 0.1) -> Path:
    """Save a policy whose plans turn the shoulder, at a speed, whatever it sees and is told."""
    import torch

    from trimodal_ros.plan.checkpoint import save_checkpoint
    from trimodal_ros.plan.encoders import open_encoders
    from trimodal_ros.plan.normalize import JointStatistics
    from trimodal_ros.plan.policy import Policy, PolicyConfig
    torch.manual_seed(0)
    config = PolicyConfig(embed_dim=16, vision_width=32, motion_width=16)
    ones, rest = (1.0,) * len(robot.joints), (0.0,) * (len(robot.joints) - 1)
    statistics = JointStatistics(state_offset=(*rest, 0.4), state_scale=ones,
                                 chunk_offset=(*rest, 0.4), chunk_scale=ones)
    policy = Policy(config, robot, statistics, *open_encoders(config))
    chunk_TJ = torch.zeros(robot.horizon, len(robot.joints))
    chunk_TJ[:, 0] = speed_rad_s * (1 + torch.arange(robot.horizon)) / robot.rate_hz
    with torch.no_grad():
        policy.decoder.head[-1].weight.zero_()
        policy.decoder.head[-1].bias.copy_(chunk_TJ.flatten())
    save_checkpoint(folder, policy.eval(), {}, 'turns the shoulder')
    return folder


@pytest.fixture(scope='session')
def moving_checkpoint(tmp_path_factory, so101) -> Path:
    """A checkpoint that turns the shoulder: from where a driver's arm is, for half a minute."""
    return save_moving_checkpoint(tmp_path_factory.mktemp('models') / 'moving', so101)


@pytest.fixture
def commanding(ros, moving_checkpoint, so101):
    """A driver and a policy that commands its arm."""
    from policy_graph import commanding_policy
    with commanding_policy(moving_checkpoint, so101) as nodes:
        yield nodes


def small_settings(episodes, **changes):
    from trimodal_ros.plan.policy import PolicyConfig
    from trimodal_ros.train.settings import TrainingSettings
    values = {'steps': 2, 'batch_size': 4, 'policy': PolicyConfig(
        embed_dim=16, vision_width=32, motion_width=16), **changes}
    return TrainingSettings((str(episodes),), str(so101_yaml()), **values)


@pytest.fixture
def make_bench():
    """Make commanders, started and told what to do; they end with the test."""
    from commander_bench import Bench, SENTENCE
    benches = []

    def make(start: bool = True, **options):
        bench = Bench(**options)
        benches.append(bench)
        bench.step()
        if start:
            assert bench.commander.why_not_ready() == ''
            assert bench.commander.start()
            bench.commander.on_instruction(SENTENCE)
        return bench
    yield make
    for bench in benches:
        bench.commander.stop('the end')
        assert bench.commander.end_worker()


@pytest.fixture(scope='session')
def zoo(tmp_path_factory) -> Path:
    """Folders of small pretrained encoders."""
    from zoo import build_zoo
    root = tmp_path_factory.mktemp('zoo')
    build_zoo(root)
    return root


@pytest.fixture
def copy(zoo, tmp_path):
    """Return a function that copies a folder of the zoo, to be spoilt or deleted."""
    return lambda name: shutil.copytree(zoo / name, tmp_path / name)
