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
Who plays the trajectories, against what this package sends.

The parameters are those of joint_trajectory_controller (ros2_controllers, Jazzy); what each does
is told in its documentation, userdoc.rst and parameters.yaml, and in doc/explanation/safety.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from .finding import Finding
from .seen import CONTROLLER_STATE, Seen, TRAJECTORY
from ..controller import CONTROLLER_RULES, ControllerSpec
from ..robot import RobotSpec

WANTED = {  # parameter: severity of another value than CONTROLLER_RULES has, what it does
    'interpolate_from_desired_state': (
        'error', 'else each trajectory begins at the lagging arm: a step back, ten times a '
        'second'),
    'allow_nonzero_velocity_at_trajectory_end': (
        'warning', 'a trajectory of somebody else that is cut off would go on'),
    'allow_partial_joints_goal': (
        'warning', 'a trajectory that lacks a joint would be played without it'),
}
INTERFACES = {   # of which one must be there
    'command_interfaces': ('position', 'effort'),   # effort: positions are followed by its gains
    'state_interfaces': ('position',)}
CONSTRAINTS = 'constraints.'
SCALING = 'speed_scaling_interface_name'


def parameters_of(parameters: Mapping, controller: str) -> dict:
    """
    Return a controller's own of a node's parameters.

    A node that stands in for several, as the simulated robot, has them below their names.

    >>> parameters_of({'left.joints': ['a'], 'right.joints': ['b']}, 'left')
    {'joints': ['a']}
    >>> parameters_of({'joints': ['a']}, 'left')
    {'joints': ['a']}
    """
    under = f'{controller}.'
    own = {name.removeprefix(under): value for name, value in parameters.items()
           if name.startswith(under)}
    return own if 'joints' in own else dict(parameters) if 'joints' in parameters else {}


def judge_controller(robot: RobotSpec, group: ControllerSpec, seen: Seen) -> Iterator[Finding]:
    """Yield what was found of subscribers, their QoS, other publishers and parameters."""
    part = f'controller {group.name}'
    subscribers = seen.subscribers.get(group.topic, ())
    if not subscribers:
        yield _unheard(part, group, seen)
        return
    wrong = sorted({each.type for each in subscribers} - {TRAJECTORY})
    if wrong:
        yield Finding('error', part, 'type', f'{group.topic} is subscribed to as {wrong[0]}',
                      TRAJECTORY, 'nothing arrives where types differ', 'name another topic')
        return
    latched = sorted(each.node for each in subscribers if each.latched)
    if latched:
        yield Finding('error', part, 'QoS', f'{latched[0]} asks for transient local', 'volatile',
                      'a publisher of commands keeps none for later: nothing arrives',
                      f'have {latched[0]} subscribe with durability volatile')
    publishers = sorted({each.node for each in seen.publishers.get(group.topic, ())})
    if publishers:
        yield Finding('note', part, 'publishers', f'{", ".join(publishers)} command there, too',
                      '', 'whoever comes last is obeyed', '')
    yield from _parameters(part, robot, group, seen, subscribers)


def _unheard(part: str, group: ControllerSpec, seen: Seen) -> Finding:
    there = [topic for topic in seen.of_type(TRAJECTORY) if seen.subscribers.get(topic)]
    close = get_close_matches(group.topic, there, n=1, cutoff=0.3)
    change = (f'trajectories are listened to on {", ".join(there)}; name one as topic of this '
              f'controller in the YAML{f", {close[0]} say" if close else ""}, or remap' if there
              else 'spawn the joint_trajectory_controller, and activate it')
    return Finding('error', part, 'subscriber', f'nobody subscribes to {group.topic}',
                   'a joint_trajectory_controller', 'what is sent moves nothing', change)


def _parameters(part: str, robot: RobotSpec, group: ControllerSpec, seen: Seen,
                subscribers) -> Iterator[Finding]:
    nodes = sorted({each.node for each in subscribers})
    own = {node: parameters_of(seen.parameters.get(node) or {}, group.name) for node in nodes}
    controllers = [node for node, parameters in own.items() if parameters]
    if not controllers:
        yield _unplayed(part, seen, nodes)
        return
    if len(controllers) > 1:
        yield Finding('error', part, 'subscriber', f'{", ".join(controllers)} all play it', 'one',
                      'two controllers on the same commands', 'give each a topic of its own')
    for node in controllers:
        yield Finding('ok', part, 'subscriber', f'{node} on {group.topic}')
        yield from _active(part, node, seen)
        yield from _judge(part, node, robot, group, own[node])


def _unplayed(part: str, seen: Seen, nodes: list[str]) -> Finding:
    """Return what to say of subscribers that have no parameters of the controller."""
    told = [seen.parameters.get(node) for node in nodes]
    names = [name for parameters in told for name in parameters or ()]
    if None in told or any(name.endswith('.joints') for name in names):
        return Finding('warning', part, 'parameters', f'{", ".join(nodes)} has none of a '
                       'joint_trajectory_controller, or does not answer', '',
                       'how it plays trajectories can not be checked',
                       'give --timeout more, or look at its parameters yourself '
                       '(doc/explanation/safety.md)')
    return Finding('error', part, 'subscriber', f'nothing plays it: {", ".join(nodes)} has none '
                   'of the parameters of a joint_trajectory_controller',
                   'a joint_trajectory_controller',
                   'a recorder or Foxglove only listens: what is sent moves nothing',
                   'spawn the joint_trajectory_controller on this topic, and activate it; a node '
                   'of yours that plays trajectories declares its parameters')


