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

from dataclasses import replace
import fcntl
import itertools
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import numpy as np
import pytest

from trimodal_ros.paths import shipped
from trimodal_ros.record.episode import EpisodeError, EpisodeInfo
from trimodal_ros.record.writer import EpisodeWriter
from trimodal_ros.sim.collect import collect, Collection, SETTINGS_FILE
from trimodal_ros.sim.demonstrate import Demonstrator
from trimodal_ros.sim.kinematics import Kinematics, ReachError
from trimodal_ros.sim.layout import CUBE_SPACING_M, make_layout, OBJECTS, PLACES, Task
from trimodal_ros.sim.lockstep import run_episode, START_NS
from trimodal_ros.sim.meshes import cluster_vertices
from trimodal_ros.sim.scene_file import shipped_scene
from trimodal_ros.sim.sentences import read_templates
from trimodal_ros.sim.viewer import NoViewer, open_viewer


def test_layouts_are_what_the_task_needs():
    """Catches cubes in each other, a named cube that isn't there, or a scene that gives
    the task away: all objects and places must come up, with others in view.
    """
    seen = set()
    for seed in range(200):
        layout = make_layout(seed)
        assert layout == make_layout(seed)
        assert layout.task.object in layout.cubes and len(layout.cubes) == 3
        assert set(layout.plates) == set(PLACES)
        for a, b in itertools.combinations(layout.cubes.values(), 2):
            assert np.hypot(a[0] - b[0], a[1] - b[1]) >= CUBE_SPACING_M
        seen.add((layout.task.object, layout.task.place))
    assert len(seen) == len(OBJECTS) * len(PLACES)


def test_other_object_is_visible_and_other():
    layout = make_layout(3)
    other = layout.with_other_object()
    assert other.task.object != layout.task.object and other.task.object in layout.cubes
    assert other.cubes == layout.cubes


def test_inverse_kinematics_reaches_what_it_says():
    """Catches a tool that ends up beside its target, or one quietly out of reach."""
    kinematics = Kinematics(shipped_scene())
    joint_J = kinematics.reach([0.2, 0.05, 0.03], -1.5, 0.4)
    assert np.abs(kinematics.tool_position_m(joint_J) - [0.2, 0.05, 0.03]).max() < 1e-3
    assert kinematics.tool_yaw(joint_J) == pytest.approx(-1.5, abs=0.02)
    assert joint_J[-1] == 0.4
    with pytest.raises(ReachError, match='out of reach by'):
        kinematics.reach([0.6, 0.0, 0.03], -1.5, 0.4)


@pytest.mark.parametrize('seed', range(4))
def test_the_demonstrator_does_the_task(simulated, so101, seed):
    """Catches a physics, controller or plan in which the task can't be done."""
    result = run_episode(simulated, so101, make_layout(seed), 'put it there',
                         Demonstrator(simulated).plan, max_steps=60)
    assert result.success and not result.refusals
    assert not simulated.world.table.is_done(make_layout(seed).with_other_object().task)


def test_standing_still_is_no_success(simulated, so101):
    """Catches a referee that is always content."""
    result = run_episode(simulated, so101, make_layout(0), 'put it there',
                         lambda observation: None, max_steps=3)
    assert not result.success and result.steps == 3


def test_physics_is_repeatable(simulated, so101):
    """Catches state that leaks from one episode into the next."""
    ends = []
    for _ in range(2):
        run_episode(simulated, so101, make_layout(1), 'put it there',
                    Demonstrator(simulated).plan, max_steps=15)
        ends.append(simulated.world.data.qpos.copy())
    assert np.array_equal(*ends)


def test_cameras_show_the_cubes(simulated):
    """Catches a camera that looks elsewhere, or colours swapped."""
    simulated.reset(make_layout(0, Task('red cube', 'left plate')), START_NS)
    image = np.asarray(simulated.image('front').data).reshape(192, 256, 3).astype(int)
    red = (image[..., 0] > 150) & (image[..., 1] < 80) & (image[..., 2] < 80)
    assert 100 < red.sum() < 2000


def test_joint_order_may_be_shuffled(simulated):
    """Catches names and positions permuted apart."""
    simulated.reset(make_layout(0), START_NS)
    plain, shuffled = simulated.joint_state(), simulated.joint_state([5, 3, 1, 0, 2, 4])
    assert dict(zip(plain.name, plain.position)) == dict(zip(shuffled.name, shuffled.position))


def test_clustering_keeps_shape_and_drops_faces():
    """Catches a mesh that shrinks, or faces with two corners in one place."""
    rng = np.random.default_rng(0)
    vertices = rng.uniform(0, 0.1, (3000, 3))
    faces = np.arange(3000).reshape(-1, 3)
    means, coarse = cluster_vertices(vertices, faces, 0.02)
    assert len(means) <= 125 and len(coarse) < len(faces)
    assert (np.sort(coarse, axis=1)[:, :-1] < np.sort(coarse, axis=1)[:, 1:]).all()
    assert np.abs(means.min(0) - 0.01).max() < 0.005


