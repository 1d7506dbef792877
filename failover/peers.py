"""The other members, over HTTP: their reports are fetched, decisions are given to them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from failover.decision import Decision
from failover.evidence import Report, joined
from failover.model import Vantage
from failover.orders import Ordered
from failover.probe_network import trusting
from failover.wire import (
    WireError,
    decision_of_text,
    decision_to_text,
    read_object,
    report_in,
)

POLL_S: Final = 1.0  # a member answers after that, and at once when it has something urgent
HURRY_S: Final = 0.1  # between two answers to what is urgent, however much of it there is
ANSWER_S: Final = 1.0
ORDER_S: Final = 4.5  # an order is answered after the step that carries it out, and keeps it
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
PARTS_MAX: Final = 20  # of a report; what is left then is fetched the next time
CONTROLLER: Final = "Amaro-Controller"  # request field: EPOCH of who asks, if it is the controller
ABOVE: Final = "Amaro-Above"  # answer field: EPOCH,NUMBER that a decision must reach there
VERSION: Final = "Amaro-Decision"  # answer field: EPOCH,NUMBER,MARK of what the member acts on

log = logging.getLogger("failover.peers")


class PeerError(Exception):
    """Another member did not answer as it should; the message says what was met."""


@dataclass(slots=True)
class Known:
    """What is known of another member."""

    boot: str = ""
    number: int = 0
    version: tuple[int, int] = (0, 0)
    above: tuple[int, int] = (0, 0)  # what a decision must reach for it and its edge to take it
    mark: str = ""  # of what it acts on, which versions need not tell apart
    disagrees: bool = False  # it decided something else alone, and called it as we do
    why_not: str = "not asked yet"


class Peer:
    """One other member."""

    def __init__(self, vantage: Vantage, client: httpx.AsyncClient) -> None:
        """`client` has the members' token, and is shared."""
        self.vantage = vantage
        self.known = Known()
        self._client = client

    async def report(self, epoch: int, wait_s: float = 0.0) -> Report:
        """Fetch what it has seen since the last time, in parts where it is long. Raises PeerError.

        It answers after `wait_s`, and at once if something is urgent. What came before a part that
        does not come is asked for again.
        """
        parts = [await self._part(epoch, self.known.boot, self.known.number, wait_s)]
        while not parts[-1].is_last and len(parts) < PARTS_MAX:
            part = await self._part(epoch, parts[0].boot, parts[-1].number)
            if part.boot != parts[0].boot:
                raise PeerError("it began anew")
            parts.append(part)
        report = joined(parts)
        known = self.known
        known.boot, known.number, known.why_not = report.boot, report.number, ""
        return report

    async def _part(self, epoch: int, boot: str, after: int, wait_s: float = 0.0) -> Report:
        answer = await self._ask(
            "GET",
            "/report",
            params={"after": after, "boot": boot, "wait": wait_s},
            headers={CONTROLLER: str(epoch)} if epoch else {},
            within_s=wait_s + ANSWER_S,
        )
        known = self.known
        try:
            report = report_in(answer.content, self.vantage.name)
            epoch_said, number_said, known.mark = answer.headers.get(VERSION, "0,0,").split(",")
            known.version = int(epoch_said), int(number_said)
            self._note_above(answer)
        except ValueError as error:
            raise PeerError(str(error)) from None
        return report

    def _note_above(self, answer: httpx.Response) -> None:
        epoch, number = answer.headers.get(ABOVE, "0,0").split(",")
        self.known.above = int(epoch), int(number)

    async def decision(self) -> tuple[Decision, Ordered] | None:
        """Ask what it acts on, and which orders stand; None: nothing. Raises PeerError."""
        answer = await self._ask("GET", "/decision", accepted=(200, 404))
        try:
            self._note_above(answer)
            return decision_of_text(answer.content) if answer.status_code == 200 else None
        except ValueError as error:
            raise PeerError(str(error)) from None

    async def misses_store(self) -> tuple[bool, bool]:
        """Ask whether the lease's store does not answer it, and people know. Raises PeerError."""
        answer = await self._ask("GET", "/status")
        try:
            said = read_object(answer.content)["controller"]
            return bool(said["why_not"]), said.get("loss_is_told") is True
        except (WireError, KeyError, TypeError, AttributeError) as error:
            raise PeerError(str(error)) from None

    async def put(self, decision: Decision, ordered: Ordered) -> tuple[int, int]:
        """Give it a decision; return the version that it acts on now. Raises PeerError."""
        body = decision_to_text(decision, ordered)
        answer = await self._ask("PUT", "/decision", content=body, accepted=(200, 409))
        try:
            epoch, number = read_object(answer.content)["version"]
            self.known.version = int(epoch), int(number)
            is_refused = answer.status_code == 409
            self.known.disagrees = is_refused and self.known.version == decision.version
        except (WireError, KeyError, TypeError, ValueError):
            raise PeerError("no version in the answer") from None
        return self.known.version

    async def order(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pass an operator's order on; return the answer. Raises PeerError."""
        accepted = (200, 400, 409, 503)
        answer = await self._ask(
            "POST", "/orders", json=dict(order), accepted=accepted, within_s=ORDER_S
        )
        try:
            return read_object(answer.content)
        except WireError as error:
            raise PeerError(str(error)) from None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        accepted: tuple[int, ...] = (200,),
        within_s: float = ANSWER_S,
        **more: Any,
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(within_s):
                answer = await self._client.request(
                    method, self.vantage.url + path, timeout=within_s, **more
                )
        except (TimeoutError, httpx.TimeoutException):
            raise PeerError(f"no answer within {within_s:g} s") from None
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise PeerError(str(error) or type(error).__name__) from None
        if answer.status_code not in accepted or len(answer.content) > ANSWER_BYTES_MAX:
            raise PeerError(f"status {answer.status_code}")
        return answer


def client(token: str, ca_file: str = "") -> httpx.AsyncClient:
    """Return the connections of one member to all others. Raises OSError."""
    return httpx.AsyncClient(
        verify=trusting(ca_file),
        headers={"Authorization": f"Bearer {token}"},
        timeout=ANSWER_S,
        trust_env=False,
        limits=httpx.Limits(max_connections=256, max_keepalive_connections=64),
    )


async def poll(
    peer: Peer,
    epoch: Callable[[], int],
    heard: Callable[[Report], None],
    *,
    every_s: float = POLL_S,
) -> None:
    """Fetch a member's reports again and again while `epoch()`, the lease's, is not 0."""
    while epoch():
        asked_mono, pause_s = time.monotonic(), every_s
        try:
            report = await peer.report(epoch(), every_s)
            heard(report)
            pause_s = HURRY_S if report.is_urgent else every_s
        except PeerError as error:
            if not peer.known.why_not:
                log.warning("member %s: %s", peer.vantage.name, error)
            peer.known.why_not = str(error)
        await asyncio.sleep(max(0.0, asked_mono + pause_s - time.monotonic()))


async def tell_all(
    peers: Mapping[str, Peer], decision: Decision, ordered: Ordered
) -> dict[str, tuple[int, int] | str]:
    """Give everybody a decision at once: the version that each acts on now, or why not."""

    async def one(peer: Peer) -> tuple[int, int] | str:
        try:
            return await peer.put(decision, ordered)
        except PeerError as error:
            return str(error)

    told: list[Awaitable[tuple[int, int] | str]] = [one(each) for each in peers.values()]
    return dict(zip(peers, await asyncio.gather(*told), strict=True))


async def learn(peers: Mapping[str, Peer]) -> list[tuple[Decision, Ordered]]:
    """Return what those who answer act on: a store, or a disk, may have lost what they have."""
    found: list[tuple[Decision, Ordered]] = []

    async def one(peer: Peer) -> None:
        try:
            if (known := await peer.decision()) is not None:
                found.append(known)
            peer.known.version, peer.known.why_not = known[0].version if known else (0, 0), ""
        except PeerError as error:
            peer.known.why_not = str(error)

    await asyncio.gather(*map(one, peers.values()))
    return found


async def loss_is_for(name: str, peers: Mapping[str, Peer]) -> str:
    """Return who is to tell people that the lease's store is gone; empty: they know."""
    missing = {name}

    async def one(other: str, peer: Peer) -> bool:
        try:
            misses, is_told = await peer.misses_store()
        except PeerError:
            return False
        if misses:
            missing.add(other)
        return misses and is_told

    told = await asyncio.gather(*(one(*each) for each in peers.items()))
    return "" if any(told) else min(missing)