def _active(part: str, node: str, seen: Seen) -> Iterator[Finding]:
    """Yield whether it plays what it hears; nothing of one that has no topic to tell it."""
    if seen.active.get(node):
        yield Finding('ok', part, 'active', f'{node}/{CONTROLLER_STATE} comes')
    elif node in seen.active:
        yield Finding('error', part, 'active', f'nothing came on {node}/{CONTROLLER_STATE} in '
                      f'{seen.seconds:.1f} s', 'an active controller',
                      'an inactive one hears trajectories and plays none',
                      'ros2 control switch_controllers --activate '
                      f'{node.rpartition("/")[2]}; if it is active, give --timeout more')
    elif f'{node}/{CONTROLLER_STATE}' in seen.found:
        yield Finding('note', part, 'active', 'whether it is active is not checked: '
                      f'{seen.found[f"{node}/{CONTROLLER_STATE}"]} could not be listened to', '',
                      'an inactive one hears trajectories and plays none',
                      'look at ros2 control list_controllers')


def _judge(part: str, node: str, robot: RobotSpec, group: ControllerSpec,
           parameters: Mapping) -> Iterator[Finding]:
    yield _joints(part, robot, group, parameters['joints'])
    yield from _interfaces(part, parameters)
    yield from _gains(part, node, parameters)
    for name, (severity, reason) in WANTED.items():
        got, value = parameters.get(name), CONTROLLER_RULES[name]
        if got == value:
            yield Finding('ok', part, name, str(got).lower())
        else:
            yield Finding(severity, part, name, str(got).lower(), str(value).lower(), reason,
                          f'set {name}: {str(value).lower()} in the parameters of {node} and '
                          'start it anew')
    yield from _timing(part, node, parameters)
    yield from _scaling(part, node, parameters)


def _joints(part: str, robot: RobotSpec, group: ControllerSpec, theirs) -> Finding:
    ours = robot.parts[group.topic].commanded_names
    missing = [name for name in ours if name not in theirs]
    others = [name for name in theirs if name not in ours]
    if not missing and not others:
        return Finding('ok', part, 'joints', ', '.join(theirs))
    parts = [f'it lacks {", ".join(missing)}'] * bool(missing) + [
        f'it has {", ".join(others)} besides'] * bool(others)
    return Finding('error', part, 'joints', ' and '.join(parts), ', '.join(ours),
                   'it refuses a trajectory that does not name just its joints',
                   'list its joints for this controller in the YAML, or set them in its '
                   'parameters')


def _interfaces(part: str, parameters: Mapping) -> Iterator[Finding]:
    for name, usable in INTERFACES.items():
        got = list(parameters.get(name) or [])
        if set(usable) & set(got):
            yield Finding('ok', part, name, ', '.join(got))
        else:
            yield Finding('error', part, name, ', '.join(got) or 'none', ' or '.join(usable),
                          'positions are what is planned, checked and sent',
                          f'set {name}: [position] and use hardware that has it')


def _gains(part: str, node: str, parameters: Mapping) -> Iterator[Finding]:
    """Yield whether efforts, where nothing else is commanded, follow positions."""
    interfaces = parameters.get('command_interfaces') or []
    if 'effort' not in interfaces or 'position' in interfaces:
        return
    missing = [name for name in parameters['joints']
               if not (parameters.get(f'gains.{name}.p') or 0.0) > 0]
    if missing:
        yield Finding('error', part, 'gains', f'no p for {", ".join(missing)}',
                      'gains.JOINT.p above 0 for each joint',
                      'efforts follow positions by their gains: without, the arm sags',
                      f'set {", ".join(f"gains.{name}.p" for name in missing)} in the parameters '
                      f'of {node}')
    else:
        yield Finding('ok', part, 'gains', 'p of each joint is above 0')


def _scaling(part: str, node: str, parameters: Mapping) -> Iterator[Finding]:
    if not parameters.get(SCALING):
        return
    yield Finding('warning', part, SCALING, parameters[SCALING], 'none',
                  'whenever the robot scales its speed, trajectories are played later than the '
                  'times that they are stamped with',
                  'name the plain joint_trajectory_controller and its topic in the YAML, and have '
                  'it active in place of this one: ros2 control switch_controllers --deactivate '
                  f'{node.rpartition("/")[2]} --activate joint_trajectory_controller')


def _timing(part: str, node: str, parameters: Mapping) -> Iterator[Finding]:
    timeout = parameters.get('cmd_timeout') or 0.0
    if timeout:
        yield Finding('warning', part, 'cmd_timeout', f'{timeout:g} s', '0',
                      'so long after a trajectory ended it holds the arm where it is measured: a '
                      'small step each time the policy pauses',
                      f'set cmd_timeout: 0.0 in the parameters of {node}')
    else:
        yield Finding('ok', part, 'cmd_timeout', '0')
    tight = {name: value for name, value in parameters.items() if name.startswith(CONSTRAINTS)
             and name.rpartition('.')[2] in ('trajectory', 'goal_time') and value}
    if tight:
        name, value = next(iter(tight.items()))
        yield Finding('warning', part, 'constraints', f'{name}: {value:g}'
                      + (f' and {len(tight) - 1} more' if len(tight) > 1 else ''), '0',
                      'an arm that lags by more is stopped where it is measured, unseen by the '
                      'policy until max_tracking_error_rad',
                      f'set them to 0 in the parameters of {node}, or know that they are there')
    else:
        yield Finding('ok', part, 'constraints', 'none that stops the arm')
