"""Pages without sockets: what a hub would send them is read as a browser would."""

import json
from typing import Any

from cache_policies.access import Denial
from cache_policies.signal_access import Claims
from edge.realtime.client import Client
from edge.realtime.hub import Hub
from edge.realtime.limits import HubLimits
from edge.realtime.marks import ZERO, Mark
from edge.realtime.messages import Close
from edge.realtime.outbox import Outbox, Put


def said_in(frame: bytes) -> dict[str, Any]:
    """The message in one short frame of text."""
    assert frame[0] == 0x81
    at, length = 2, frame[1]
    if length == 126:
        at, length = 4, int.from_bytes(frame[2:4], "big")
    assert len(frame) == at + length
    return json.loads(frame[at:])


class Page:
    """One page and its connection, which takes nothing more while it is `slow`."""

    def __init__(self, hub: Hub, now_mono: float = 0.0) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: Close | None = None
        self.pings = 0
        self.slow = False
        self.lost = 0
        self.hub = hub
        limits = hub.limits
        self._outbox = Outbox(
            fleeting_max=limits.queue_fleeting_max, lasting_max=limits.queue_lasting_max
        )
        self.client: Client = hub.enter(self, now_mono)

    def send(self, frame: bytes, *, lasting: bool) -> None:
        if self.closed is not None:
            return
        if not self.slow:
            self.heard.append(said_in(frame))
            return
        put = self._outbox.put(frame, lasting=lasting)
        self.lost += put is Put.LOST_OLDER
        if put is Put.FULL:
            self.close(Close.TOO_SLOW)

    def ping(self) -> None:
        self.pings += 1

    def close(self, why: Close) -> None:
        self.closed = self.closed or why

    def read_on(self) -> None:
        """Take what waits, and be fast from now on."""
        self.slow = False
        self.heard += [said_in(frame) for frame in self._outbox.take()]

    def say(self, now: float = 0.0, **message: Any) -> None:
        """Say something to the hub."""
        text = json.dumps(message).encode()
        self.hub.hear(self.client, text, now_mono=now, now_wall=now)

    def greet(self, name: str = "ada", now: float = 0.0) -> None:
        """Say hello with a token for everything."""
        self.say(now, t="hello", v=1, token=name)

    def take(self) -> list[dict[str, Any]]:
        """What was heard since this was last asked."""
        heard, self.heard = self.heard, []
        return heard


def trusting(token: str, now_wall: float, client: bytes) -> Claims | Denial:
    """Believe that a token is its bearer's name, perhaps with an end: `ada@90`."""
    name, _, end = token.partition("@")
    expires_wall = float(end or 1e12)
    if name == "forged":
        return Denial.FORGED
    if expires_wall <= now_wall:
        return Denial.EXPIRED
    return Claims(name, ("story:*", "feed:north"), expires_wall)


def hub_of(limits: HubLimits | None = None, floor: Mark = ZERO) -> Hub:
    """A hub that trusts everybody."""
    return Hub(limits or HubLimits(), trusting, floor)


def settle(hub: Hub) -> None:
    """Have everything sent."""
    while hub.fanouts.step(hub.limits.fanout_clients):
        pass
