"""How signals travel between edges, whatever becomes of the Valkey between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

from cache_policies.valkey_address import parse_address
from edge.realtime.abroad import Said
from edge.realtime.carriers import READ_MAX, STREAM, Valkey
from edge.realtime.hub import Hub
from edge.realtime.marks import Mark
from edge.realtime.messages import Lasting, Say
from tests.support.pages import Page, hub_of, settle
from tests.support.valkeys import RunningValkey, valkey, valkey_with_sentinels

WAIT_S = 30.0


class Edge(NamedTuple):
    """A hub with one page in it, and how it hears of others."""

    hub: Hub
    page: Page
    carrier: Valkey
    taken: list[int]  # signals that were told before others had their turn


@asynccontextmanager
async def edge_at(url: str, name: str) -> AsyncIterator[Edge]:
    hub, taken = hub_of(), [0]

    def stir() -> None:
        taken.append(hub.counted["lasting"])
        settle(hub)

    page, carrier = Page(hub), Valkey(hub, stir, parse_address(url), name)
    page.greet(name)
    page.say(t="join", topic="story:a")
    running = asyncio.create_task(carrier.run())
    try:
        yield Edge(hub, page, carrier, taken)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0.02)


async def told(edge: Edge, key: str) -> None:
    """Have an edge tell all of something, as often as the origin would."""
    signal = Lasting("story:a", "watchable", key, {})
    async with asyncio.timeout(WAIT_S):
        while not await edge.carrier.publish(signal):  # noqa: ASYNC110 it says nothing by itself
            await asyncio.sleep(0.1)


def keys(edge: Edge) -> list[object]:
    """The lasting signals that its page has heard, without those that have no mark yet."""
    return [said["key"] for said in edge.page.heard if "mark" in said]


def append(server: RunningValkey, mark: str, key: str) -> None:
    fields = ("topic", "story:a", "kind", "watchable", "key", key, "value", "{}")
    server.ask("XADD", STREAM, mark, *fields)


async def test_a_long_stream_is_taken_in_parts() -> None:
    with valkey() as server:
        async with edge_at(server.url, "north") as north:
            await told(north, "first")
            await until(lambda: keys(north) == ["first"])
            lines = f"""for at = 1, {3 * READ_MAX} do
                redis.call('XADD', KEYS[1], '*', 'topic', 'story:a', 'kind', 'watchable',
                    'key', 'k' .. at, 'value', '{{}}') end"""
            server.ask("EVAL", lines, 1, STREAM)
            await until(lambda: len(keys(north)) == 1 + 3 * READ_MAX)
            parts = [after - before for before, after in pairwise(north.taken)]
            assert max(parts) == READ_MAX


async def test_a_server_whose_numbers_are_behind_goes_on_after_what_was_heard() -> None:
    ahead = "99999999999999-7"  # of a clock that is fast
    with valkey() as server:
        async with edge_at(server.url, "north") as north, edge_at(server.url, "south") as south:
            append(server, ahead, "one")
            await until(lambda: keys(north) == keys(south) == ["one"])
            server.ask("DEL", STREAM)  # as a replica that had not got it
            append(server, "1000-1", "old")
            server.ask("CLIENT", "KILL", "TYPE", "normal")
            await until(lambda: _last(server) == ahead)
            await told(south, "two")
            await until(lambda: keys(north) == keys(south) == ["one", "two"])
            marks = [Mark.parse(said["mark"]) for said in north.page.heard if "mark" in said]
            assert marks[1] > marks[0]


async def test_when_a_primary_dies_sentinels_say_who_carries_signals() -> None:
    with valkey_with_sentinels() as ((primary, replica), sentinels):
        names = ",".join(each.place for each in sentinels)
        url = f"redis+sentinel://{names}/main"
        async with edge_at(url, "north") as north, edge_at(url, "south") as south:
            await told(north, "one")
            await until(lambda: keys(north) == keys(south) == ["one"])
            await until(lambda: replica.ask("XLEN", STREAM) == 1)
            primary.kill()
            await told(south, "two")
            await until(lambda: keys(north) == keys(south) == ["one", "two"])
            assert replica.ask("XLEN", STREAM) == 2

            def hears() -> bool:
                south.carrier.speak([Said(Say("story:a", "typing", ""), "ben")])
                return any(said["kind"] == "typing" for said in north.page.heard if "kind" in said)

            await until(hears)


def _last(server: RunningValkey) -> str:
    said = server.ask("XINFO", "STREAM", STREAM)
    flat = list(said) if isinstance(said, list) else [x for kv in said.items() for x in kv]
    told = {_text(k): v for k, v in zip(flat[::2], flat[1::2], strict=True)}
    return _text(told["last-generated-id"])


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said
