"""Hosts reach each other, unless the link is cut; nothing of a rig outlives it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.rig.namespaces import NAMED, as_root, sweep
from tests.rig.network import Host, Network
from tests.support.edge_node import eventually
from tests.support.edges import Asked, Client, Origin, response

PORT = 8080
PATIENCE_S = 30.0
LOST_S = 0.5  # what is lost does not arrive within it, what is not takes a millisecond
BODY = bytes(200_000)


def hosts() -> Network:
    return Network(["north", "south", "west"])


@asynccontextmanager
async def serving() -> AsyncIterator[Network]:
    """Hosts of which north says from where it is asked, and many bytes."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        asker = f"X-Asker: {writer.get_extra_info('peername')[0]}"
        writer.write(response(BODY, asker))

    with hosts() as net:
        origin, place = Origin(answer), net["north"].socket()
        place.bind((net["north"].address, PORT))
        await origin.start(place)
        try:
            yield net
        finally:
            await origin.stop()


async def connected(one: Host, other: Host) -> Client:
    return Client(*await one.connect(other, PORT))


async def ask(client: Client) -> str:
    """From where the server says that it is asked."""
    got = await client.get("/")
    assert got.body == BODY
    return (got.get("x-asker") or b"").decode()


async def test_hosts_have_addresses_of_their_own() -> None:
    async with serving() as net:
        for name in ("south", "west", "north"):
            client = await connected(net[name], net["north"])
            assert await ask(client) == net[name].address
            await client.close()


async def test_what_is_cut_is_lost_and_comes_when_it_is_restored() -> None:
    async with serving() as net:
        client = await connected(net["south"], net["north"])
        await ask(client)
        net.cut(["south"], ["north"])
        net.cut(["south"], ["north", "south"])
        asked = asyncio.create_task(ask(client))
        connecting = asyncio.create_task(connected(net["south"], net["north"]))
        other = await connected(net["west"], net["north"])
        await ask(other)
        done, _ = await asyncio.wait([asked, connecting], timeout=LOST_S)
        assert not done
        net.restore(["north"], ["south"])
        assert await asked == net["south"].address
        anew = await connecting
        await ask(anew)
        for each in (client, other, anew):
            await each.close()


async def test_a_throttled_link_is_slow_until_it_is_restored() -> None:
    async with serving() as net:
        for bits_per_s in (2_000_000, 8_000_000):
            net.throttle(["south"], ["north"], bits_per_s=bits_per_s)
            client = await connected(net["south"], net["north"])
            began_mono = time.monotonic()
            await ask(client)
            assert time.monotonic() - began_mono > 0.6 * len(BODY) * 8 / bits_per_s
            await client.close()
        assert net.impaired
        net.restore(["south"], ["north"])
        assert not net.impaired
        client = await connected(net["south"], net["north"])
        await ask(client)
        await client.close()


def test_processes_run_on_their_host_and_end_with_the_rig() -> None:
    with hosts() as net:
        sleeping = net["north"].spawn(["sleep", "600"])
        showing = net["south"].spawn(["ip", "-br", "-4", "address"], output=subprocess.PIPE)
        said = showing.communicate(timeout=PATIENCE_S)[0].decode()
        assert net["south"].address in said
        assert net["north"].address not in said
    assert sleeping.wait(PATIENCE_S) == -signal.SIGKILL


KILLED = """
from tests.rig.network import Network
with Network(["north", "south"]) as net:
    net["north"].spawn(["sleep", "600"])
    print(*(host.place for host in net.hosts.values()), net.router, flush=True)
    input()
"""


def test_what_a_killed_run_left_is_swept() -> None:
    argv = as_root([sys.executable, "-c", KILLED])
    run = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    names = run.stdout.readline().split()
    assert names
    assert not {*names} & {*sweep()}, "it still runs"
    run.kill()
    run.communicate()
    sweep()  # or another run did
    eventually(lambda: not any((NAMED / name).exists() for name in names), "their removal")
