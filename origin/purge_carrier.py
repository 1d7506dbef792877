"""Purges through Valkey: all edges hear of one at once, and their acknowledgements come back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from cache_policies.valkey_buckets import PREFIX, home_key
from failover.breaker import BreakerPolicy
from origin.distribution import Told
from origin.valkey_way import LONG_WAITS_MAX, AwayError, ValkeyWay

if TYPE_CHECKING:
    from origin.purge_log import Batch

CHANNEL: Final = f"{PREFIX}:purges"
ACKS: Final = home_key("acks")
MESSAGE_MAX_BYTES: Final = 64 * 1024  # a longer one says only that there is something to read
LISTEN_S: Final = 10.0  # for acknowledgements of one batch
LISTENING_MAX: Final = LONG_WAITS_MAX  # batches at a time; of others only what was pushed counts
PUBLISH: Final = """#!lua flags=allow-oom
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""
"""KEYS: where acknowledgements go; so only a primary that has that key publishes, and counts those
who listen where edges do. ARGV: the channel, the message. A server without memory carries it."""
_TURN_S: Final = 0.25
_WHO: Final = ("admin", "edge", "region", "id")
_POLICY: Final = BreakerPolicy(failures=2, within_s=60.0)  # orders are rare


class ValkeyCarrier:
    """Publishes batches. A server that is away, slow or paused is soon left alone. Thread-safe."""

    def __init__(self, redis_url: str) -> None:
        self._way = ValkeyWay(redis_url, _POLICY)
        self._threads = ThreadPoolExecutor(LISTENING_MAX, "valkey")
        self._turns = threading.BoundedSemaphore(LISTENING_MAX)
        self._is_closed = threading.Event()

    def carry(self, batch: Batch, heard: Callable[[str, Told], None]) -> int:
        """Publish a batch; return how many get it. Who acknowledges it later is `heard` of."""
        acks = f"{ACKS}:{batch.log}-{batch.number}"
        try:
            edges = self._way.ask("EVAL", PUBLISH, 1, acks, CHANNEL, message(batch, acks))
        except AwayError:
            return 0
        if not isinstance(edges, int):
            return 0
        if edges and self._turns.acquire(blocking=False):
            self._threads.submit(self._listen, acks, batch, edges, heard)
        return edges

    def close(self) -> None:
        """Give connections and threads back."""
        self._is_closed.set()
        self._threads.shutdown(cancel_futures=True)
        self._way.close()

    def _listen(
        self, acks: str, batch: Batch, edges: int, heard: Callable[[str, Told], None]
    ) -> None:
        """Take what so many edges say, wherever the list of it goes meanwhile."""
        until_mono = time.monotonic() + LISTEN_S
        try:
            while edges and time.monotonic() < until_mono and not self._is_closed.is_set():
                try:
                    found = self._way.wait("BLPOP", acks, _TURN_S)
                except AwayError:
                    self._is_closed.wait(_TURN_S)
                    continue
                match found:
                    case (_, bytes(text)):
                        edges -= 1
                        if (ack := acknowledgement(text, batch)) is not None:
                            heard(*ack)
                    case _:
                        pass
        finally:
            self._turns.release()


def message(batch: Batch, acks: str) -> bytes:
    """Return what edges hear: a batch, or only that there is one if it is long."""
    said = batch.to_mapping() | {"ack": acks}
    text = json.dumps(said).encode()
    if len(text) > MESSAGE_MAX_BYTES:
        del said["purges"]
        text = json.dumps(said).encode()
    return text


def acknowledgement(text: bytes, batch: Batch) -> tuple[str, Told] | None:
    """Return who says so, and what; None for what acknowledges nothing."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    match said:
        case {"log": batch.log, "number": int(number)} if "error" not in said:
            pass
        case _:
            return None
    admin, name, region, edge_id = (_text(said.get(key)) for key in _WHO)
    workers = said.get("workers")
    told = Told(number, name, region, workers if isinstance(workers, int) else None, edge_id)
    return admin or "", told


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None
