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
Hears topics as they are: raw, with the type and QoS that their publishers have at the time.

The executor of rclpy spends more on a message than everything else here does, and wakes up for it
even where only events of its subscription are awaited. So a thread fetches what has come every
PAUSE_S; the middleware notes when it came, and its number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import threading

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from .message_types import definition_of, has_header, import_message
from .ros import log_traceback, now_ns
from ..record.episode import EpisodeError
from ..record.gate import Seen
from ..record.qos import offered_qos
from ..record.receipts import Numbers, Receipts
from ..record.recording import Kind
from ..record.sample import COMPRESSED_IMAGE, content_digest, HASHED_TYPES, header_stamp_ns, Sample
from ..record.selection import expand, Wanted
from ..record.session import Session

PAUSE_S = 0.01
DEPTH, IMAGE_DEPTH = 1000, 60   # messages that wait, should this process be held up


NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)   # each message wakes theirs


class FetchedGroup(CallbackGroup):
    """Keeps subscriptions from the executor: a thread fetches what they have."""

    def can_execute(self, entity) -> bool:
        return False

    def beginning_execution(self, entity) -> bool:
        return False

    def ending_execution(self, entity) -> None:
        pass


@dataclass
class Heard:
    """A topic that is listened to, or would be."""

    seen: Seen
    resolved: str
    subscription: Subscription | None = None
    offered: tuple[bool, bool] = (True, False)   # reliable, latched
    has_header: bool = False
    is_image: bool = False
    numbers: Numbers = field(default_factory=Numbers)


