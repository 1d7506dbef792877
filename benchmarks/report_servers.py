"""Members as their controller sees them: each answers GET /report with rounds that nobody made.

`python -m benchmarks.report_servers SERVICES TARGETS FAILED_SHARE PORT…`, a port a member. Rounds
come every second, each target's at a moment of its own, and are told by the code of a member.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Coroutine
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from failover.answer import Answer
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.wire import decision_of_text, mark_of, report_out

INTERVAL_S: Final = 1.0
LOOK_S: Final = 0.1
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"


def said(body: bytes) -> bytes:
    """Return an answer with a body."""
    return HEAD % (b"", len(body)) + body


class Simulated:
    """One member: its journal, and what it was told to act on."""

    def __init__(self, name: str, targets: list[tuple[str, str]], failed_share: float) -> None:
        self._draw = random.Random(name)
        self._targets, self._failed_share = targets, failed_share
        self._began_mono = time.monotonic()
        self._phases = [self._draw.random() * INTERVAL_S for _ in targets]
        self._numbers = [0] * len(targets)
        self._journal = Journal(name, f"boot-of-{name}")
        self._journal.controls(Answer())
        self._acts_on = b"0,0,"
        self._failing: set[int] = set()  # of whom the last round failed
        self.told = 0  # rounds

    async def report(self, query: dict[str, list[str]]) -> bytes:
        """Return what was seen since, when it is time."""
        after, boot = int(query.get("after", ["0"])[0]), query.get("boot", [""])[0]
        until_mono = time.monotonic() + float(query.get("wait", ["0"])[0])
        self._go_on()
        while not self._journal.is_urgent(after, boot) and time.monotonic() < until_mono:
            await asyncio.sleep(min(LOOK_S, until_mono - time.monotonic()))
            self._go_on()
        report = self._journal.report(after, boot)
        self.told += len(report.rounds)
        body = report_out(report)
        return HEAD % (b"Amaro-Decision: %b\r\n" % self._acts_on, len(body)) + body

    async def take(self, body: bytes) -> bytes:
        """Act on a decision."""
        decision, ordered = decision_of_text(body)
        self._acts_on = b"%d,%d," % decision.version + mark_of(decision, ordered).encode()
        return said(b'{"version":[%d,%d]}' % decision.version)

    def _go_on(self) -> None:
        passed = (time.monotonic() - self._began_mono) / INTERVAL_S
        rounds, is_urgent = [], False
        for index, phase in enumerate(self._phases):
            while self._numbers[index] < int(passed - phase):
                self._numbers[index] += 1
                is_bad = self._draw.random() < self._failed_share
                is_urgent |= is_bad and index in self._failing
                (self._failing.add if is_bad else self._failing.discard)(index)
                service, target = self._targets[index]
                rounds.append(
                    Round(
                        service=service,
                        target=target,
                        number=self._numbers[index],
                        outcome=Outcome.FAIL if is_bad else Outcome.OK,
                        why="known: status 503, not 200" if is_bad else "",
                        took_ms=12.345,
                    )
                )
        self._journal.add(rounds, is_urgent=is_urgent)


class _Listener(asyncio.Protocol):
    def __init__(self, member: Simulated) -> None:
        self._member = member
        self._received = b""
        self._answering: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        line, _, fields = head.partition(b"\r\n")
        length = 0
        for field in fields.lower().split(b"\r\n"):
            if field.startswith(b"content-length:"):
                length = int(field.partition(b":")[2])
        if len(body) < length:
            return
        self._received = body[length:]
        method, target, _ = line.decode().split(" ")
        if target == "/told":
            self._transport.write(said(b"%d" % self._member.told))
            return
        given = body[:length]
        query = parse_qs(urlsplit(target).query)
        making = self._member.take(given) if method == "PUT" else self._member.report(query)
        answering = asyncio.create_task(self._answer(making))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, making: Coroutine[Any, Any, bytes]) -> None:
        answer = await making
        if not self._transport.is_closing():
            self._transport.write(answer)


def names(services: int, targets: int) -> list[tuple[str, str]]:
    """Return every service's name with each of its targets'."""
    return [(f"s{each}", f"t{one}") for each in range(services) for one in range(targets)]


def member(number: int) -> str:
    """Return a member's name."""
    return f"v{number}"


async def _serve(services: int, targets: int, failed_share: float, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    asked = names(services, targets)
    for number, port in enumerate(ports):
        simulated = Simulated(member(number), asked, failed_share)
        await loop.create_server(
            lambda simulated=simulated: _Listener(simulated),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await asyncio.Event().wait()


if __name__ == "__main__":
    SERVICES, TARGETS, SHARE, *PORTS = sys.argv[1:]
    uvloop.run(_serve(int(SERVICES), int(TARGETS), float(SHARE), [int(each) for each in PORTS]))
