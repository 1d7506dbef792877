"""The lease in Redis or Valkey: one hash, and scripts that no other client comes between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from failover.lease import STRAY_MAX, Held, Kept, LeaseStoreError

KEY: Final = "amaro:failover"
ANSWER_S: Final = 1.0

# Fields: holder, until (ms by the server's clock), epoch, kept-epoch, kept.
_HOLD: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local holder, ends, epoch = unpack(redis.call('HMGET', KEYS[1], 'holder', 'until', 'epoch'))
epoch = tonumber(epoch or 0)
local left = tonumber(ends or 0) - now
if left > 0 and holder ~= ARGV[1] and left <= tonumber(ARGV[4]) then return {holder, epoch} end
local lowest = tonumber(ARGV[3])
if left <= 0 or holder ~= ARGV[1] or epoch ~= tonumber(ARGV[5]) or epoch < lowest then
  epoch = math.max(epoch, lowest) + 1
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', now + ARGV[2], 'epoch', epoch)
return {ARGV[1], epoch}
"""
_RELEASE: Final = """
local holder, epoch = unpack(redis.call('HMGET', KEYS[1], 'holder', 'epoch'))
if holder == ARGV[1] and tonumber(epoch) == tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'until', 0)
end
"""
_KEEP: Final = """
local holder, epoch = unpack(redis.call('HMGET', KEYS[1], 'holder', 'epoch'))
if holder ~= ARGV[1] or tonumber(epoch) ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'kept-epoch', epoch, 'kept', ARGV[3])
return 1
"""


class RedisLease:
    """A lease in one Redis or Valkey."""

    def __init__(self, url: str, *, key: str = KEY) -> None:
        """`url` as redis:// or unix:// has it; nothing is asked yet."""
        self._client = redis.asyncio.Redis.from_url(
            url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, decode_responses=True
        )
        self._key = key
        self._shown = url.rpartition("@")[2].partition("?")[0]
        self._hold = self._client.register_script(_HOLD)
        self._release = self._client.register_script(_RELEASE)
        self._keep = self._client.register_script(_KEEP)

    async def hold(self, who: str, ttl_s: float, *, epoch: int, epoch_min: int) -> Held:
        """As LeaseStore says."""
        async with self._asked():
            said: Any = await self._hold(
                keys=[self._key],
                args=[who, round(ttl_s * 1e3), epoch_min, round(STRAY_MAX * ttl_s * 1e3), epoch],
            )
        return Held(said[0], int(said[1]))

    async def release(self, held: Held) -> None:
        """As LeaseStore says."""
        async with self._asked():
            await self._release(keys=[self._key], args=[held.holder, held.epoch])

    async def keep(self, held: Held, text: str) -> bool:
        """As LeaseStore says."""
        async with self._asked():
            return bool(await self._keep(keys=[self._key], args=[held.holder, held.epoch, text]))

    async def kept(self) -> Kept | None:
        """As LeaseStore says."""
        async with self._asked():
            said: Any = await self._client.hmget(self._key, ["kept-epoch", "kept"])
        epoch, text = said
        return None if text is None else Kept(int(epoch), text)

    async def close(self) -> None:
        """As LeaseStore says."""
        await self._client.aclose()

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise LeaseStoreError(f"{self._shown}: {error}") from None
