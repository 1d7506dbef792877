"""The origin's way to the Valkey of its region: bounded waits, a breaker, and one error only."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from redis import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, OutOfMemoryError, RedisError
from redis.retry import Retry

from cache_policies.valkey_address import Address, Server, parse_address
from cache_policies.valkey_buckets import HOME, home_key
from cache_policies.valkey_connection import Bounds, Connections, pool_options
from cache_policies.valkey_topology import (
    FIND_EVERY_S,
    FIND_S,
    MOVING,
    Servers,
    TopologyError,
    found_servers,
    known_servers,
    question,
    who_may_know,
)
from failover.breaker import Breaker, BreakerPolicy, Signal, State, Verdict, ask, step

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S: Final = 0.025  # for a connection, and for an answer
LONG_S: Final = 1.0  # for an answer that may take its time
WAITS_MAX: Final = 64  # questions under way; one more is not asked
LONG_WAITS_MAX: Final = 4  # of those that may take their time
_ASIDE: Final = 2  # threads: one that probes, one that looks for the server; no more is due
_PROBED: Final = home_key("probe")  # nothing has this key
_KINDS: Final = Connections(Connection, SSLConnection, UnixDomainSocketConnection)
_TRIES: Final = 2  # the bucket may have moved
_OFTEN: Final = BreakerPolicy()  # for who asks as often as edges do

log = logging.getLogger(__name__)


class AwayError(Exception):
    """Valkey has not done what it was asked for; the message says why."""


@dataclass(slots=True, eq=False)
class _Way:
    """The server that has the bucket, and how it fares."""

    server: Server
    quick: Redis
    long: Redis
    breaker: Breaker = field(default_factory=Breaker)


class ValkeyWay:
    """Asks the server that has the bucket `HOME`, wherever that is now. Thread-safe."""

    def __init__(self, url: str, policy: BreakerPolicy = _OFTEN) -> None:
        """Nobody is asked yet, but for where the bucket is. Raises ValueError."""
        self._address = parse_address(url)
        self._policy = policy
        self._lock = threading.RLock()
        self._quick = threading.BoundedSemaphore(WAITS_MAX)
        self._long = threading.BoundedSemaphore(LONG_WAITS_MAX)
        self._aside = ThreadPoolExecutor(_ASIDE, "valkey-way")
        self._servers = known_servers(self._address)
        self._way: _Way | None = None
        self._find_after_mono = 0.0
        self._is_finding = False
        self._is_probing = False
        self._is_closed = False
        self._go_to(self._servers[HOME])
        if self._way is None:
            self._find()

    def ask(self, *command: str | bytes | int) -> Any:
        """What the server answers, in 50 ms as a rule. Raises AwayError."""
        return self._in_turn(self._quick, lambda way: way.quick, command)

    def wait(self, *command: str | bytes | float) -> Any:
        """What it answers when there is something to answer, as to BLPOP. Raises AwayError."""
        return self._in_turn(self._long, lambda way: way.long, command)

    def close(self) -> None:
        """Give connections and threads back."""
        with self._lock:
            self._is_closed = True
            way, self._way = self._way, None
        self._aside.shutdown(cancel_futures=True)
        if way is not None:
            way.quick.close()
            way.long.close()

    def _in_turn(
        self,
        turns: threading.BoundedSemaphore,
        client_of: Callable[[_Way], Redis],
        command: tuple[str | bytes | float, ...],
    ) -> Any:
        if not turns.acquire(blocking=False):
            raise AwayError("too many wait for it already")
        try:
            for _ in range(_TRIES):
                way = self._allowed()
                try:
                    return self._ask(way, client_of(way), command)
                except MovedError as moved:
                    self._moved(way, moved)
        finally:
            turns.release()
        raise AwayError("what is asked for has moved, and moved again")

    def _ask(self, way: _Way, client: Redis, command: tuple[str | bytes | float, ...]) -> Any:
        """What a server answers; it counts for its breaker. Raises AwayError, MovedError."""
        try:
            answer = _execute(client, *command)
        except MovedError:
            raise
        except MOVING as error:
            self._find()  # it answers well: the bucket is on its way to another server
            raise AwayError(str(error)) from None
        except OutOfMemoryError as error:
            raise AwayError(str(error)) from None
        except (RedisError, OSError) as error:
            self._note(way, Signal.FAIL, str(error))
            raise AwayError(str(error)) from None
        self._note(way, Signal.OK)
        return answer

    def _allowed(self) -> _Way:
        """The way to the server, if it may be gone now. Raises AwayError."""
        with self._lock:
            way = self._way
            if way is None:
                self._find()
                raise AwayError("nobody has said yet where it is")
            way.breaker, verdict = ask(way.breaker, time.monotonic(), self._policy)
            if verdict is Verdict.PROBE:
                self._have_probed(way)
                self._find()
        if verdict is not Verdict.ASK:
            raise AwayError("it has failed too often a moment ago")
        return way

    def _have_probed(self, way: _Way) -> None:
        """Have a probe sent, unless one is under way: name servers may hold it for long."""
        with self._lock:
            if not self._is_probing:
                self._is_probing = True
                self._aside.submit(self._probe, way)

    def _probe(self, way: _Way) -> None:
        """See whether a server would do what it is asked for: a replica answers PING, too."""
        try:
            _execute(way.quick, "EXISTS", _PROBED)
        except MovedError as moved:
            self._moved(way, moved)
        except MOVING:
            self._find()  # it answers well, as in _ask
            self._note(way, Signal.PROBE_OK)
        except (RedisError, OSError):
            self._note(way, Signal.PROBE_FAIL)
        else:
            self._note(way, Signal.PROBE_OK)
        finally:
            with self._lock:
                self._is_probing = False

    def _note(self, way: _Way, signal: Signal, why: str = "") -> None:
        with self._lock:
            before = way.breaker.state
            way.breaker = step(way.breaker, signal, time.monotonic(), self._policy)
            now = way.breaker.state
        if signal is Signal.FAIL:
            self._find()
        if now is State.CLOSED and before is not State.CLOSED:
            log.info("valkey %s answers again", way.server)
        elif now is not State.CLOSED and before is State.CLOSED:
            log.warning("valkey %s is not asked for a while: %s", way.server, why)

    def _moved(self, way: _Way, moved: MovedError) -> None:
        self._go_to(Server(moved.host or way.server.host, moved.port))
        self._find()

    def _go_to(self, server: Server | None) -> None:
        """Ask this server from now on, if it is one."""
        with self._lock:
            before = self._way
            if server is None or self._is_closed or (before and before.server == server):
                return
            self._way = _Way(
                server,
                quick=_client(self._address, server, Bounds(WAIT_S, WAIT_S, WAITS_MAX + _ASIDE)),
                long=_client(self._address, server, Bounds(WAIT_S, LONG_S, LONG_WAITS_MAX)),
            )
        if before is not None:  # connections in use are closed with who uses them
            before.quick.connection_pool.disconnect(inuse_connections=False)
            before.long.connection_pool.disconnect(inuse_connections=False)

    def _find(self) -> None:
        """Have it found out where the bucket is, if that is not under way or was a moment ago."""
        now_mono = time.monotonic()
        with self._lock:
            if now_mono < self._find_after_mono or self._is_finding or self._is_closed:
                return
            self._find_after_mono = now_mono + FIND_EVERY_S
            self._is_finding = True
            self._aside.submit(self._find_server)

    def _find_server(self) -> None:
        try:
            self._ask_who_may_know()
        finally:
            with self._lock:
                self._is_finding = False

    def _ask_who_may_know(self) -> None:
        for server in who_may_know(self._address, self._servers):
            if self._is_closed:
                return
            with suppress(RedisError, OSError, TopologyError):
                self._servers = _asked(self._address, server)
                self._go_to(self._servers[HOME])
                return


def _asked(address: Address, server: Server) -> Servers:
    """Where the buckets are by somebody who may know. Raises RedisError, OSError, TopologyError."""
    asker, words = question(address)
    with closing(_client(asker, server, Bounds(FIND_S, FIND_S, connections=1))) as client:
        return found_servers(address, _execute(client, *words), server)


def _execute(client: Redis, *command: str | bytes | float) -> Any:
    """What a server answers to a command. Raises RedisError, OSError."""
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


def _client(address: Address, server: Server, bounds: Bounds) -> Redis:
    """A client of one server, which tries nothing twice."""
    options = pool_options(address, server, _KINDS, bounds)
    return Redis.from_pool(ConnectionPool(**options, retry=Retry(NoBackoff(), 0)))
