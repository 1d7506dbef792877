"""How signals reach the other edges of a region: not at all, or by Valkey.

What lasts goes through one stream, whose ids are its marks on every edge: so a page that changes
edges comes back with a mark that means the same there. What is fleeting is published, and lost when
nobody listens. Both belong to one bucket, so one server has them, also of a cluster.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from cache_policies.valkey_address import Address, Server
from cache_policies.valkey_buckets import HOME, home_key
from cache_policies.valkey_connection import Bounds
from cache_policies.valkey_topology import known_servers
from edge.realtime.abroad import Here, Said, read_abroad, written_abroad
from edge.realtime.hub import Hub
from edge.realtime.marks import ZERO, Mark
from edge.realtime.messages import Lasting, parse_lasting
from edge.tasks import is_cancelled
from edge.valkey_servers import client_of, execute, find_servers

STREAM: Final = home_key("signals")
CHANNEL: Final = home_key("fleeting")
STREAM_MAX: Final = 20_000  # about; the oldest go
LOADED_MAX: Final = 10_000  # of these an edge reads when it begins
READ_MAX: Final = 256  # of these at once: while it takes them in, it hears nobody else
TIMEOUT_S: Final = 1.0  # of anything that should be there at once
SAID_MAX: Final = 4_096  # that wait to be said; fleeting as they are, later ones are lost
HUSH_S: Final = 2.0  # after which it is seen whether the channel is still there
BLOCK_MS: Final = 2_000
AGAIN_S: Final = 0.5
CONNECTIONS: Final = 64  # at most, to publish what comes at once
AHEAD: Final = """
-- A server that was a replica, or lost what it had, may number signals behind what we have heard:
-- these would be nobody's news. What it numbers from now on is after that.
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('XGROUP', 'CREATE', KEYS[1], 'none', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', KEYS[1], 'none')
end
local told = redis.call('XINFO', 'STREAM', KEYS[1])
for at = 1, #told, 2 do
    if told[at] == 'last-generated-id' then
        local ms, number = string.match(told[at + 1], '(%d+)-(%d+)')
        ms, number = tonumber(ms), tonumber(number)
        local heard_ms, heard_number = tonumber(ARGV[1]), tonumber(ARGV[2])
        if ms < heard_ms or (ms == heard_ms and number < heard_number) then
            redis.call('XSETID', KEYS[1], ARGV[1] .. '-' .. ARGV[2])
        end
    end
end
"""
TROUBLE: Final = (RedisError, OSError, TimeoutError)

log = logging.getLogger("edge.realtime")


class Carrier(Protocol):
    """What a hub's process needs of it."""

    async def publish(self, signal: Lasting) -> bool:
        """Have all edges tell their pages; False when it should be said again later."""

    def speak(self, said: list[Said | Here]) -> None:
        """Tell other edges."""

    async def run(self) -> None:
        """Carry until cancelled."""


class Alone:
    """One edge: a signal's mark is when it was heard."""

    def __init__(self, hub: Hub, stir: Callable[[], None]) -> None:
        self._hub, self._stir = hub, stir
        self._last = ZERO.next_at(time.time())
        hub.history.begin(self._last)

    async def publish(self, signal: Lasting) -> bool:
        """Tell our own pages."""
        self._last = self._last.next_at(time.time())
        self._hub.publish(signal, self._last)
        self._stir()
        return True

    def speak(self, said: list[Said | Here]) -> None:
        """There is nobody to tell."""

    async def run(self) -> None:
        """There is nothing to carry."""


class _Way(NamedTuple):
    """The server that has our bucket."""

    server: Server
    client: Redis
    waiting: Redis  # for what may take a while


class Valkey:
    """The edges of a region. `name` tells our own messages from those of others."""

    def __init__(self, hub: Hub, stir: Callable[[], None], address: Address, name: str) -> None:
        self._hub, self._stir, self._name = hub, stir, name
        self._speaking = asyncio.Event()
        self._to_say: list[Said | Here] = []
        self._address = address
        self._servers = known_servers(address)
        self._way: _Way | None = None
        self._heard = ZERO  # of the stream
        self._is_well = True

    async def publish(self, signal: Lasting) -> bool:
        """Append to the stream, from which we hear it too; without Valkey tell our own pages."""
        fields = {
            "topic": signal.topic,
            "kind": signal.kind,
            "key": signal.key,
            "value": json.dumps(signal.value),
        }
        try:
            client = self._there().client
            await client.xadd(STREAM, fields, maxlen=STREAM_MAX)  # type: ignore[arg-type]
        except TROUBLE as error:
            self._complain(error)
            self._hub.tell_at_once(signal)
            self._stir()
            return False
        return True

    def speak(self, said: list[Said | Here]) -> None:
        """Have other edges told, soon."""
        self._to_say += said[: SAID_MAX - len(self._to_say)]
        self._speaking.set()

    async def run(self) -> None:
        """Read the stream, listen to the channel, and say what our pages said."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for carry in (self._read, self._listen, self._speak):
                    tasks.create_task(self._again_and_again(carry))
        finally:
            await self._leave(self._way)

    async def _again_and_again(self, carry: Callable[[], Awaitable[None]]) -> None:
        while not is_cancelled():
            try:
                await self._find()
                await carry()
            except TROUBLE as error:
                self._complain(error)
            await asyncio.sleep(AGAIN_S)

    async def _find(self) -> None:
        """Go to the server that has our bucket now, if that is known."""
        found = await find_servers(self._address, self._servers)
        self._servers = found or self._servers
        server, before = self._servers[HOME], self._way
        if server is None or (before is not None and before.server == server):
            return
        wait_s = TIMEOUT_S + BLOCK_MS / 1000.0
        self._way = _Way(server, self._client(server, TIMEOUT_S), self._client(server, wait_s))
        await self._leave(before)

    def _client(self, server: Server, reply_s: float) -> Redis:
        return client_of(self._address, server, Bounds(TIMEOUT_S, reply_s, CONNECTIONS))

    def _there(self) -> _Way:
        if self._way is None:
            raise ConnectionError("no server is known that has the signals")
        return self._way

    async def _leave(self, way: _Way | None) -> None:
        if way is not None:
            await way.client.aclose()
            await way.waiting.aclose()

    async def _read(self) -> None:
        """Follow the stream, from what it still holds."""
        is_quiet = True
        if self._heard == ZERO:
            found: Any = await self._there().client.xrevrange(STREAM, count=LOADED_MAX)
            if found:
                self._heard = _mark(found[-1][0])
                self._hub.history.begin(self._heard.before())
                self._take(reversed(found))
        while not is_cancelled():
            if is_quiet and self._heard != ZERO:
                await execute(self._there().client, "EVAL", AHEAD, 1, STREAM, *self._heard)
            waiting = self._there().waiting
            said: Any = await waiting.xread({STREAM: str(self._heard)}, READ_MAX, BLOCK_MS)
            self._recover()
            for _, entries in said:
                self._take(entries)
            is_quiet = not said  # or numbered behind what we have heard

    def _take(self, entries: Any) -> None:
        for number, fields in entries:
            self._heard = _mark(number)
            try:
                told = {name.decode(): text.decode() for name, text in fields.items()}
                signal = parse_lasting(told | {"value": json.loads(told["value"])})
            except (KeyError, ValueError) as error:
                log.warning("what is in %s is no signal: %r", STREAM, error)
            else:
                self._hub.publish(signal, self._heard)
        self._stir()

    async def _listen(self) -> None:
        async with self._there().waiting.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            while not is_cancelled():
                said = await channel.get_message(ignore_subscribe_messages=True, timeout=HUSH_S)
                if said is not None:
                    self._hear(said["data"])

    def _hear(self, text: bytes) -> None:
        try:
            edge, heard = read_abroad(text)
        except ValueError as error:
            log.warning("what came by %s is no batch: %r", CHANNEL, error)
            return
        if edge != self._name:
            for each in heard:
                self._hub.hear_abroad(edge, each, time.monotonic())
            self._stir()

    async def _speak(self) -> None:
        while not is_cancelled():
            await self._speaking.wait()
            self._speaking.clear()
            said, self._to_say = self._to_say, []
            await self._there().client.publish(CHANNEL, written_abroad(self._name, said))

    def _complain(self, error: Exception) -> None:
        if self._is_well:
            log.warning("Valkey does not carry signals, trying again: %s", error)
        self._is_well = False

    def _recover(self) -> None:
        if not self._is_well:
            log.info("Valkey carries signals again")
        self._is_well = True


def _mark(number: bytes) -> Mark:
    return Mark.parse(number.decode())
