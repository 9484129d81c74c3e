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

"""The policy in a process of its own, ended in mid-motion."""

from contextlib import contextmanager
import os
import signal

from conftest import so101_yaml
from driver import Driver
from graph import spinning, wait_for
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from policy_graph import (
    assert_safe,
    end_of,
    hold_after,
    is_commanded,
    MORE_ROUNDS,
    SENTENCE,
    wait_for_diagnosis,
    wait_for_rounds,
)
import pytest

from trimodal_ros.nodes.private_graph import NodeProcesses

pytestmark = pytest.mark.usefixtures('ros')


def change_state(driver, name, transition, goal):
    """
    Ask for a transition and for the state, again and again until it is there.

    The answer to a client the service hasn't met yet is lost; and on a busy machine an input may
    be stale at that moment, which refuses activation.
    """
    change = driver.create_client(ChangeState, f'{name}/change_state')
    state = driver.create_client(GetState, f'{name}/get_state')
    wait_for(lambda: change.service_is_ready() and state.service_is_ready(), name)
    since, asked = driver.rounds, []

    def is_there():
        if driver.rounds - since >= len(asked) * MORE_ROUNDS:
            change.call_async(ChangeState.Request(transition=Transition(id=transition)))
            asked.append(state.call_async(GetState.Request()))
        return any(future.done() and future.result().current_state.id == goal
                   for future in asked)
    wait_for(is_there, f'{name} to change its state')


@contextmanager
def commanding_process(checkpoint, robot, tmp_path, name: str):
    """
    Start a policy's process that commands a driver's arm; yield the driver and the process's id.

    A name of its own: services of the lifecycle nodes that earlier tests destroyed here are
    offered until they are garbage collected, and would take the request for themselves.
    """
    driver = Driver(robot)
    with spinning(driver), NodeProcesses(tmp_path) as processes:
        processes.start('policy', {
            'checkpoint': checkpoint, 'robot': so101_yaml(), 'replan_period_s': 0.1,
            'dry_run': False, 'ramp_s': 0.2}, node=name)
        change_state(driver, name, Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE)
        wait_for_diagnosis(driver, 'all alive', 'inputs')
        change_state(driver, name, Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
        driver.say(SENTENCE)
        wait_for(lambda: is_moving(driver), 'motion')
        yield driver, processes.pid(name)


def is_moving(driver) -> bool:
    return is_commanded(driver) and abs(driver.trajectories[-1].points[0].velocities[0]) > 0.05


def test_process_that_is_killed_leaves_a_robot_that_comes_to_rest(
        moving_checkpoint, so101, tmp_path):
    """Catches a last trajectory that ends in motion, or outside the limits: nobody follows it."""
    with commanding_process(moving_checkpoint, so101, tmp_path, 'policy_killed') as (
            driver, process):
        os.kill(process, signal.SIGKILL)
        wait_for(lambda: driver.time_ns() > end_of(driver.trajectories[-1]), 'the end')
        last = driver.trajectories[-1]
        assert is_commanded(driver) and not any(last.points[-1].velocities)
        np.testing.assert_allclose(driver.position_J, last.points[-1].positions, atol=1e-6)
        wait_for_rounds(driver)
        assert driver.trajectories[-1] is last
        assert_safe(driver)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_process_told_to_end_holds_the_robot_and_only_then(
        moving_checkpoint, so101, tmp_path, number):
    """
    Catches an active policy that a superfluous request takes away from its robot.

    And one that ends in mid-motion without a word.
    """
    name = f'policy_active_{number.name}'
    with commanding_process(moving_checkpoint, so101, tmp_path, name) as (driver, pid):
        client = driver.create_client(ChangeState, f'{name}/change_state')
        wait_for(client.service_is_ready, 'the service')
        client.call_async(ChangeState.Request(
            transition=Transition(id=Transition.TRANSITION_ACTIVATE)))
        wait_for(lambda: any('transition refused' in line for line in driver.logged), 'an error')
        count = len(driver.trajectories)
        wait_for(lambda: len(driver.trajectories) > count + 1, 'the policy to go on')
        hold = hold_after(driver, lambda: os.kill(pid, number), 'holding: shut down')
        wait_for(lambda: np.allclose(driver.position_J, hold.points[-1].positions), 'rest')
