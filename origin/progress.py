"""How far an asset is, through Valkey: cheap, lossy, and never worth waiting for."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from cache_policies.valkey_buckets import home_key
from origin.valkey_way import AwayError, ValkeyWay

KEEP_S: Final = 3_600


def progress_key(asset_id: str) -> str:
    """Return the key that both sides use."""
    return home_key(f"progress:{asset_id}")


class ProgressWriter:
    """The worker's side. A server that is away costs a time-out, never a job."""

    def __init__(self, redis_url: str | None) -> None:
        self._way = _way_to(redis_url)

    def write(self, asset_id: str, stage: str, fraction: float) -> bool:
        """Say where the asset is; return whether anybody heard it."""
        if self._way is None:
            return False
        text = json.dumps([stage, round(min(1.0, max(0.0, fraction)), 4)])
        try:
            self._way.ask("SET", progress_key(asset_id), text, "EX", KEEP_S)
        except AwayError:
            return False
        return True

    def close(self) -> None:
        """Give the connections back."""
        if self._way is not None:
            self._way.close()


class ProgressReader:
    """The API's side."""

    def __init__(self, redis_url: str | None) -> None:
        self._way = _way_to(redis_url)

    async def read(self, asset_id: str) -> tuple[str, float] | None:
        """Return (stage, fraction), None when nobody knows or Valkey is away."""
        if self._way is None:
            return None
        try:
            text = await asyncio.to_thread(self._way.ask, "GET", progress_key(asset_id))
        except AwayError:
            return None
        return parse_progress(text) if isinstance(text, bytes) else None

    async def aclose(self) -> None:
        """Give the connections back."""
        if self._way is not None:
            await asyncio.to_thread(self._way.close)


def parse_progress(text: bytes) -> tuple[str, float] | None:
    """Return (stage, fraction of 0 to 1) of what a writer left, None for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    match found:
        case [str(stage), int() | float() as fraction]:
            return stage, min(1.0, max(0.0, float(fraction)))
        case _:
            return None


def _way_to(redis_url: str | None) -> ValkeyWay | None:
    return None if redis_url is None else ValkeyWay(redis_url)
