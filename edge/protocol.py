"""A player's connection: plain hits are answered here, at once; all else goes to the app.

What this project touches of uvicorn and httptools' request side is in this file, `connection.py`,
`http_parser.py` and `cycle.py`. Messages are read one at a time, so pipelined requests wait as
bytes, at most one read of them, and are answered in order by construction.
"""

from time import monotonic
from typing import Final

from cache_policies.key import normalise
from cache_policies.provider_tags import ProviderKind
from edge.cycle import Cycle
from edge.delivery import lacks
from edge.door import MARK, Known, opens_anyhow
from edge.entry import Entry
from edge.following import Follower
from edge.gated import Gated
from edge.heads import (
    NOT_OF_TARGETS,
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
from edge.http_parser import is_followed_by_http
from edge.index import SHARD_MASK
from edge.log_lines import asked_by
from edge.refusals import RefusedHeadError
from edge.request_body import RequestBody
from edge.scope import Ends, Request, scope_of
from edge.shared import Shared
from edge.sliced import SlicedEntry
from edge.variants import Variants

JOINED_BYTES_MAX: Final = 16_384  # head and body leave as one bytes object up to here
_OF_HITS: Final = frozenset({b"GET", b"HEAD"})


class EdgeProtocol(Gated):
    """One connection, and what is asked on it."""

    chunks = True  # it can frame a body whose length is not known
    provider: ProviderKind | None = None  # who it is of, if that is told of tags
    known: Known | None = None  # the token of the last request that had one
    known_facts: Facts | None = None  # and what it came with
    _body: RequestBody | None = None  # whose bytes come next
    _facts: Facts | None = None  # of the last plain head here
    _logged = b""  # what each line of the log says of who asks
    _logged_prefix: bytes | None = None  # and the prefix of keys that this is of

    def forget_lines(self) -> None:
        """Read the next head anew: other policies may make something else of it."""
        self._facts = None
        self.take_gate()

    def drain(self) -> None:
        """The next answer is the last one here, and the app gives it."""
        self._facts = None

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
        if not is_followed_by_http(head):  # what would follow is not HTTP any more
            if self._gave_over(target, head):
                return
            facts.keep_alive = facts.plain = False
            length: int | None = 0
        else:
            length = body_length(facts)
        body = RequestBody(length)
        self._body = None if body.complete else body
        self._begin(method, target, facts, length)

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

    def _hit(  # noqa: C901, PLR0912, PLR0915 a call costs more than a branch
        self, target: bytes, facts: Facts, opened: bool = False, asked: bytes = b""
    ) -> bool:
        """Answer from memory, if that is all it takes; everything a hit does is in here.

        `opened` says that a token has been taken off the target, which opens it; `asked` is the
        target without it, where rules left less of it.
        """
        shared = self.shared
        follower = shared.follower
        if follower.epoch_word[0] != follower.word:
            lines = shared.lines
            follower.catch_up()
            if shared.lines is not lines:
                return False  # other policies read this head in another way, perhaps
        now = monotonic()
        if shared.door is not None and target[:2] == MARK:
            bare = shared.door.enter(target, facts, self, now)
            if bare is None:
                return False
            opened, target = bare is not target, bare
        key, at = target, target.find(b"?")
        if at > 0 and b"CMCD=" in target:
            if len(target.translate(None, NOT_OF_TARGETS)) != len(target):
                return False
            if target.startswith(b"CMCD=", at + 1) and target.find(b"&", at) < 0:
                key = target[:at]  # as `normalise` has it, 0.4 us sooner; nearly all are like that
            else:
                key = normalise(target)[1]
        key = facts.prefix + key
        entry = shared.memory.index.shards[hash(key) & SHARD_MASK].get(key)
        if type(entry) is Variants:
            entry = entry.entries.get(facts.variant(entry.vary))
        if entry is None:
            return shared.policies.reduces and self._hit_reduced(target, facts, opened)
        if entry.signed is not opened and not opens_anyhow(target, opened):  # type: ignore[union-attr]
            return False
        if now >= entry.fresh_until:  # type: ignore[union-attr]
            if type(entry) is SlicedEntry:
                return self._hit_slices(entry, facts, asked or target, now)
            entry = shared.steering.rendered(entry, now)  # type: ignore[arg-type]
            if entry is None:
                return False
        assert type(entry) is Entry
        gate = self.hit_gate
        if gate is not None:  # 10 ns; 30 more where hits are limited
            gate.left -= 1
            if gate.left < 0:
                said = self.ask_gate(gate, asked or target, facts, entry)
                if said is not None:
                    return said
        entry.mark += 1
        counters = shared.counters
        counters.hits += 1
        self._quiet_since = now
        if facts.selecting or facts.method == b"HEAD":
            status, length = self.write_part(entry, facts, now)
        else:
            head = entry.hit_head(now)
            status, length = 0, entry.length
            if length <= JOINED_BYTES_MAX:
                self.transport.write(head + entry.slices[0] if length else head)
            else:
                self.write_span(head, entry, 0, length - 1)
        counters.hit_bytes += length
        sampler = shared.sampler
        sampler.left -= 1  # 30 ns; with one sample in hundreds that is all
        if not sampler.left:
            sampler.take(asked or target, facts, self.address, entry.stored.status)
        if shared.log is not None:
            status = status or int(entry.hit_head(now)[9:12])
            self._log(asked or target, facts, (entry.fresh_until - now, status, length))
        return True

    def _hit_reduced(self, target: bytes, facts: Facts, opened: bool) -> bool:
        """Look again for what rules leave of the query; what was sent is not stored as it is."""
        if not is_target(target):
            return False  # pipelined requests, which rules would cut down to the first one's path
        reduced = self.shared.policies.reduced(facts.host, target)
        return reduced != target and self._hit(reduced, facts, opened, target)

    def _hit_slices(self, entry: SlicedEntry, facts: Facts, target: bytes, now: float) -> bool:
        """Answer with slices, if all that it takes are there."""
        if now >= entry.part_until or not facts.selecting or lacks(entry, facts.request):
            return False
        gate = self.hit_gate
        if gate is not None:
            gate.left -= 1
            if gate.left < 0:
                said = self.ask_gate(gate, target, facts, entry)
                if said is not None:
                    return said
        entry.mark += 1
        self.shared.counters.hits += 1
        self._quiet_since = now
        status, length = self.write_part(entry, facts, now)
        self.shared.counters.hit_bytes += length
        sampler = self.shared.sampler
        sampler.left -= 1
        if not sampler.left:
            sampler.take(target, facts, self.address, status)
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

    # the way of a miss

    def _follow(self, target: bytes, facts: Facts) -> bool:
        """Answer with what a fill brings, if that is all it takes."""
        if facts.selecting or facts.method != b"GET" or not is_target(target):
            return False
        if self.gate is not None and (said := self.is_held_up(target, facts)) is not None:
            return said
        follower = self.shared.following.of(self, target, facts)
        if follower is None:
            return False
        self.is_counted = False
        self._busy = True
        self.cycle = follower  # type: ignore[assignment]
        follower.go_on()
        return True

    def go_slow(self, follower: Follower) -> None:
        """Let the app answer what a follower can't."""
        self._begin(b"GET", follower.target, follower.facts, reader=follower)

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
        if reader is None and self.gate is not None:
            cycle.admitted = self.admit(target, facts)
        ends = Ends(self.server, self.client, self.shared.peers, self.provider)
        scope = scope_of(Request(target, facts, length), ends, cycle, reader)
        self.cycle = cycle  # type: ignore[assignment]
        self._busy = True
        cycle.start(self.app, scope, self.tasks, reader)


def bind(shared: Shared) -> type[EdgeProtocol]:
    """The protocol class for uvicorn's `http=`, with what its connections share."""
    return type("BoundEdgeProtocol", (EdgeProtocol,), {"shared": shared})
