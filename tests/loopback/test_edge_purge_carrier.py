"""What a region's origin says in a real Valkey is carried out at once, and acknowledged there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import pytest

from edge.log_page import FeedError
from edge.publishing import Publishing
from edge.purge_carrier import CHANNEL, PurgeCarrier
from edge.purges import PurgePage
from edge.receipts import Receipt
from edge.region import Region
from edge.settings import Limits
from tests.support.edge_node import settings_for
from tests.support.edges import PATIENCE_S, until
from tests.support.purge_log import LOG, ServedLog, served_log
from tests.support.valkeys import LIMITS, RunningValkey, valkey

ACK = "amaro:1:{b07}:acks:0123abcd"


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
async def listening(log: ServedLog, url: str) -> AsyncIterator[Listening]:
    page = PurgePage.create(workers=1)
    settings = settings_for(
        purge_log=log.url,
        redis=url,
        region="north",
        limits=Limits(**LIMITS, purge_log_every_s=3_600.0),
    )
    publishing = Publishing(page=page, disk=None, reached=lambda order: order, followed=at_once)
    region = Region(settings, publishing, b"\x01" * 8)
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


def say(valkey_server: RunningValkey, message: Any) -> None:
    valkey_server.ask(
        "PUBLISH", CHANNEL, message if isinstance(message, str) else json.dumps(message)
    )


def acks(valkey_server: RunningValkey) -> list[dict[str, Any]]:
    return [json.loads(each) for each in valkey_server.ask("LRANGE", ACK, 0, -1)]


async def test_what_is_said_is_carried_out_and_acknowledged(valkey_server: RunningValkey) -> None:
    with served_log() as log:
        async with listening(log, valkey_server.url) as node:
            asked = log.asked
            log.tag("a", "b")
            say(valkey_server, log.message(0, ack=ACK))
            await until(lambda: bool(acks(valkey_server)))
            assert (node.number, node.values(), log.asked) == (2, [b"a", b"b"], asked)
            (ack,) = acks(valkey_server)
            assert ack.pop("ms") >= 0
            assert ack == {
                "edge": "north",
                "id": "01" * 8,
                "region": "north",
                "admin": ANY,
                "log": LOG,
                "number": 2,
                "workers": 1,
            }
            assert 0 < valkey_server.ask("TTL", ACK) <= 60
            say(valkey_server, log.message(0, ack=ACK))  # it may come twice
            await until(lambda: len(acks(valkey_server)) == 2)
            assert node.values() == [b"a", b"b"]


async def test_a_gap_is_read_in_the_log(valkey_server: RunningValkey) -> None:
    with served_log() as log:
        async with listening(log, valkey_server.url) as node:
            log.tag("a", "b", "c")
            say(valkey_server, log.message(2))
            await until(lambda: node.number == 3)
            log.tag("d")
            say(valkey_server, {"log": LOG, "after": 3, "number": 4, "ack": ACK})
            await until(lambda: bool(acks(valkey_server)))
            assert node.values() == [b"a", b"b", b"c", b"d"]


async def test_what_cannot_be_carried_out_is_not_acknowledged_as_done(
    valkey_server: RunningValkey,
) -> None:
    with served_log() as log:
        async with listening(log, valkey_server.url) as node:
            log.status = 503
            log.tag("a", "b")
            say(valkey_server, log.message(1, ack=ACK))
            await until(lambda: bool(acks(valkey_server)))
            (ack,) = acks(valkey_server)
            assert "503" in ack["error"]
            assert ack["number"] == 0
            assert node.values() == []


@pytest.mark.parametrize("message", ["", "{", "[]", '{"log": 7}', '{"log": "x", "purges": []}'])
async def test_nonsense_changes_nothing(valkey_server: RunningValkey, message: str) -> None:
    with served_log() as log:
        async with listening(log, valkey_server.url) as node:
            say(valkey_server, message)
            log.tag("a")
            say(valkey_server, log.message(0, ack="amaro:1:{b99}:acks:x"))
            say(valkey_server, log.message(0, ack="another key"))
            await until(lambda: node.number == 1)
            assert node.values() == [b"a"]


async def test_what_is_said_while_nobody_listens_is_read_later() -> None:
    with served_log() as log, valkey() as valkey_server:
        async with listening(log, valkey_server.url) as node:
            valkey_server.kill()
            await until(lambda: not (node.region.status() or {})["carrier"])
            log.tag("a")
            asked = log.asked
            valkey_server.start_again()
            await node.listens(log, asked + 1)
            await until(lambda: node.number == 1)
            log.tag("b")
            say(valkey_server, log.message(1))
            await until(lambda: node.number == 2)
            assert node.values() == [b"a", b"b"]


async def test_a_cancel_that_somebody_swallows_ends_it(valkey_server: RunningValkey) -> None:
    began = asyncio.Event()

    async def hear(_carried: object) -> tuple[Receipt, dict[str, Any]]:
        began.set()
        with suppress(asyncio.CancelledError):  # as the library does now and then
            await asyncio.Event().wait()
        raise FeedError("not now")

    carrier = PurgeCarrier(settings_for(redis=valkey_server.url), hear=hear, name=dict)
    running = asyncio.create_task(carrier.run(lambda: None))
    await until(lambda: carrier.is_listening)
    say(valkey_server, ServedLog(purges=[("tag", "a", False)]).message(0))
    await began.wait()
    running.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([running])
    await carrier.close()
