"""A player's connection: plain hits are answered here, at once; all else goes to the app.

The whole of what this project touches of uvicorn and httptools' request side is in this file and in
`cycle.py`. The parser is only ever given one message at a time, so pipelined requests wait as
bytes, at most one read of them, and are answered in order by construction.
"""

import asyncio
from time import monotonic
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from cache_policies.key import normalise
from edge.cycle import Cycle
from edge.delivery import NOT_MODIFIED, Shape, lacks, plan
from edge.entry import Entry
from edge.following import Follower
from edge.heads import (
    TAIL_KEPT_BYTES_MAX,
    Context,
    Facts,
    body_length,
    expects_continue,
    gap_between,
    has_bare_line_end,
    is_target,
    origin_form,
    read_facts,
    read_fields,
    read_line,
)
from edge.index import SHARD_MASK
from edge.log_lines import asked_by
from edge.memory import Variants
from edge.multipart import multipart
from edge.pace import Pace
from edge.refusals import RefusedHeadError
from edge.request_body import RequestBody
from edge.scope import Ends, Request, scope_of
from edge.shared import Shared
from edge.sliced import SlicedEntry

JOINED_BYTES_MAX: Final = 16_384  # head and body leave as one bytes object up to here
_OF_HITS: Final = frozenset({b"GET", b"HEAD"})
_ASCII: Final = bytes(range(128)) + b"x" * 128
FIRST_REQUEST_S: Final = 1.0  # at the end of a drain, for connections that have asked nothing yet
LINGER_S: Final = 2.0  # after an early answer: a reset would overtake it if nobody read on
LINGER_BYTES_MAX: Final = 4 << 20


