"""What limits let through: a gate for each client, asked by whoever answers it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cache_policies.key import split_token
from cache_policies.policies import Policies
from edge.clients import TrustedProxies, client_name
from edge.delivery import Kept, sent_bytes
from edge.heads import Facts
from edge.limit_table import NS_PER_S, Bucket, LimitTable
from edge.meter import Meter
from edge.refusals import READABLE_LINES
from edge.ticket import BURST_NS, Stay, Ticket

GATES_MAX: Final = 16_384  # clients that a worker remembers; others have what the table says
PLACES_MAX: Final = 16_384  # paths of which it remembers which limits are about them,
PLACE_BYTES_MAX: Final = 512  # if they are no longer than that
WAIT_MAX_NS: Final = 5 * NS_PER_S  # for a body's turn under a bandwidth; more are refused
RETRY_MAX_S: Final = 3_600
_OWN: Final = frozenset({b"/.amaro/live", b"/.amaro/ready"})  # answered here, whoever asks
_STATUS: Final = {True: 429, False: 503}  # by whether it is the client's own doing


class On(NamedTuple):
    """The limits that are about a request, by their numbers."""

    of_hits: tuple[int, ...] = ()  # rates in which plain hits count
    rates: tuple[int, ...] = ()
    places: tuple[int, ...] = ()  # that are held
    bodies: tuple[int, ...] = ()  # that are paced


NOTHING: Final = On()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request is told that was too much."""

    reason: str
    status: int
    retry_after_s: int

    def answer(self, *, head_only: bool = False) -> bytes:
        """The whole response; its connection goes on."""
        text = self.reason.encode() + b"\n"
        return (
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"cache-control: no-store\r\ncache-status: amaro-edge; fwd=request; detail=%b\r\n"
            b"%bretry-after: %d\r\ncontent-length: %d\r\n\r\n%b"
            % (
                self.status,
                b"Too Many Requests" if self.status == 429 else b"Service Unavailable",
                self.reason.encode(),
                READABLE_LINES,
                self.retry_after_s,
                len(text),
                b"" if head_only else text,
            )
        )


