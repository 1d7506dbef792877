"""What a region's origin says in a real Valkey is carried out at once, and acknowledged there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import pytest

from edge.publishing import Publishing
from edge.purge_carrier import CHANNEL
from edge.purges import PurgePage
from edge.region import Region
from edge.settings import Limits
from tests.support.edge_node import settings_for
from tests.support.edges import until
from tests.support.purge_log import LOG, ServedLog, served_log
from tests.support.valkeys import LIMITS, RunningValkey, valkey

ACK = "amaro:1:{b07}:acks:0123abcd"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningValkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def server(running: RunningValkey) -> RunningValkey:
    running.ask("FLUSHALL")
    return running


@dataclass
class Listening:
    """A supervisor's part in its region; it has no workers."""

    region: Region
    page: PurgePage

    @property
    def number(self) -> int:
        told = self.region.status()
        assert told is not None
        return int(told["number"])

    async def listens(self, log: ServedLog, readings: int) -> None:
        """Wait until it hears, and has read the log since it does."""
        await until(lambda: (self.region.status() or {})["carrier"] and log.asked >= readings)

    def values(self) -> list[bytes]:
        return [purge.value for purge in self.page.history() if purge.value]


async def at_once(_behind: object) -> None:
    """There are no workers."""


@asynccontextmanager
async def listening(log: ServedLog, server: RunningValkey) -> AsyncIterator[Listening]:
    page = PurgePage.create(workers=1)
    settings = settings_for(
        purge_log=log.url,
        redis=server.url,
        region="north",
        limits=Limits(**LIMITS, purge_log_every_s=3_600.0),
    )
    publishing = Publishing(page=page, disk=None, reached=lambda order: order, followed=at_once)
    region = Region(settings, publishing)
    await region.begin()
    running = asyncio.create_task(region.run())
    try:
        node = Listening(region, page)
        await node.listens(log, 2)  # once before it serves, and once it listens
        yield node
    finally:
        running.cancel()
        await asyncio.wait([running])
        await region.close()
        page.close()


def say(server: RunningValkey, message: Any) -> None:
    server.ask("PUBLISH", CHANNEL, message if isinstance(message, str) else json.dumps(message))


def acks(server: RunningValkey) -> list[dict[str, Any]]:
    return [json.loads(each) for each in server.ask("LRANGE", ACK, 0, -1)]


async def test_what_is_said_is_carried_out_and_acknowledged(server: RunningValkey) -> None:
    with served_log() as log:
        async with listening(log, server) as node:
            asked = log.asked
            log.tag("a", "b")
            say(server, log.message(0, ack=ACK))
            await until(lambda: bool(acks(server)))
            assert (node.number, node.values(), log.asked) == (2, [b"a", b"b"], asked)
            (ack,) = acks(server)
            assert ack.pop("ms") >= 0
            assert ack == {
                "edge": "north",
                "region": "north",
                "admin": ANY,
                "log": LOG,
                "number": 2,
            }
            assert 0 < server.ask("TTL", ACK) <= 60
            say(server, log.message(0, ack=ACK))  # it may come twice
            await until(lambda: len(acks(server)) == 2)
            assert node.values() == [b"a", b"b"]


async def test_a_gap_is_read_in_the_log(server: RunningValkey) -> None:
    with served_log() as log:
        async with listening(log, server) as node:
            log.tag("a", "b", "c")
            say(server, log.message(2))
            await until(lambda: node.number == 3)
            log.tag("d")
            say(server, {"log": LOG, "after": 3, "number": 4, "ack": ACK})
            await until(lambda: bool(acks(server)))
            assert node.values() == [b"a", b"b", b"c", b"d"]


async def test_what_cannot_be_carried_out_is_not_acknowledged_as_done(
    server: RunningValkey,
) -> None:
    with served_log() as log:
        async with listening(log, server) as node:
            log.status = 503
            log.tag("a", "b")
            say(server, log.message(1, ack=ACK))
            await until(lambda: bool(acks(server)))
            (ack,) = acks(server)
            assert "503" in ack["error"]
            assert ack["number"] == 0
            assert node.values() == []


@pytest.mark.parametrize("message", ["", "{", "[]", '{"log": 7}', '{"log": "x", "purges": []}'])
async def test_nonsense_changes_nothing(server: RunningValkey, message: str) -> None:
    with served_log() as log:
        async with listening(log, server) as node:
            say(server, message)
            log.tag("a")
            say(server, log.message(0, ack="amaro:1:{b99}:acks:x"))
            say(server, log.message(0, ack="another key"))
            await until(lambda: node.number == 1)
            assert node.values() == [b"a"]


async def test_what_is_said_while_nobody_listens_is_read_later() -> None:
    with served_log() as log, valkey() as server:
        async with listening(log, server) as node:
            server.kill()
            await until(lambda: not (node.region.status() or {})["carrier"])
            log.tag("a")
            asked = log.asked
            server.start_again()
            await node.listens(log, asked + 1)
            await until(lambda: node.number == 1)
            log.tag("b")
            say(server, log.message(1))
            await until(lambda: node.number == 2)
            assert node.values() == [b"a", b"b"]
