"""The hub: who is in which topic, who hears what, and what is kept for those who come back.

It does no I/O. Time comes with each call; what is to be sent goes to the clients' lines, what other
edges should know is in `outward` until somebody takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final, TypeAlias

from cache_policies.access import Denial
from cache_policies.signal_access import Claims
from edge.realtime import messages
from edge.realtime.abroad import Here, Said
from edge.realtime.allowance import Allowance
from edge.realtime.client import Client, Line
from edge.realtime.expiries import Expiries
from edge.realtime.fanouts import Fanouts
from edge.realtime.heartbeats import Heartbeats
from edge.realtime.history import History, Kept
from edge.realtime.limits import HubLimits
from edge.realtime.marks import ZERO, Mark
from edge.realtime.messages import Close, Hello, Join, Lasting, Leave, Message, Refusal, Say
from edge.realtime.presence import Presence

BEAT_S: Final = 1.0  # between two calls of `beat`
ANNOUNCE_BEATS: Final = 15  # within which each count is announced to other edges
COUNTS_MAX: Final = 1_000  # in one announcement: who hears it does nothing else meanwhile
OUTWARD_MAX: Final = 4_096

Verify: TypeAlias = Callable[[str, float, bytes], Claims | Denial]
"""Reads a token, at a wall time, of a client's address."""


