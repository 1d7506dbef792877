"""Members as their controller sees them: each answers GET /report with rounds that nobody made.

`python -m benchmarks.report_servers SERVICES TARGETS FAILED_SHARE PORT…`, a port a member. Rounds
come every second, each target's at a moment of its own, and are told by the code of a member.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from failover.answer import Answer
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.wire import decision_of_text, report_out

INTERVAL_S: Final = 1.0
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
        self._version = 0, 0
        self.told = 0  # rounds

    def report(self, query: dict[str, list[str]]) -> bytes:
        """Return what was seen since."""
        self._go_on()
        after, boot = int(query.get("after", ["0"])[0]), query.get("boot", [""])[0]
        report = self._journal.report(after, boot)
        self.told += len(report.rounds)
        body = report_out(report)
        return HEAD % (b"Amaro-Decision: %d,%d\r\n" % self._version, len(body)) + body

    def take(self, body: bytes) -> bytes:
        """Act on a decision."""
        self._version = decision_of_text(body)[0].version
        return said(b'{"version":[%d,%d]}' % self._version)

    def _go_on(self) -> None:
        passed = (time.monotonic() - self._began_mono) / INTERVAL_S
        rounds = []
        for index, phase in enumerate(self._phases):
            while self._numbers[index] < int(passed - phase):
                self._numbers[index] += 1
                is_bad = self._draw.random() < self._failed_share
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
        self._journal.add(rounds)


class _Listener(asyncio.Protocol):
    def __init__(self, member: Simulated) -> None:
        self._member = member
        self._received = b""

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
            answer = said(b"%d" % self._member.told)
        elif method == "PUT":
            answer = self._member.take(body[:length])
        else:
            answer = self._member.report(parse_qs(urlsplit(target).query))
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