class Listener:
    """
    Subscribes to what is wanted as publishers come and go, and gives a session its samples.

    ``look`` is for the executor's thread.
    """

    def __init__(self, node: Node, wanted: tuple[Wanted, ...]):
        self.node, self.session = node, None
        self._wanted, self._heard = wanted, {}
        self._kinds: dict[str, Kind] = {}
        self._group, self._fetched = FetchedGroup(), []
        self._simulated = node.get_parameter('use_sim_time').value
        self._receipts = Receipts(lambda: now_ns(node), self._simulated)
        self._fetching, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name='listener', daemon=True)

    def start(self, session: Session) -> None:
        """Listen from now on."""
        self.session = session
        self.look()
        self._thread.start()

    @property
    def topics(self) -> list[Seen]:
        """Return what is known of every topic."""
        return [heard.seen for heard in list(self._heard.values())]

    def kind_of(self, topic: str) -> Kind:
        """Return what a bag has to know of a topic that a sample came from."""
        return self._kinds[topic]

    # -- the graph

    def look(self) -> None:
        """Follow the graph: topics that match, their types, their publishers' QoS."""
        names = [name for name, _ in self.node.get_topic_names_and_types()]
        namespace = self.node.get_namespace().rstrip('/') + '/'
        relative = [name.removeprefix(namespace) for name in names if name.startswith(namespace)]
        for wanted in expand(self._wanted, names + relative):
            if wanted.name not in self._heard:
                resolved = self.node.resolve_topic_name(wanted.name)
                self._heard[wanted.name] = Heard(Seen(wanted), resolved)
            self._look_at(self._heard[wanted.name])

    def _look_at(self, heard: Heard) -> None:
        seen = heard.seen
        infos = self.node.get_publishers_info_by_topic(heard.resolved)
        seen.publishers = [info.node_name for info in infos]
        lost = heard.numbers.lost([info.endpoint_gid for info in infos])
        if lost:
            self.session.lose(seen.wanted.name, lost)
        if not infos:
            seen.complaint = ''   # of those that have gone
            return
        complaint = self._complaint(seen, infos)
        if complaint and complaint != seen.complaint:
            self.node.get_logger().error(f'{seen.wanted.name}: {complaint}')
            if self.session.recording is not None:
                self.session.health.find(f'{seen.wanted.name}: {complaint}')
        seen.complaint = complaint
        if not complaint:
            self._try_to_subscribe(heard, infos)

    def _try_to_subscribe(self, heard: Heard, infos: list[TopicEndpointInfo]) -> None:
        try:
            self._subscribe(heard, infos)
        except Exception as error:  # noqa: B902 - whatever the middleware has against it
            heard.seen.complaint = f"can't be subscribed to: {error!r}"
            log_traceback(self.node, f'{heard.seen.wanted.name}: not subscribed to')

    def _complaint(self, seen: Seen, infos: list[TopicEndpointInfo]) -> str:
        """Say what is wrong with the types of a topic, '' where nothing is."""
        by_type = {info.topic_type: info.node_name for info in infos}
        if len(by_type) > 1:
            types = ' and '.join(f'{name} of {node}' for name, node in sorted(by_type.items()))
            return f'has two types at once, {types}; end one of them'
        type_name, expected = infos[0].topic_type, seen.wanted.type_name
        if expected and type_name != expected:
            return f'has type {type_name}, expected {expected}'
        if seen.type_name not in ('', type_name) and self.session.recording is not None:
            return (f'changed its type from {seen.type_name} to {type_name}, and an episode has '
                    'one: the rest of it is left out')
        try:
            import_message(type_name)
            definition_of(type_name)
        except EpisodeError as error:
            return str(error)
        return ''

    def _subscribe(self, heard: Heard, infos: list[TopicEndpointInfo]) -> None:
        """Subscribe with what all publishers offer, anew where that has changed."""
        reliable = all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
                       for info in infos)
        latched = reliable and all(
            info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for info in infos)
        seen, offered, type_name = heard.seen, (reliable, latched), infos[0].topic_type
        self._describe(seen.wanted, infos)
        if heard.subscription is not None and (heard.offered, seen.type_name) == (
                offered, type_name):
            return
        self._unsubscribe(heard)
        if seen.type_name not in ('', type_name):
            self.session.forget(seen.wanted.name)
        message_class = import_message(type_name)
        heard.offered, heard.has_header = offered, has_header(message_class)
        heard.is_image = type_name in HASHED_TYPES
        seen.type_name, seen.latched = type_name, latched
        self.session.expect(seen.wanted)
        heard.subscription = self.node.create_subscription(
            message_class, heard.resolved, lambda *_: None, self._profile(heard), raw=True,
            callback_group=self._group, event_callbacks=NO_EVENTS)

    def _profile(self, heard: Heard) -> QoSProfile:
        reliable, latched = heard.offered
        return QoSProfile(
            depth=IMAGE_DEPTH if heard.is_image else DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=(DurabilityPolicy.TRANSIENT_LOCAL if latched
                        else DurabilityPolicy.VOLATILE))

    def _describe(self, wanted: Wanted, infos: list[TopicEndpointInfo]) -> None:
        profiles = [offered_qos(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
                                info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
                                max(1, info.qos_profile.depth)) for info in infos]
        type_name = infos[0].topic_type
        if wanted.jpeg:
            kind = Kind(COMPRESSED_IMAGE, profiles)
        else:
            kind = Kind(type_name, profiles, definition_of(type_name),
                        str(infos[0].topic_type_hash))
        self._kinds[wanted.recorded_as] = kind

    def _unsubscribe(self, heard: Heard) -> None:
        if heard.subscription is not None:
            with self._fetching:
                self.node.destroy_subscription(heard.subscription)
                heard.subscription, heard.numbers = None, Numbers()

    # -- samples

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            self.fetch()

    def fetch(self) -> None:
        """Give the session all that has come until now, in the order of receipt."""
        with self._fetching:
            self._receipts.look()
            for heard in list(self._heard.values()):
                if heard.subscription is not None:
                    self._fetch(heard, self._fetched)
            if self._receipts.set_back_ns:
                self._fetched.clear()   # they came by the clock before
                self.session.set_back(self._receipts.set_back_ns)
            self._fetched.sort(key=lambda pair: pair[0].received_ns)
            ready = [pair for pair in self._fetched if self._receipts.is_due(pair[0].received_ns)]
            del self._fetched[:len(ready)]
            for sample, heard in ready:
                self._give(sample, heard)

    def _give(self, sample: Sample, heard: Heard) -> None:
        heard.seen.newest_ns = sample.received_ns
        try:
            self.session.take(sample, heard.seen.latched)
        except Exception:  # noqa: B902 - whatever a topic brings, the others go on
            log_traceback(self.node, f'{sample.topic}: not taken')

    def _fetch(self, heard: Heard, fetched: list) -> None:
        subscription = heard.subscription
        try:
            with subscription.handle:
                while (taken := subscription.handle.take_message(
                        subscription.msg_type, True)) is not None:
                    fetched.append((self._sample(heard, *taken), heard))
        except InvalidHandle:   # destroyed meanwhile, with the node
            heard.subscription = None

    def _sample(self, heard: Heard, data: bytes, info: dict) -> Sample:
        heard.numbers.follow(info['publication_sequence_number'])
        received_ns = self._receipts.of(info['received_timestamp'])
        sent_ns = None if self._simulated else info['source_timestamp'] or None
        return Sample(heard.seen.wanted.name, received_ns, data, sent_ns,
                      header_stamp_ns(data) if heard.has_header else None,
                      content_digest(data) if heard.is_image else None)

    def close(self) -> None:
        """Give the session all that has come, and listen no more."""
        self._stop.set()
        self._thread.join()
        self.fetch()