class Hub:
    """All clients of one edge. `counted` has what became of messages and signals, by name."""

    def __init__(self, limits: HubLimits, verify: Verify, floor: Mark = ZERO) -> None:
        self.limits = limits
        self._verify = verify
        self.counted: Counter[str] = Counter()
        self.outward: list[Said | Here] = []
        self.history = History(
            topic_max=limits.history_topic_max, topics_max=limits.history_topics_max, floor=floor
        )
        self.presence = Presence(grace_s=limits.presence_grace_s, heard_s=limits.presence_heard_s)
        self.fanouts = Fanouts(fleeting_max=limits.fanouts_fleeting_max)
        self.clients = Heartbeats(max(1, round(limits.ping_s / BEAT_S)))
        self._strangers: dict[Client, None] = {}  # who have not said hello, oldest first
        self._expiries = Expiries()
        self._members: dict[str, dict[Client, None]] = {}
        self._rolls: dict[str, list[Client]] = {}  # the same, as fan-outs hold it; none is changed
        self._crowds: dict[str, Allowance] = {}  # what may be said in a topic
        self._uncounted: set[str] = set()  # topics whose count has changed since it was told
        self._counts_due: dict[str, float] = {}  # when it may be told again, where that is not now
        self._beats = 0

    # clients

    def enter(self, line: Line, now_mono: float) -> Client:
        """A connection begins."""
        client = Client(line, burst=self.limits.says_burst, now_mono=now_mono)
        self.clients.add(client)
        self._strangers[client] = None
        return client

    def gone(self, client: Client, now_mono: float) -> None:
        """A connection has ended."""
        self.clients.remove(client)
        self._strangers.pop(client, None)
        self._expiries.remove(client)
        for topic in list(client.topics):
            self._leave(client, topic, now_mono)

    def hear(self, client: Client, text: bytes, *, now_mono: float, now_wall: float) -> None:
        """A page says something."""
        client.unanswered = 0
        said = messages.parse(text) if self._may_say(client, now_mono) else Refusal.RATE
        if isinstance(said, Refusal):
            why: Refusal | None = said
        else:
            why = self._heed(client, said, now_mono, now_wall)
        if why is None:
            self.counted["heard"] += 1
            return
        if self._refuses(client, why):
            client.line.send(messages.refused(why), lasting=False)

    def hear_ping(self, client: Client, now_mono: float) -> None:
        """A page asks whether we are there, or answers: that takes as long as what it says."""
        if not self._may_say(client, now_mono):
            self._refuses(client, Refusal.RATE)

    def _may_say(self, client: Client, now_mono: float) -> bool:
        limits = self.limits
        return client.allowance.take(
            per_s=limits.says_per_s, burst=limits.says_burst, now_mono=now_mono
        )

    def _may_say_a_line(self, client: Client, now_mono: float) -> bool:
        per_s, burst = self.limits.lines_per_s, self.limits.lines_burst
        if client.lines is None:
            client.lines = Allowance(burst, now_mono)
        return client.lines.take(per_s=per_s, burst=burst, now_mono=now_mono)

    def _refuses(self, client: Client, why: Refusal) -> bool:
        """Count what comes to nothing; False where it was one too many, and the page has to go."""
        self.counted[f"refused {why}"] += 1
        client.refusals += 1
        if client.refusals <= self.limits.refusals_max:
            return True
        self._end(client, Close.TOO_MANY)
        return False

    def _heed(
        self, client: Client, said: Message, now_mono: float, now_wall: float
    ) -> Refusal | None:
        """Do what a message says; why not, if not."""
        match said:
            case Hello(token):
                return self._greet(client, token, now_mono, now_wall)
            case _ if client.claims is None:
                return Refusal.TOKEN
            case Join():
                return self._join(client, said)
            case Leave(topic):
                self._leave(client, topic, now_mono)
                return None
            case Say():
                return self._say(client, said, now_mono)

    def _greet(
        self, client: Client, token: str, now_mono: float, now_wall: float
    ) -> Refusal | None:
        claims = self._verified(client, token, now_wall)
        if claims is None:
            return None
        if client.claims is not None and client.claims.subject != claims.subject:
            return Refusal.TOKEN
        self._expiries.remove(client)
        client.claims, client.token = claims, token
        self._expiries.add(client)
        self._strangers.pop(client, None)
        for topic in [each for each in client.topics if not claims.allows(each)]:
            self._leave(client, topic, now_mono)
        client.line.send(messages.welcome(claims.subject), lasting=True)
        return None

    def _verified(self, client: Client, token: str, now_wall: float) -> Claims | None:
        """What a token opens; a page whose token opens nothing has to go."""
        claims = self._verify(token, now_wall, client.address)
        if isinstance(claims, Claims):
            return claims
        self.counted[f"refused {claims.value}"] += 1
        self._end(client, Close.TOKEN)
        return None

    def verify_again(self, client: Client, now_wall: float) -> None:
        """Let a page go whose token has been revoked, or whose key is gone."""
        if client.claims is not None:
            self._verified(client, client.token, now_wall)

    def _join(self, client: Client, said: Join) -> Refusal | None:
        assert client.claims is not None
        topic, after = said.topic, said.after
        if not client.claims.allows(topic):
            return Refusal.TOPIC
        if topic in client.topics:
            after = client.topics[topic]  # what it has been given, whatever it says
        elif len(client.topics) >= self.limits.topics_max or self._is_one_too_many(topic):
            return Refusal.TOPICS_MAX
        else:
            self._members.setdefault(topic, {})[client] = None
            self._rolls.pop(topic, None)
            self.presence.enter(topic, client.claims.subject)
        found = self.history.missed(topic, after or self.history.last(topic))
        client.topics[topic] = found.signals[-1].mark if found.signals else found.since
        answer = messages.joined(
            topic, here=self.presence.count(topic), since=found.since, gap=found.gap
        )
        client.line.send(answer, lasting=True)
        for signal in found.signals:
            client.line.send(signal.frame, lasting=True)
        self.counted["caught-up"] += len(found.signals)
        return None

    def _is_one_too_many(self, topic: str) -> bool:
        return topic not in self._members and len(self._members) >= self.limits.topics_all_max

    def _leave(self, client: Client, topic: str, now_mono: float) -> None:
        if client.topics.pop(topic, None) is None:
            return
        assert client.claims is not None
        members = self._members[topic]
        del members[client]
        self._rolls.pop(topic, None)
        if not members:
            del self._members[topic]
            self._counts_due.pop(topic, None)
            self._crowds.pop(topic, None)
        self.presence.leave(topic, client.claims.subject, now_mono)

    def _say(self, client: Client, said: Say, now_mono: float) -> Refusal | None:
        assert client.claims is not None
        if said.topic not in client.topics:
            return Refusal.NOT_JOINED
        if messages.KINDS[said.kind].is_line and not self._may_say_a_line(client, now_mono):
            return Refusal.RATE
        if self.hear_elsewhere(said, client.claims.subject, now_mono):
            self._tell_others(Said(said, client.claims.subject))
        return None  # a crowd that is too loud is not one client's fault

    def _end(self, client: Client, why: Close) -> None:
        self.counted[f"closed {why.value[1]}"] += 1
        client.line.close(why)

    # signals

    def hear_elsewhere(self, said: Say, subject: str, now_mono: float) -> bool:
        """Tell a topic's members what somebody said, here or at another edge.

        False when so much is said there that this is lost.
        """
        members = len(self._members.get(said.topic, ()))
        if members and not self._is_heard(said.topic, members, now_mono):
            self.counted["topic-lost"] += 1
            return False
        self.counted["fleeting"] += 1
        self._fan_out(said.topic, messages.fleeting(said, subject))
        return True

    def _is_heard(self, topic: str, members: int, now_mono: float) -> bool:
        per_s = self.limits.topic_says_per_s(members)
        crowd = self._crowds.get(topic)
        if crowd is None:
            crowd = self._crowds[topic] = Allowance(self.limits.says_burst, now_mono)
        return crowd.take(per_s=per_s, burst=self.limits.says_burst, now_mono=now_mono)

    def hear_abroad(self, edge: str, what: Said | Here, now_mono: float) -> None:
        """Another edge says something."""
        match what:
            case Said(message, subject):
                self.hear_elsewhere(message, subject, now_mono)
            case Here(counts):
                for topic, count in counts.items():
                    self.presence.hear(topic, edge, count, now_mono)

    def tell_at_once(self, signal: Lasting) -> None:
        """Tell a topic's members what the origin says, before it has its mark."""
        self._fan_out(signal.topic, messages.unmarked(signal))

    def publish(self, signal: Lasting, mark: Mark) -> bool:
        """Tell a topic's members what the origin says, and keep it; False when it is no news."""
        kept = Kept(mark, signal.key, messages.lasting(signal, mark))
        if not self.history.add(signal.topic, kept):
            return False
        self.counted["lasting"] += 1
        self._fan_out(signal.topic, kept.frame, mark)
        return True

    def _fan_out(self, topic: str, frame: bytes, mark: Mark | None = None) -> None:
        members = self._members.get(topic)
        if members is None:
            return
        roll = self._rolls.get(topic)
        if roll is None:  # 10 000 members take 60 us, and seldom change between two signals
            roll = self._rolls[topic] = list(members)
        self.fanouts.add(topic, frame, roll, mark)

    def _tell_others(self, what: Said | Here) -> None:
        if len(self.outward) < OUTWARD_MAX:
            self.outward.append(what)
        else:
            self.counted["outward-lost"] += 1

    # time

    def beat(self, now_mono: float, now_wall: float) -> None:
        """Do what is due; called each `BEAT_S`."""
        for client in self.clients.next():
            if client.unanswered >= self.limits.pings_unanswered_max:
                self._end(client, Close.SILENT)
            else:
                client.unanswered += 1
                client.line.ping()
        for client in self._expiries.due(now_wall):
            self._end(client, Close.TOKEN)
        for client in list(self._strangers):
            if now_mono - client.opened_mono < self.limits.hello_s:
                break
            del self._strangers[client]
            self._end(client, Close.HELLO_LATE)
        self._count_people(now_mono)

    def _count_people(self, now_mono: float) -> None:
        self.presence.pass_time(now_mono)
        self._uncounted |= self.presence.changed()
        for topic in [each for each in self._uncounted if self._count_due(each) <= now_mono]:
            self._uncounted.remove(topic)
            members = len(self._members.get(topic, ()))
            if members:
                self._counts_due[topic] = now_mono + members * self.limits.presence_member_s
                self._fan_out(topic, messages.presence(topic, self.presence.count(topic)))
        self._beats = (self._beats + 1) % ANNOUNCE_BEATS
        ours = iter(self.presence.ours(self._beats, ANNOUNCE_BEATS).items())
        while counts := dict(islice(ours, COUNTS_MAX)):
            self._tell_others(Here(counts))

    def _count_due(self, topic: str) -> float:
        return self._counts_due.get(topic, 0.0)

    def gauges(self) -> dict[str, int]:
        """How much of everything there is now."""
        return {
            "clients": len(self.clients),
            "topics": len(self._members),
            "kept": len(self.history),
        }
