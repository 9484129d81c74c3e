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

"""A result as JUnit XML, which CI systems show: a test for each threshold and recording."""

from __future__ import annotations

from xml.etree.ElementTree import Element, indent, SubElement, tostring

from .result import Passed, Result


def junit_xml(result: Result) -> str:
    """
    Return two suites: thresholds, which fail, and recordings, which are errors where bad.

    After the schema of Apache Ant's JUnit task (https://github.com/windyroad/JUnit-Schema).
    """
    root = Element('testsuites', name='replay')
    _thresholds(root, result)
    _recordings(root, result)
    indent(root, ' ')
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, 'unicode') + '\n'


def _thresholds(root: Element, result: Result) -> None:
    suite = SubElement(root, 'testsuite', name='thresholds', tests=str(len(result.thresholds)),
                       failures=str(len(result.failures)), errors='0', skipped='0', time='0')
    for passed in result.thresholds:
        case = SubElement(suite, 'testcase', classname=f'replay.{result.checkpoint}', time='0',
                          name=f'{passed.measure} {passed.bound}'
                          + (f' {passed.threshold:g}' if passed.bound != 'not_worse' else ''))
        if not passed.ok:
            SubElement(case, 'failure', message=told(passed), type='threshold')


def _recordings(root: Element, result: Result) -> None:
    suite = SubElement(root, 'testsuite', name='recordings', tests=str(len(result.episodes)),
                       failures='0', errors=str(len(result.faults)), skipped='0', time='0')
    for episode in result.episodes:
        case = SubElement(suite, 'testcase', classname='replay.recordings', time='0',
                          name=_readable(episode.path))
        if episode.fault:
            SubElement(case, 'error', message=_readable(episode.fault), type='recording')


def told(passed: Passed) -> str:
    """
    Say what was expected and what was measured.

    >>> told(Passed('action_error', 'max', 0.05, 0.071, False))
    'action_error is 0.071 rad, expected at most 0.05 rad'
    >>> told(Passed('jerk', 'margin', 2.0, 2.5, False))
    'jerk may be worse than the baseline by 2.5 rad/s^3, expected at most 2 rad/s^3'
    """
    value = f'{passed.value:.4g} {passed.unit}' if passed.value is not None else 'not measured'
    expected = f'{passed.allows} {passed.threshold:g} {passed.unit}'
    if passed.bound in ('min', 'max'):
        return f'{passed.measure} is {value}, expected {expected}'
    if passed.value is None:
        return f'{passed.measure} could not be compared with the baseline'
    if passed.bound == 'not_worse':
        return f'{passed.measure} is worse than the baseline by at least {value}'
    return f'{passed.measure} may be worse than the baseline by {value}, expected {expected}'


def _readable(text: str) -> str:
    """Return a text without what XML can't hold."""
    return ''.join(each if each.isprintable() else '?' for each in text)