def retry_after_s(wait_ns: int) -> int:
    """Whole seconds to wait, at least one."""
    return max(1, min(RETRY_MAX_S, -(-wait_ns // NS_PER_S)))


class Gate:
    """One client's. `left` plain hits may pass without a question: the hit path counts it down."""

    __slots__ = ("_buckets", "_gates", "_name", "_rates", "left")

    def __init__(self, gates: Gates, name: bytes) -> None:
        self._gates = gates
        self._name = name
        self._rates: dict[int, Meter] = {}
        self._buckets: dict[tuple[int, bytes], Bucket] = {}  # by limit, and what they count
        self.left = 0

    def of(self, facts: Facts) -> Gate:
        """Whose gate it is for such a request: this one's."""
        del facts
        return self

    def hit(self, facts: Facts, target: bytes, entry: Kept, now: float) -> Refusal | bool:
        """Whether a plain hit on an entry passes, after `left` was counted below 0.

        False when it does but its body has to be paced, which the app does.
        """
        self.left = 0
        gates, now_ns = self._gates, int(now * NS_PER_S)
        if gates.simple is not None:
            meter = self._rate(gates.simple)
            wait_ns = meter.take(now_ns)
            if wait_ns:
                return gates.refusal(gates.simple, "rate", wait_ns)
            self.left, meter.left = meter.left, 0  # these pass here from now on
            return True
        on = self._on(facts, target)
        refusal = self._take(on.of_hits, now_ns)
        if refusal is not None:
            return refusal
        return not on.bodies or self._pays(on.bodies, sent_bytes(entry, facts), now_ns)

    def _pays(self, on: Sequence[int], size_bytes: int, now_ns: int) -> bool:
        """Pay for a body under all of these bandwidths, or under none of them."""
        each_ns = self._gates.each_ns
        costs = [(self.bucket(no, b"b"), int(size_bytes * each_ns[no])) for no in on]
        if len(costs) > 1 and any(
            bucket.wait_ns(cost_ns, BURST_NS, now_ns) for bucket, cost_ns in costs
        ):
            return False
        return all(not bucket.spend(cost_ns, BURST_NS, now_ns) for bucket, cost_ns in costs)

    def step(self, facts: Facts, target: bytes, now: float) -> Refusal | None:
        """Whether a request passes that is no plain hit, as far as rates tell."""
        return self._take(self._on(facts, target).rates, int(now * NS_PER_S))

    def holds(self, facts: Facts, target: bytes) -> bool:
        """Whether such a request holds something while it is answered: then the app answers it."""
        on = self._on(facts, target)
        return bool(on.places or on.bodies)

    def enter(self, facts: Facts, target: bytes, now: float) -> Refusal | Ticket | None:
        """What a request holds while it is answered; None for nothing."""
        gates, now_ns = self._gates, int(now * NS_PER_S)
        on = self._on(facts, target)
        if not (on.places or on.bodies):
            return None
        ticket = Ticket(gates.stay, now_ns)
        for no in on.bodies:
            bucket = self.bucket(no, b"b")
            late_ns = bucket.debt_ns(now_ns) - BURST_NS - WAIT_MAX_NS
            if late_ns > 0:
                return gates.refusal(no, "bandwidth", late_ns)
            ticket.paced.append((bucket, gates.each_ns[no]))
        for no in on.places:
            bucket, held_max = self.bucket(no, b"c"), gates.limits[no].concurrency or 0
            row = bucket.enter(held_max, now_ns)
            if row is None:
                ticket.give_up()
                # one of so many answers ends after about this
                return gates.refusal(no, "concurrency", int(gates.stay.s * NS_PER_S) // held_max)
            ticket.held.append((bucket, row))
        return ticket

    def _on(self, facts: Facts, target: bytes) -> On:
        return self._gates.on(facts, target)

    def _take(self, on: Sequence[int], now_ns: int) -> Refusal | None:
        gates = self._gates
        for no in on:
            if no == gates.simple and self.left:
                self.left -= 1
            elif wait_ns := self._rate(no).take(now_ns):
                return gates.refusal(no, "rate", wait_ns)
        return None

    def _rate(self, no: int) -> Meter:
        limit = self._gates.limits[no]
        rates = self._rates if limit.per_client else self._gates.rates
        meter = rates.get(no)
        if meter is None:
            assert limit.per_s is not None
            workers = self._gates.table.workers
            bucket = self.bucket(no, b"r")
            meter = rates[no] = Meter(bucket, per_s=limit.per_s, burst=limit.burst, workers=workers)
        return meter

    def bucket(self, no: int, kind: bytes) -> Bucket:
        """The bucket of a limit, for what `kind` says: requests, held ones, or bytes."""
        bucket = self._buckets.get((no, kind))
        if bucket is None:
            limit = self._gates.limits[no]
            whose = self._name if limit.per_client else b""
            name = b"\0".join((kind, limit.name.encode(), whose))
            bucket = self._buckets[no, kind] = self._gates.table.bucket(name)
        return bucket


class OwnGate(Gate):
    """A trusted proxy's, for what it asks for itself: only what all share is limited."""

    __slots__ = ()

    def hit(self, facts: Facts, target: bytes, entry: Kept, now: float) -> Refusal | bool:
        """As `Gate.hit`."""
        return self._gates.simple is not None or super().hit(facts, target, entry, now)

    def _on(self, facts: Facts, target: bytes) -> On:
        limits, on = self._gates.limits, super()._on(facts, target)
        return On(*(tuple(no for no in each if not limits[no].per_client) for each in on))


class ProxyGate:
    """That of a trusted proxy's connection: each request is some client's."""

    __slots__ = ("_address", "_facts", "_gate", "_gates", "left")

    def __init__(self, gates: Gates, address: bytes) -> None:
        self._gates = gates
        self._address = address
        self._facts: Facts | None = None  # of the last request, and whose gate it came to
        self._gate: Gate | None = None
        self.left = 0

    def of(self, facts: Facts) -> Gate:
        """The gate of the client that a request is from.

        Those of whom the proxy does not say clearly for whom they are share one: a client that
        has it contradict itself gets no more by that.
        """
        if self._gate is None or facts is not self._facts:
            gates = self._gates
            client = gates.proxies.client(self._address, facts.fields)
            unclear = gates.proxies.is_unclear
            own = gates.proxies.trusts(client) and not unclear(self._address, facts.fields)
            self._gate = OwnGate(gates, b"") if own else gates.of_client(client)
            self._facts = facts
        return self._gate

    def hit(self, facts: Facts, target: bytes, entry: Kept, now: float) -> Refusal | bool:
        """As `Gate.hit`."""
        self.left = 0
        gate = self.of(facts)
        gate.left -= 1
        return gate.left >= 0 or gate.hit(facts, target, entry, now)


class Gates:
    """All gates of a worker, under the limits of one epoch of policies."""

    def __init__(self, policies: Policies, table: LimitTable, proxies: TrustedProxies) -> None:
        self._policies = policies
        self.limits = policies.limits
        self.table = table
        self.proxies = proxies
        self.rates: dict[int, Meter] = {}  # of limits that are not each client's own
        self.each_ns = [NS_PER_S / each.bps if each.bps else 0.0 for each in self.limits]
        self.stay = Stay()
        self._everywhere: On | None = None  # where no limit is about some requests only
        if all(each.is_everywhere for each in self.limits):
            self._everywhere = self._sorted(range(len(self.limits)))
        self._places: dict[tuple[bytes, bytes, bytes], On] = {}
        self._gates: dict[bytes, Gate] = {}
        of_all = self._sorted(range(len(self.limits)))
        self.counts_hits = bool(of_all.of_hits or of_all.bodies)
        self.simple: int | None = None  # the one limit of plain hits: a rate for every client
        if len(of_all.of_hits) == 1 and not of_all.bodies:
            only = self.limits[of_all.of_hits[0]]
            if only.is_everywhere and only.per_client:
                self.simple = of_all.of_hits[0]

    def at(self, address: bytes) -> Gate | ProxyGate:
        """The gate of a new connection."""
        if self.proxies.trusts(address):
            return ProxyGate(self, address)
        return self.of_client(address)

    def of_client(self, address: bytes) -> Gate:
        """The gate of a client; an IPv6 client is its /64."""
        name = client_name(address)
        gate = self._gates.get(name)
        if gate is None:
            if len(self._gates) >= GATES_MAX:
                self._gates.clear()  # what was used is in the table
            gate = self._gates[name] = Gate(self, name)
        return gate

    def on(self, facts: Facts, target: bytes) -> On:
        """The limits that are about a request; whether the edge is ready anybody may ask."""
        if target[:2] == b"/." and target.partition(b"?")[0] in _OWN:
            return NOTHING
        if self._everywhere is not None:
            return self._everywhere
        path = target
        if target[:2] == b"/~":
            path = split_token(target)[1]
        if b"?" in path:
            path = path.partition(b"?")[0]
        place = (facts.method, facts.prefix, path)
        found = self._places.get(place)
        if found is None:
            host = self._policies.host(facts.scheme, facts.host)
            found = self._sorted(
                no
                for no, limit in enumerate(self.limits)
                if limit.holds_of(facts.method, host, path)
            )
            if len(self._places) >= PLACES_MAX:
                self._places.clear()
            if len(path) <= PLACE_BYTES_MAX:
                self._places[place] = found
        return found

    def _sorted(self, numbers: Iterable[int]) -> On:
        on = [(no, self.limits[no]) for no in numbers]
        rates = [(no, each.counts_hits) for no, each in on if each.per_s is not None]
        return On(
            of_hits=tuple(no for no, counts in rates if counts),
            rates=tuple(no for no, _ in rates),
            places=tuple(no for no, each in on if each.concurrency is not None),
            bodies=tuple(no for no, each in on if each.bps is not None),
        )

    def refusal(self, no: int, what: str, wait_ns: int) -> Refusal:
        """What a request is told that a limit refuses."""
        own = self.limits[no].per_client
        reason = f"{'client' if own else 'prefix'}-{what}"
        return Refusal(reason, _STATUS[own], retry_after_s(wait_ns))

    def __len__(self) -> int:
        return len(self._gates)
