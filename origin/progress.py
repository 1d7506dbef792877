"""How far an asset is, through Valkey: cheap, lossy, and never worth waiting for."""

from __future__ import annotations

import json
from typing import Final

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

TIMEOUT_S: Final = 0.025
KEEP_S: Final = 3_600
NO_RETRY: Final = Retry(NoBackoff(), 0)


def progress_key(asset_id: str) -> str:
    """Return the key that both sides use."""
    return f"amaro:progress:{asset_id}"


class ProgressWriter:
    """The worker's side. A server that is away costs a time-out, never a job."""

    def __init__(self, redis_url: str | None) -> None:
        self._client = redis_url and redis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=NO_RETRY
        )

    def write(self, asset_id: str, stage: str, fraction: float) -> bool:
        """Say where the asset is; return whether anybody heard it."""
        if not self._client:
            return False
        text = json.dumps([stage, round(min(1.0, max(0.0, fraction)), 4)])
        try:
            self._client.set(progress_key(asset_id), text, ex=KEEP_S)
        except RedisError:
            return False
        return True

    def close(self) -> None:
        """Give the connections back."""
        if self._client:
            self._client.close()


class ProgressReader:
    """The API's side."""

    def __init__(self, redis_url: str | None) -> None:
        self._client = redis_url and redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=NO_RETRY
        )

    async def read(self, asset_id: str) -> tuple[str, float] | None:
        """Return (stage, fraction), None when nobody knows or Valkey is away."""
        if not self._client:
            return None
        try:
            text = await self._client.get(progress_key(asset_id))
        except (RedisError, TimeoutError):
            return None
        return parse_progress(text)

    async def aclose(self) -> None:
        """Give the connections back."""
        if self._client:
            await self._client.aclose()


def parse_progress(text: bytes | str | None) -> tuple[str, float] | None:
    """Return (stage, fraction of 0 to 1) of what a writer left, None for anything else."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    match found:
        case [str(stage), int() | float() as fraction]:
            return stage, min(1.0, max(0.0, float(fraction)))
        case _:
            return None
