"""Valkey paused, slow, killed, flushed, moved and promoted: a miss at worst, and never for long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from cache_policies.valkey_buckets import BUCKETS
from cache_policies.valkey_topology import SLOTS
from edge.valkey_names import name_of
from failover.breaker import State
from tests.support.edges import PATIENCE_S
from tests.support.tls import EDGE, NAMELESS
from tests.support.valkey_rig import BODY, KEY, LOG_ID, Rig, entry
from tests.support.valkeys import (
    RunningValkey,
    eventually,
    valkey,
    valkey_cluster,
    valkey_with_sentinels,
)

PROBED = {"redis_probe_s": 0.1, "redis_failures_within_s": 600.0}
HASTY = {"redis_wait_s": 0.025, "redis_write_s": 0.25, **PROBED}
OTHER = b"http://edge.test/other"
SMALL = b"a small body"
STALLED = b"$1000000\r\nAMARO"  # and then nothing


@asynccontextmanager
async def rig_at(url: str, **limits: float) -> AsyncIterator[Rig]:
    rig = Rig(url, **limits)
    try:
        yield rig
    finally:
        await rig.close()


async def at_last(claim: Callable[[], Awaitable[object]]) -> None:
    """Wait until `claim` holds, asked again and again."""
    async with asyncio.timeout(PATIENCE_S):
        while not await claim():  # noqa: ASYNC110 what is waited for is not ours to signal
            await asyncio.sleep(0.01)


async def reads(rig: Rig, body: bytes | None, key: bytes = KEY) -> bool:
    """Whether a look-up gives it now; if not, it gives nothing."""
    got = await rig.body(key=key)
    assert got in (body, None)
    return got == body


def states(rig: Rig) -> list[State]:
    return [way.breaker.state for way in rig.tier._link._ways.values()]


async def test_a_paused_server_is_soon_not_asked_and_then_asked_again() -> None:
    with valkey() as server:
        async with rig_at(server.url) as patient, rig_at(server.url, **HASTY) as rig:
            await patient.write(entry(SMALL))
            await at_last(lambda: reads(rig, SMALL))
            skipped = rig.counters.valkey_skipped
            with server.paused():
                while State.OPEN not in states(rig):  # five time-outs
                    assert await rig.body() is None
                assert rig.counters.valkey_skipped >= skipped + 5
                for _ in range(200):
                    assert await rig.body() is None
                assert State.CLOSED not in states(rig)
                assert dict(rig.tier.told()) == {f"valkey_up {server.place}": 0.0}
            await at_last(lambda: reads(rig, SMALL))
            assert states(rig) == [State.CLOSED]


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Where something passes for a server; `talk` ends when the other side has gone."""
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", ssl=context)
    yield "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    server.close()
    await asyncio.gather(*filter(None, serving))