@pytest.mark.parametrize('text, complaint', [
    ('put the {object} down\n', 'line 1'), ('# only this\n', 'no template')])
def test_templates_without_their_blanks_are_refused(tmp_path, text, complaint):
    path = tmp_path / 'templates.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_templates(path)


def test_held_out_phrasings_are_held_out():
    """Catches a sentence that is both trained on and called unseen."""
    from trimodal_ros.paths import share_dir
    folder = share_dir() / 'config' / 'instructions'
    train, heldout = (set(read_templates(folder / f'{name}.txt')) for name in (
        'train', 'heldout'))
    assert not train & heldout and len(train) > 100 and len(heldout) >= 20


# -- collecting: one episode is there already, so that nothing has to be recorded


@pytest.fixture
def collection(tmp_path) -> Collection:
    out = tmp_path / 'out'
    EpisodeWriter(out / 'seed_000001').close(EpisodeInfo('', '', 'demonstration', 'success'))
    for name in ('seed_000001.partial', 'seed_000077.partial', 'of_a_recorder.partial'):
        (out / name).mkdir()
    config = Path(shutil.copytree(shipped().scene.parents[1], tmp_path / 'config'))
    made = Collection(out, config / 'scenes' / shipped().scene.name,
                      config / 'instructions' / 'train.txt')
    (out / SETTINGS_FILE).write_text(json.dumps(made.settings()))
    return made


def test_only_what_the_same_episodes_left_is_put_away(collection):
    """Catches a run that takes what another is just writing beside it, or deletes anything."""
    assert collect(collection, range(1, 2), workers=1) == 1.0
    assert {path.name for path in collection.out.iterdir()} == {
        'seed_000001', 'seed_000077.partial', 'of_a_recorder.partial', '.trash', SETTINGS_FILE}
    assert (collection.out / '.trash' / 'seed_000001.partial').is_dir()


def test_two_runs_do_not_collect_into_one_folder(collection):
    """Catches two runs with the same seeds that take each other's episodes apart."""
    descriptor = os.open(collection.out, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(EpisodeError, match='another run is writing there'):
        collect(collection, range(1, 2), workers=1)
    os.close(descriptor)
    assert (collection.out / 'seed_000001.partial').exists()
    assert collect(collection, range(1, 2), workers=1) == 1.0


def test_episodes_of_other_settings_are_not_taken_for_ones_own(collection):
    """Catches episodes kept by their seed alone, though another scene or policy made them."""
    with pytest.raises(EpisodeError, match='with another noise; name another folder'):
        collect(replace(collection, noise=False), range(1, 2), workers=1)
    for file, named in ((collection.scene, 'scene'),
                        (collection.scene.parents[1] / 'robots' / 'so101.yaml', 'robot')):
        before = file.read_text()
        file.write_text(before.replace('fovy_deg: 36', 'fovy_deg: 37').replace(
            'rate_hz: 10', 'rate_hz: 5'))
        with pytest.raises(EpisodeError, match=f'with another {named}; '):
            collect(collection, range(1, 2), workers=1)
        file.write_text(before)
    (collection.out / SETTINGS_FILE).unlink()
    with pytest.raises(EpisodeError, match='nothing says what'):
        collect(collection, range(1, 2), workers=1)


# -- the window


def test_stale_display_is_no_window(simulated, monkeypatch):
    """Catches a viewer that ends the process where DISPLAY names a display that has gone."""
    monkeypatch.setenv('DISPLAY', ':77')
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    said = []
    viewer = open_viewer(simulated.world, say=said.append)
    assert isinstance(viewer, NoViewer) and len(said) == 1 and ':77' in said[0]


@pytest.fixture
def display():
    """The name of an X server, started for this."""
    xvfb = shutil.which('Xvfb') or pytest.skip('no Xvfb')
    read, write = os.pipe()
    server = subprocess.Popen([xvfb, '-displayfd', str(write), '-screen', '0', '640x480x24'],
                              pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as ready:
        yield f':{ready.readline().strip()}'
    server.terminate()
    server.wait()


def test_display_gets_a_window(display):
    """Catches a check so careful that no window opens, and a close that crashes the process."""
    code = ('from trimodal_ros.sim.viewer import NoViewer, open_viewer; '
            'from trimodal_ros.sim.scene_file import shipped_scene; '
            'from trimodal_ros.sim.world import World; '
            'world = World(shipped_scene()); viewer = open_viewer(world); '
            'assert not isinstance(viewer, NoViewer); '
            'viewer.sync(); world.render("front"); viewer.close(); world.close()')
    ended = subprocess.run([sys.executable, '-c', code], env={**os.environ, 'DISPLAY': display},
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
