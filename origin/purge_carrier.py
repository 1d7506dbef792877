"""Purges through Valkey: all edges hear of one at once, and their acknowledgements come back."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from failover.breaker import Breaker, BreakerPolicy, Signal, State, Verdict, ask, step
from origin.distribution import Told

if TYPE_CHECKING:
    from origin.purge_log import Batch

CHANNEL: Final = "amaro:1:purges"
ACKS: Final = "amaro:1:{b00}:acks"  # the braces place it in the slot of a bucket of the edges' tier
WAIT_S: Final = 0.025  # for a connection, and for an answer
MESSAGE_MAX_BYTES: Final = 64 * 1024  # a longer one says only that there is something to read
LISTEN_S: Final = 10.0  # for acknowledgements of one batch
LISTENING_MAX: Final = 4  # batches at a time; of others only what was pushed counts
_TURN_S: Final = 0.25
_WHO: Final = ("admin", "edge", "region", "id")
_POLICY: Final = BreakerPolicy(failures=2, within_s=60.0)  # orders are rare

log = logging.getLogger(__name__)


class ValkeyCarrier:
    """Publishes batches. A server that is away, slow or paused is soon left alone. Thread-safe."""

    def __init__(self, redis_url: str) -> None:
        self._publisher = _client(redis_url, WAIT_S)
        self._listener = _client(redis_url, _TURN_S * 4)
        self._breaker = Breaker()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(LISTENING_MAX + 1, "valkey")
        self._turns = threading.BoundedSemaphore(LISTENING_MAX)
        self._is_closed = threading.Event()

    def carry(self, batch: Batch, heard: Callable[[str, Told], None]) -> int:
        """Publish a batch; return how many get it. Who acknowledges it later is `heard` of."""
        with self._lock:
            self._breaker, verdict = ask(self._breaker, time.monotonic(), _POLICY)
        if verdict is Verdict.PROBE:
            self._threads.submit(self._probe)
        if verdict is not Verdict.ASK:
            return 0
        acks = f"{ACKS}:{batch.log}-{batch.number}"
        try:
            edges = int(self._publisher.publish(CHANNEL, message(batch, acks)))
        except RedisError as error:
            self._note(Signal.FAIL, str(error))
            return 0
        self._note(Signal.OK)
        if edges and self._turns.acquire(blocking=False):
            self._threads.submit(self._listen, acks, batch, edges, heard)
        return edges

    def close(self) -> None:
        """Give connections and threads back."""
        self._is_closed.set()
        self._threads.shutdown(cancel_futures=True)
        self._publisher.close()
        self._listener.close()

    def _listen(
        self, acks: str, batch: Batch, edges: int, heard: Callable[[str, Told], None]
    ) -> None:
        until_mono = time.monotonic() + LISTEN_S
        try:
            while edges and time.monotonic() < until_mono and not self._is_closed.is_set():
                found: Any = self._listener.blpop([acks], timeout=_TURN_S)
                if found is None:
                    continue
                edges -= 1
                if (ack := acknowledgement(found[1], batch)) is not None:
                    heard(*ack)
        except RedisError as error:
            self._note(Signal.FAIL, str(error))
        finally:
            self._turns.release()

    def _probe(self) -> None:
        try:
            self._publisher.ping()
        except RedisError:
            self._note(Signal.PROBE_FAIL)
        else:
            self._note(Signal.PROBE_OK)

    def _note(self, signal: Signal, why: str = "") -> None:
        with self._lock:
            before = self._breaker.state
            self._breaker = step(self._breaker, signal, time.monotonic(), _POLICY)
            now = self._breaker.state
        if now is not before and State.CLOSED in {now, before}:
            is_well = now is State.CLOSED
            log.warning(
                "valkey carries purges again" if is_well else f"valkey is left alone: {why}"
            )


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


def _client(redis_url: str, wait_s: float) -> redis.Redis:
    return redis.Redis.from_url(
        redis_url,
        socket_connect_timeout=WAIT_S,
        socket_timeout=wait_s,
        retry=Retry(NoBackoff(), 0),
    )


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None