async def test_a_server_behind_tls() -> None:
    """It must have a certificate that a known authority has signed for its name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*EDGE)
    with valkey() as server:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            answers, questions = await asyncio.open_unix_connection(server.place)
            while question := await reader.read(65_536):
                questions.write(question)
                writer.write(await answers.read(65_536))
            questions.close()

        async with talking(talk, context) as place:
            async with rig_at(f"rediss://{place}?ca={EDGE.certificate}") as rig:
                await rig.write(entry(SMALL))
                assert await rig.body() == SMALL
            for ca in ("", f"?ca={NAMELESS.certificate}"):
                async with rig_at(f"rediss://{place}{ca}") as rig:
                    assert await rig.body() is None
                    assert rig.counters.valkey_failed == 1


async def test_late_answers_are_nobodys() -> None:
    gate = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while question := await reader.read(65_536):
            await gate.wait()
            words = question.split(b"\r\n")[2::2]
            said = server.ask(*words) if words[0] == b"GET" else b"PONG"
            writer.write(b"$%d\r\n%b\r\n" % (len(said), said))

    with valkey() as server:
        async with (
            rig_at(server.url) as patient,
            talking(talk) as place,
            rig_at(f"redis://{place}", **(HASTY | {"redis_failures": 1_000})) as rig,
        ):
            await patient.write(entry(SMALL), entry(b"other", key=OTHER))
            for _ in range(3):
                assert await rig.body() is None
            gate.set()
            for key, body in ((OTHER, b"other"), (KEY, SMALL)):
                await at_last(lambda: reads(rig, body, key))  # noqa: B023


async def test_a_killed_server_may_come_back() -> None:
    with valkey() as server:
        async with rig_at(server.url, **PROBED) as rig:
            await rig.write(entry())
            server.kill()
            for _ in range(20):
                assert await rig.body() is None
            assert State.OPEN in states(rig) or State.HALF_OPEN in states(rig)
            server.start_again()

            async def written() -> bool:
                await rig.write(entry(SMALL))
                return await reads(rig, SMALL)

            await at_last(written)


async def test_a_flushed_server_has_nothing_and_is_filled_again() -> None:
    with valkey() as server:
        async with rig_at(server.url) as rig:
            await rig.write(entry())
            held = await rig.find()
            assert held is not None
            server.ask("FLUSHALL")
            assert await rig.body() is None
            await rig.write(entry())
            assert await rig.body() == BODY


async def test_a_full_server_is_left_alone() -> None:
    with valkey("--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as server:
        async with rig_at(server.url) as rig:
            server.ask("CONFIG", "SET", "maxmemory", "1")
            await rig.write(entry(SMALL))
            assert rig.counters.valkey_failed == 1
            await rig.write(entry(SMALL))
            assert rig.counters.valkey_writes_skipped > 0  # it waits before it tries again
            assert await rig.body() is None
            assert states(rig) == [State.CLOSED]


async def test_a_wrong_password_is_no_answer() -> None:
    with valkey(password="right") as server:
        async with rig_at(f"{server.url}?password=wrong") as rig:
            assert await rig.body() is None
            assert rig.counters.valkey_failed == 1
        async with rig_at(f"{server.url}?password=right") as rig:
            await rig.write(entry(SMALL))
            assert await rig.body() == SMALL


@pytest.mark.parametrize(
    "answer",
    [
        STALLED,
        b"$-7\r\n",
        b"$5\r\nAMARO",  # cut off
        b":5\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"-ERR no\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"",
    ],
)
async def test_a_server_that_talks_nonsense(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        if answer == STALLED:
            while await reader.read(65_536):
                pass

    async with talking(talk) as place, rig_at(f"redis://{place}", redis_wait_s=0.2) as rig:
        for _ in range(7):
            assert await rig.body() is None


async def test_a_server_that_drips_is_cut_off() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"$1000000\r\n")
        for _ in range(10_000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.001)

    async with talking(talk) as place, rig_at(f"redis://{place}", **HASTY) as rig:
        assert await rig.body() is None
        assert rig.counters.valkey_skipped == 1


def cluster_url(nodes: list[RunningValkey]) -> str:
    return f"redis+cluster://{nodes[0].place},{nodes[1].place}"


def keys_of_buckets() -> dict[int, bytes]:
    """A key whose value is in each bucket."""
    keys: dict[int, bytes] = {}
    number = 0
    while len(keys) < BUCKETS:
        key = b"http://edge.test/%d" % number
        keys.setdefault(name_of(LOG_ID, key).bucket, key)
        number += 1
    return keys


async def test_a_cluster_of_six() -> None:
    keys = keys_of_buckets()
    with valkey_cluster() as nodes:
        async with rig_at(cluster_url(nodes), redis_probe_s=0.1) as rig:

            async def writes(key: bytes, body: bytes) -> bool:
                await rig.write(entry(body, key=key))
                return await reads(rig, body, key)

            for key in keys.values():
                await at_last(lambda: writes(key, key))  # noqa: B023
            await at_last(lambda: writes(KEY, BODY))
            assert sum(len(node.names()) for node in nodes[:3]) == len(keys) + 5
            assert all(node.names() for node in nodes[:3])

            await _move_slot(rig, nodes, keys[0])
            await _promote_replica(rig, nodes, keys)


async def _move_slot(rig: Rig, nodes: list[RunningValkey], key: bytes) -> None:
    """Move a bucket: while it is on its way there may be misses, and then it is found again."""
    slot, name = SLOTS[0], name_of(LOG_ID, key).text
    owner = next(node for node in nodes[:3] if name.encode() in node.names())
    target = next(node for node in nodes[:3] if node is not owner)
    identity, owner_id = target.ask("CLUSTER", "MYID"), owner.ask("CLUSTER", "MYID")
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner_id)
    owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", identity)
    for found in owner.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
        host, port = target.place.split(":")
        owner.ask("MIGRATE", host, port, found, 0, 5_000)
    assert await rig.body(key=key) is None  # it is on its way
    for node in (target, owner):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", identity)
    await at_last(lambda: reads(rig, key, key))


async def _promote_replica(rig: Rig, nodes: list[RunningValkey], keys: dict[int, bytes]) -> None:
    """Kill a primary: its replica takes its place, with what it has."""
    primary, replica = nodes[1], nodes[4]

    def is_replicated() -> bool:
        return {*primary.names()} <= {*replica.names()}

    eventually(is_replicated, "the replica's having all")
    primary.kill()
    lost = [key for key in keys.values() if name_of(LOG_ID, key).text.encode() in replica.names()]
    assert lost
    for key in keys.values():
        await at_last(lambda: reads(rig, key, key))  # noqa: B023


async def test_a_primary_that_sentinels_watch() -> None:
    with valkey_with_sentinels() as ((primary, replica), sentinels):
        places = ",".join(sentinel.place for sentinel in sentinels)
        url = f"redis+sentinel://{places}/main"
        async with (
            rig_at(url, redis_probe_s=0.1) as rig,
            rig_at(url, redis_failures=1_000_000) as unbroken,  # as of one that is seldom asked
        ):

            async def written() -> bool:
                await rig.write(entry())
                return await reads(rig, BODY)

            await at_last(written)
            await at_last(lambda: reads(unbroken, BODY))
            assert len(primary.names()) == 5
            eventually(lambda: replica.names() == primary.names(), "replication")
            primary.kill()
            await at_last(lambda: reads(rig, BODY))
            await at_last(lambda: reads(unbroken, BODY))
            assert await rig.body(key=b"http://edge.test/none") is None
        await _believes_the_first_that_can_say(f"127.0.0.1:1,{sentinels[0].place}")


async def _believes_the_first_that_can_say(places: str) -> None:
    async with rig_at(f"redis+sentinel://{places}/main") as rig:
        await at_last(lambda: _is_asked(rig))
    async with rig_at(f"redis+sentinel://{places}/unknown") as rig:
        assert await rig.body() is None
        await rig.at_rest()
        assert await rig.body() is None


async def _is_asked(rig: Rig) -> bool:
    await rig.body()
    return states(rig) == [State.CLOSED]