class EdgeProtocol(HttpToolsProtocol):
    """One connection. `shared` comes with the class: see `bind`."""

    shared: Shared
    chunks = True  # it can frame a body whose length is not known

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = None  # type: ignore[assignment]
        self._scheme = b"http"
        self._facts: Facts | None = None  # of the last plain head here
        self._busy = False  # a response is on its way, or writes are paused: nothing is read
        self._body: RequestBody | None = None  # whose bytes come next
        self._unread = b""  # bytes of later requests, or of a head that is not complete
        self._discard_bytes = 0  # still to be read of what nobody answers any more
        self._ending = False
        self._quiet_since = 0.0
        self._opened_at = 0.0  # equal to the above until a request was answered
        self._head_timer: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._logged = b""  # what each line of the log says of who asks
        self._logged_prefix: bytes | None = None  # and the prefix of keys that this is of
        self._stall = Pace()
        self._client: str | None = None  # whom this connection counts for

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._scheme = b"https" if self.scheme == "https" else b"http"
        self._quiet_since = self._opened_at = monotonic()
        self._arm(self.shared.limits.keep_alive_s)
        if len(self.connections) > self.shared.limits.connections_max:
            self._refuse(RefusedHeadError("connections-max"))
            return
        try:
            self._client = self.shared.clients.enter(self.address)
        except OverflowError:
            self._refuse(RefusedHeadError("client-connections-max"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        self._disarm_head()
        self.shared.clients.leave(self._client)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnect()  # type: ignore[attr-defined]
        self.cycle = None  # type: ignore[assignment]
        self.flow.resume_writing()
        self._busy = True
        self._unread = b""
        if exc is None:
            self.transport.close()

    def forget_lines(self) -> None:
        """Read the next head anew: other policies may make something else of it."""
        self._facts = None

    def drain(self) -> None:
        """The next answer is the last one here, and the app gives it."""
        self._facts = None

    def shutdown(self) -> None:
        """Drain: answer what has been asked, or is about to be for the first time, then close."""
        self._ending = True
        self.shared.drain()
        self.drain()
        if self._responding():
            self.cycle.keep_alive = False
        elif self._quiet_since == self._opened_at:
            self.loop.call_later(FIRST_REQUEST_S, self._close_if_quiet)
        elif not self._unread and not self._discard_bytes:
            self.transport.close()

    def _close_if_quiet(self) -> None:
        if not self._busy and not self._unread:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._busy = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._busy = self._responding() or self._discard_bytes != 0
        self._quiet_since = monotonic()
        if self._responding():
            self.cycle.writable()  # type: ignore[attr-defined]
        if not self._busy:
            self._resume()

    def reads_slower_than(self, bps: float, patience_s: float, now_mono: float) -> bool:
        """Whether a player that holds memory has taken less than `bps` for `patience_s` seconds."""
        return self._pace.is_below(bps, patience_s, transport=self.transport, now_mono=now_mono)

    # bytes in

    def data_received(self, data: bytes) -> None:
        facts = self._facts
        # A player's field lines seldom change from one request to the next. Those that the parser
        # accepted once on this connection are known by their bytes: 4 us instead of 11 for a hit.
        if facts is not None and not self._busy and not self._unread:
            line = b""
            if data.endswith(facts.tail):
                line = data[: -len(facts.tail)]
            elif (again := self.shared.lines.again(facts, data)) is not None:
                line, facts = again
            if (
                line.startswith(b"GET /")
                and line.endswith(b" HTTP/1.1")
                and self._body is None
                and (
                    self._hit(line[4:-9], facts)
                    or (self._facts is not None and self._follow(line[4:-9], facts))
                )
            ):
                return
        if self._discard_bytes:
            self._discard(data)
            return
        if self._unread:
            data = self._unread + data
            self._unread = b""
        self._advance(data)

    def _advance(self, data: bytes) -> None:
        """Go through bytes one message at a time, as far as responses allow."""
        while data:
            if self._body is not None:
                data = self._feed_body(self._body, data)
            elif self._busy:
                self._unread = data
                self.flow.pause_reading()
                return
            else:
                if data.startswith(b"\r\n"):  # RFC 9112 §2.2
                    data = data[2:]
                    continue
                end = data.find(b"\r\n\r\n") + 4
                if end == 3 or end > self.shared.limits.head_max_bytes:
                    self._incomplete(data)
                    return
                self._disarm_head()
                head = data[:end]
                if self._hit_of_head(head):
                    data = data[end:]
                    continue
                try:
                    self._feed_head(head)
                except RefusedHeadError as refusal:
                    self._refuse(refusal)
                    return
                data = data[end:]
        if self._ending and not self._busy and self._body is None:
            self.transport.close()

    def _incomplete(self, data: bytes) -> None:
        """Keep the beginning of a head, within its limits of size and time."""
        limits = self.shared.limits
        line, line_end, _ = data.partition(b"\r\n")
        try:
            if len(line) > limits.url_max_bytes + 16:
                raise RefusedHeadError("url-too-long")
            if len(data) >= limits.head_max_bytes:
                raise RefusedHeadError("head-too-large")
            if has_bare_line_end(data.removesuffix(b"\r")):
                raise RefusedHeadError("bare-line-end")
            if line_end:
                read_line(line)
        except RefusedHeadError as refusal:
            self._refuse(refusal)
            return
        self._unread = data
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(limits.head_read_s, self._head_late)

    def _feed_head(self, head: bytes) -> None:
        """Validate one complete head and answer it, or begin to."""
        if has_bare_line_end(head):
            raise RefusedHeadError("bare-line-end")
        line, *lines = head[:-4].split(b"\r\n")
        if len(line) > self.shared.limits.url_max_bytes + 16:
            raise RefusedHeadError("url-too-long")
        method, target, version = read_line(line)
        context = Context(method, version, self._scheme, self._server_name())
        facts = read_facts(head[len(line) :], read_fields(lines), context)
        target = origin_form(method, target, facts)
        if not self._is_accepted(head):  # what would follow is not HTTP any more
            facts.keep_alive = facts.plain = False
            length: int | None = 0
        else:
            length = body_length(facts)
        body = RequestBody(length)
        self._body = None if body.complete else body
        self._begin(method, target, facts, length)

    def _is_accepted(self, head: bytes) -> bool:
        """Whether what follows a head is HTTP: not so after an upgrade, refused by passing over it.

        The parser looks at every head that was read here already. Raises RefusedHeadError.
        """
        try:
            # it takes no target beyond ASCII; what a target may hold `origin_form` has said
            line, mark, lines = head.partition(b"\r\n")
            plain = line.translate(_ASCII) + mark + lines
            httptools.HttpRequestParser(_HEARS_NOTHING).feed_data(plain)
        except httptools.HttpParserUpgrade:
            return False
        except httptools.HttpParserError:
            raise RefusedHeadError("syntax") from None
        return True

    def _feed_body(self, body: RequestBody, data: bytes) -> bytes:
        """Take what belongs to this request's body; return the rest."""
        try:
            piece, rest = body.feed(data)
        except RefusedHeadError as refusal:
            self._body = None
            if self._responding():
                self.shared.counters.refuse(refusal.reason)
                self.transport.abort()
            else:
                self._refuse(refusal)
            return b""
        cycle = self.cycle if self._responding() else None
        if piece and cycle is not None:
            cycle.feed(piece)  # type: ignore[attr-defined]
        if body.complete:
            self._body = None
            if cycle is not None:
                cycle.end_of_body()  # type: ignore[attr-defined]
        return rest

    # the hit path

    def _hit_of_head(self, head: bytes) -> bool:
        """Answer a complete head from memory, if it is a plain one and that is all it takes."""
        at = head.find(b"\r\n")
        line = head[:at]
        if not line.endswith(b" HTTP/1.1") or not self.shared.has_hits:
            return False
        method, _, target = line[:-9].partition(b" ")
        if method not in _OF_HITS or not is_target(target):
            return False
        known = self.shared.lines
        lines = head[at + 2 : -4].split(b"\r\n")
        facts = known.facts(head[at:], lines, method, self._scheme)
        if facts is None:
            return False
        keep = method == b"GET" and len(facts.tail) <= TAIL_KEPT_BYTES_MAX
        if keep and self._facts is not None:
            facts.gap = gap_between(self._facts, facts)
        self._facts = facts if keep else None
        if self._hit(target, facts):
            return True
        return self.shared.lines is known and self._follow(target, facts)

    def _hit(self, target: bytes, facts: Facts) -> bool:
        """Answer from memory, if that is all it takes; everything a hit does is in here."""
        shared = self.shared
        follower = shared.follower
        if follower.epoch_word[0] != follower.word:
            lines = shared.lines
            follower.catch_up()
            if shared.lines is not lines:
                return False  # other policies read this head in another way, perhaps
        key = target
        if b"CMCD=" in target:
            if not is_target(target):
                return False
            key = normalise(target)[1]
        key = facts.prefix + key
        entry = shared.memory.index.shards[hash(key) & SHARD_MASK].get(key)
        if type(entry) is Variants:
            entry = entry.entries.get(facts.variant(entry.vary))
        if entry is None:
            return shared.policies.reduces and self._hit_reduced(target, facts)
        now = monotonic()
        if now >= entry.fresh_until:  # type: ignore[union-attr]
            return type(entry) is SlicedEntry and self._hit_slices(entry, facts, target, now)
        assert type(entry) is Entry
        entry.mark += 1
        counters = shared.counters
        counters.hits += 1
        self._quiet_since = now
        if facts.selecting or facts.method == b"HEAD":
            status, length = self._part(entry, facts, now)
        else:
            head = entry.hit_head(now)
            status, length = 0, entry.length
            if length <= JOINED_BYTES_MAX:
                self.transport.write(head + entry.slices[0] if length else head)
            else:
                self.transport.writelines([head, *entry.slices])
        counters.hit_bytes += length
        if shared.log is not None:
            status = status or int(entry.hit_head(now)[9:12])
            self._log(target, facts, (entry.fresh_until - now, status, length))
        return True

    def _hit_reduced(self, target: bytes, facts: Facts) -> bool:
        """Look again for what rules leave of the query; what was sent is not stored as it is."""
        reduced = self.shared.policies.reduced(facts.host, target)
        return reduced != target and self._hit(reduced, facts)

    def _hit_slices(self, entry: SlicedEntry, facts: Facts, target: bytes, now: float) -> bool:
        """Answer with slices, if all that it takes are there."""
        if now >= entry.part_until or not facts.selecting or lacks(entry, facts.request):
            return False
        entry.mark += 1
        self.shared.counters.hits += 1
        self._quiet_since = now
        status, length = self._part(entry, facts, now)
        self.shared.counters.hit_bytes += length
        if self.shared.log is not None:
            self._log(target, facts, (entry.part_until - now, status, length))
        return True

    def _log(self, target: bytes, facts: Facts, answer: tuple[float, int, int]) -> None:
        """Log a hit, given its lifetime left, its status and the bytes of its body."""
        if facts.prefix is not self._logged_prefix or facts.method == b"HEAD":
            self._logged_prefix = facts.prefix if facts.method == b"GET" else None
            self._logged = asked_by(self.address, b"1.1", facts.method, facts.host)
        ttl_s, status, length = answer
        log = self.shared.log
        assert log is not None
        log.hit(self._quiet_since, self._logged, target, status, length, int(ttl_s))

    def _part(self, entry: Entry, facts: Facts, now: float) -> tuple[int, int]:
        """Answer with less than the whole; return its status and the bytes of its body."""
        wish, stored, transport = facts.wish, entry.stored, self.transport
        # the two plainest of what `plan` decides, which takes 5 us
        if type(wish) is bytes and wish == stored.etag and 200 <= stored.status < 300:
            planned = NOT_MODIFIED
        elif type(wish) is tuple and stored.status == 200 and wish[0] < entry.length:
            first, last = wish[0], min(wish[1], entry.length - 1)
            pieces = entry.pieces(first, last)
            transport.writelines([entry.partial_head(now, first, last), *pieces])
            return 206, last - first + 1
        else:
            planned = plan(facts.request, stored, entry.length)
        shape = planned.shape
        if shape is Shape.NOT_MODIFIED:
            transport.write(entry.not_modified_head(now))
            return 304, 0
        if shape is Shape.UNSATISFIABLE:
            transport.write(entry.unsatisfiable_head(now))
            return 416, 0
        if shape is Shape.PART:
            pieces = entry.pieces(planned.first, planned.last)
            transport.writelines([entry.partial_head(now, planned.first, planned.last), *pieces])
            return 206, planned.last - planned.first + 1
        if shape is Shape.PARTS:
            around = multipart(planned.spans, entry.length, stored.fields)
            pieces = around.pieces(entry.pieces)
            transport.writelines([entry.multipart_head(now, around), *pieces])
            return 206, around.length
        head = entry.hit_head(now)
        if facts.method == b"HEAD":
            transport.write(head)
            return stored.status, 0
        transport.writelines([head, *entry.pieces(0, entry.length - 1)])
        return stored.status, entry.length

    # the way of a miss

    def _follow(self, target: bytes, facts: Facts) -> bool:
        """Answer with what a fill brings, if that is all it takes."""
        if facts.selecting or facts.method != b"GET" or not is_target(target):
            return False
        follower = self.shared.following.of(self, target, facts)
        if follower is None:
            return False
        self._busy = True
        self.cycle = follower  # type: ignore[assignment]
        follower.go_on()
        return True

    def go_slow(self, follower: Follower) -> None:
        """Let the app answer what a follower can't."""
        self._begin(b"GET", follower.target, follower.facts, reader=follower)

    @property
    def address(self) -> bytes:
        """The player's."""
        return self.client[0].encode() if self.client else b"unknown"

    @property
    def is_ending(self) -> bool:
        """Whether this answer is the connection's last."""
        return self._ending or self.shared.is_draining

    # the slow path

    def _begin(
        self,
        method: bytes,
        target: bytes,
        facts: Facts,
        length: int | None = 0,
        reader: Follower | None = None,
    ) -> None:
        """Hand the request to the app, with its place in a fill if it has one."""
        cycle = Cycle(
            self,
            method=method,
            http_10=facts.version == b"1.0",
            keep_alive=facts.keep_alive and not self.is_ending,
            expects=expects_continue(facts) and facts.version == b"1.1",
        )
        if self._body is None:
            cycle.end_of_body()
        ends = Ends(self.server, self.client, self.shared.peers)
        scope = scope_of(Request(target, facts, length), ends, cycle, reader)
        self.cycle = cycle  # type: ignore[assignment]
        self._busy = True
        cycle.start(self.app, scope, self.tasks, reader)

    def _responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.cycle = None  # type: ignore[assignment]
        if self.transport.is_closing() or self._discard_bytes:
            return
        self._quiet_since = monotonic()
        self._busy = self.flow.write_paused
        if not self._busy:
            # not from within the response's own task: a deep pipeline would recurse
            self.loop.call_soon(self._resume)

    def _resume(self) -> None:
        """Go on with what was read while a response was on its way."""
        if self._busy or self.transport.is_closing():
            return
        data, self._unread = self._unread, b""
        if data:
            self._advance(data)
        if not self._busy:
            self.flow.resume_reading()
            if self._ending and not self._unread:
                self.transport.close()

    def _takes_nothing(self) -> bool:
        """Whether a player has taken nothing of what waits for it for too long."""
        patience_s = self.shared.limits.reader_idle_s
        return self._stall.is_below(1.0, patience_s, transport=self.transport, now_mono=monotonic())

    # refusals and time

    def _refuse(self, refusal: RefusedHeadError) -> None:
        self.shared.accounts.refused(self.address, refusal.reason, refusal.status)
        self.transport.write(refusal.answer())
        self.linger()

    def linger(self) -> None:
        """Say nothing more, but read on for a while: what comes is thrown away."""
        self._busy = True
        self._unread = b""
        self._discard_bytes = LINGER_BYTES_MAX
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self, data: bytes) -> None:
        self._discard_bytes -= len(data)
        if self._discard_bytes <= 0:
            self.transport.close()

    def _server_name(self) -> bytes:
        if self.server is None:
            return b"localhost"
        host, port = self.server
        return f"{host}:{port}".encode() if port else b"localhost"

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._busy and not self.transport.is_closing():
            self._refuse(RefusedHeadError("head-too-slow"))

    def _disarm_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _arm(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            after_s, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been quiet for too long; one timer serves many requests."""
        if self.transport.is_closing():
            return
        limit_s = self.shared.limits.keep_alive_s
        quiet_s = monotonic() - self._quiet_since
        if self._busy or self._unread:
            if self._takes_nothing():
                self.shared.counters.readers_cut += 1
                self.transport.abort()
                return
            self._arm(limit_s)
        elif quiet_s >= limit_s:
            self.transport.close()
        else:
            self._arm(limit_s - quiet_s)


class _HearsNothing:
    """What the parser calls: without `on_header` and `on_url` it only validates (2 us a head)."""


_HEARS_NOTHING: Final = _HearsNothing()


def bind(shared: Shared) -> type[EdgeProtocol]:
    """The protocol class for uvicorn's `http=`, with what its connections share."""
    return type("BoundEdgeProtocol", (EdgeProtocol,), {"shared": shared})
