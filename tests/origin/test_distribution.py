"""Everybody is told everything, in order, for as long as it takes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from edge.orders import BODY_MAX_BYTES
from origin.database import open_engine, sqlite_url
from origin.distribution import Carrier, Distribution, NotToldError, Told
from origin.purge_log import Batch, Kind, PurgeLog, Wanted
from origin.purge_ordering import (
    AT_ONCE,
    PURGES_MAX,
    WAITING_MAX,
    BusyError,
    Ordering,
    OtherOrderError,
)
from origin.purge_orders import Order, parse_order
from origin.purge_places import PurgePlaces

PATIENT_S = 30.0


@dataclass(eq=False)
class Edge:
    """Somebody who remembers what it was told."""

    address: str
    is_edge: bool = True
    name: str | None = None
    edge_id: str | None = None
    fails: str = ""
    retry_after_s: float | None = 0.0
    falls_short: bool = False
    held: threading.Event = field(default_factory=threading.Event)  # answers once it is set
    heard: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # of what it was told, in bytes
    is_closed: bool = False
    place: tuple[str, int] = ("", 0)  # in the log, of before the catalog was set back

    def __post_init__(self) -> None:
        self.held.set()

    def tell(self, batch: Batch) -> Told:
        assert self.held.wait(PATIENT_S)
        if self.fails == "bug":
            raise ZeroDivisionError
        if self.fails:
            raise NotToldError(self.fails, retry_after_s=self.retry_after_s)
        if self.falls_short:
            return Told(batch.after)
        if self.place[0] == batch.log and self.place[1] >= batch.number:
            return Told(self.place[1])  # it knows these numbers
        assert self.heard[-1:] <= [batch.after]
        self.sizes.append(len(httpx.Request("POST", self.address, json=batch.to_mapping()).content))
        self.heard += [purge.number for purge in batch.purges]
        return Told(batch.number, name=self.name, region="north", workers=2, edge_id=self.edge_id)

    def close(self) -> None:
        self.is_closed = True


@dataclass(eq=False)
class ByHand(Carrier):
    """A carrier whose acknowledgements a test makes up."""

    listeners: int = 2
    acknowledges: bool = False  # for all, at once
    told: list[tuple[Batch, Callable[[str, Told], None]]] = field(default_factory=list)

    def carry(self, batch: Batch, heard: Callable[[str, Told], None]) -> int:
        self.told.append((batch, heard))
        if self.acknowledges:
            for address in ("http://a", "http://b"):
                heard(address, Told(batch.number))
        return self.listeners

    def close(self) -> None:
        self.listeners = 0


@dataclass
class Origin:
    """A log, and processes that tell of it."""

    engine: sa.Engine
    log: PurgeLog
    made: list[Distribution] = field(default_factory=list)

    def distribution(self, *edges: Edge, carrier: Carrier | None = None) -> Distribution:
        made = Distribution(
            purge_log=self.log, places=PurgePlaces(self.engine), recipients=edges, carrier=carrier
        )
        self.made.append(made)
        return made

    def append(self, *names: str) -> Batch:
        return self.log.append([Wanted(Kind.TAG, name) for name in names], now_wall=1.0)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    engine = open_engine(sqlite_url(tmp_path / "catalog.sqlite"))
    made = Origin(engine, PurgeLog(engine))
    yield made
    for distribution in made.made:
        distribution.close()
    engine.dispose()


def soon() -> float:
    return time.monotonic() + PATIENT_S


def flushed(distribution: Distribution, holds: Callable[[], bool]) -> None:
    """Flush as the chore does until something holds."""
    until_mono = soon()
    while not holds():
        assert time.monotonic() < until_mono
        distribution.flush(patience_s=0.1)


def test_all_edges_are_told_at_once_and_acknowledge(origin: Origin) -> None:
    a, b = Edge("http://a"), Edge("http://b")
    distribution = origin.distribution(a, b)
    batch = origin.append("x", "y")
    standings = distribution.wait(distribution.carry(batch), until_mono=soon())
    assert [(each.address, each.place) for each in standings] == [
        ("http://a", batch.number),
        ("http://b", batch.number),
    ]
    for each in standings:
        assert each.acknowledged is not None
        assert (each.acknowledged.way, each.region, each.reason) == ("push", "north", "")
    assert a.heard == b.heard == [purge.number for purge in batch.purges]
    assert not distribution.edges_behind(batch.number)
    assert distribution.edges_behind(batch.number + 1)


def test_an_order_that_is_long_is_told_in_parts_that_edges_take(origin: Origin) -> None:
    edge = Edge("http://a")
    distribution = origin.distribution(edge)
    body = json.dumps({"kind": "url", "values": [f"/{n:04d}{'x' * 1_000}" for n in range(1_000)]})
    assert len(body) <= BODY_MAX_BYTES  # of an order, too
    wanted = parse_order(body.encode()).wanted
    batch = origin.log.append(wanted, now_wall=1.0)
    (standing,) = distribution.wait(distribution.carry(batch), until_mono=soon())
    assert standing.acknowledged is not None
    assert edge.heard == [purge.number for purge in batch.purges]
    assert len(edge.sizes) > 1
    assert max(edge.sizes) <= BODY_MAX_BYTES


def test_one_that_fails_is_named_and_told_again(origin: Origin) -> None:
    a, b = Edge("http://a"), Edge("http://b", fails="connection refused")
    distribution = origin.distribution(a, b)
    batches = [origin.append("x"), origin.append("y")]
    for batch in batches:  # ends long before the deadline: nothing more will come of it
        standings = distribution.wait(distribution.carry(batch), until_mono=soon())
        assert [each.place >= batch.number for each in standings] == [True, False]
        assert standings[1].reason == "connection refused"
    b.fails = ""
    flushed(distribution, lambda: b.heard == [batch.number for batch in batches])
    assert a.heard == b.heard


@pytest.mark.parametrize("fault", ["bug", "falls short"])
def test_whatever_an_edge_does_it_is_told_again(origin: Origin, fault: str) -> None:
    edge = Edge("http://a", fails="bug") if fault == "bug" else Edge("http://a", falls_short=True)
    distribution = origin.distribution(edge)
    batch = origin.append("x")
    (standing,) = distribution.wait(distribution.carry(batch), until_mono=soon())
    assert standing.reason
    edge.fails, edge.falls_short = "", False
    flushed(distribution, lambda: edge.heard == [batch.number])


def test_one_that_hangs_holds_nobody_up_and_gets_the_rest_later(origin: Origin) -> None:
    a, b = Edge("http://a"), Edge("http://b")
    b.held.clear()
    distribution = origin.distribution(a, b)
    batches = [origin.append(f"t{n}") for n in range(5)]
    for batch in batches:
        carrying = distribution.carry(batch)
        until_mono = soon()
        while len(a.heard) < len(batches[: batches.index(batch) + 1]):
            assert time.monotonic() < until_mono
            time.sleep(0.001)
        standings = distribution.wait(carrying, until_mono=0.0)
        assert standings[1].place < batch.number
    b.held.set()
    flushed(distribution, lambda: b.heard == a.heard)


def test_another_process_goes_on_where_this_one_was(origin: Origin) -> None:
    away = Edge("http://a", fails="away")
    first = origin.distribution(away, Edge("http://b"))
    batch = origin.append("x")
    first.wait(first.carry(batch), until_mono=soon())
    first.close()
    a, b, new = Edge("http://a"), Edge("http://b"), Edge("http://new")
    second = origin.distribution(a, b, new)
    flushed(second, lambda: a.heard == [batch.number])
    assert b.heard == new.heard == []  # one knows it, one has nothing of that time


def test_what_others_logged_and_told_is_noticed(origin: Origin) -> None:
    mine, theirs = Edge("http://a"), Edge("http://a")
    here, there = origin.distribution(mine), origin.distribution(theirs)
    told = origin.append("x")
    there.flush(patience_s=PATIENT_S)
    assert theirs.heard == [told.number]
    batch = origin.append("y")
    here.wait(here.carry(batch), until_mono=soon())
    assert mine.heard == [batch.number]
    unsaid = origin.append("z")
    last = origin.append("z")
    here.wait(here.carry(last), until_mono=soon())
    assert mine.heard == [batch.number, unsaid.number, last.number]


def test_the_first_acknowledgement_counts(origin: Origin) -> None:
    a, b = Edge("http://a"), Edge("http://b", edge_id="b1")
    carrier = ByHand()
    distribution = origin.distribution(a, b, carrier=carrier)
    distribution.wait(distribution.carry(origin.append("w")), until_mono=soon())
    for edge in (a, b):
        edge.held.clear()
    batch = origin.append("x")
    carrying = distribution.carry(batch)
    heard = carrier.told[-1][1]
    heard("http://a", Told(batch.number, region="south", workers=1))
    heard("http://0.0.0.0:9081", Told(batch.number, edge_id="b1"))
    heard("", Told(batch.number, edge_id="unknown"))
    standings = distribution.wait(carrying, until_mono=soon())
    assert [each.acknowledged and each.acknowledged.way for each in standings] == ["valkey"] * 2
    assert standings[0].region == "south"
    for edge in (a, b):
        edge.held.set()


@pytest.mark.parametrize(
    ("address", "edge_id"), [("http://0.0.0.0:9081", "b1"), ("http://a", "b1"), ("", None)]
)
def test_nobody_acknowledges_for_another(origin: Origin, address: str, edge_id: str | None) -> None:
    """Edges of one region have one name, and may have one address that they listen at."""
    a = Edge("http://a", name="north", edge_id="a1")
    b = Edge("http://b", name="north", fails="cut off")  # but for Valkey
    carrier = ByHand()
    distribution = origin.distribution(a, b, carrier=carrier)
    distribution.wait(distribution.carry(origin.append("x")), until_mono=time.monotonic() + 0.2)
    a.fails = "hangs"
    batch = origin.append("y")
    carrying = distribution.carry(batch)
    carrier.told[-1][1](address, Told(batch.number, name="north", region="north", edge_id=edge_id))
    standings = distribution.wait(carrying, until_mono=time.monotonic() + 0.2)
    assert [each.acknowledged for each in standings] == [None, None]


def test_who_has_heard_by_the_carrier_is_not_pushed_to(origin: Origin) -> None:
    a, b = Edge("http://a"), Edge("http://b")
    distribution = origin.distribution(a, b, carrier=ByHand(acknowledges=True))
    for name in ("x", "y"):
        carrying = distribution.carry(origin.append(name))
        standings = distribution.wait(carrying, until_mono=soon())
        assert all(each.place == carrying.number for each in standings)
    distribution.flush(patience_s=PATIENT_S)
    assert a.heard == b.heard == []


@pytest.mark.parametrize("listeners", [0, 1, 2])
def test_a_carrier_that_nobody_answers_costs_no_purge(origin: Origin, listeners: int) -> None:
    a, b = Edge("http://a"), Edge("http://b")
    distribution = origin.distribution(a, b, carrier=ByHand(listeners=listeners))
    batch = origin.append("x")
    distribution.wait(distribution.carry(batch), until_mono=soon())
    assert a.heard == b.heard == [batch.number]


def test_who_cannot_be_pushed_to_may_still_be_heard_by_the_carrier(origin: Origin) -> None:
    edge, carrier = Edge("http://a", fails="cut off", retry_after_s=None), ByHand()
    distribution = origin.distribution(edge, carrier=carrier)
    batch = origin.append("x")
    carrying = distribution.carry(batch)
    late = threading.Timer(0.2, lambda: carrier.told[0][1]("http://a", Told(batch.number)))
    late.start()
    (standing,) = distribution.wait(carrying, until_mono=soon())
    assert standing.place == batch.number
    late.join()


def test_providers_are_told_but_not_waited_for(origin: Origin) -> None:
    provider = Edge("provider", is_edge=False)
    provider.held.clear()
    distribution = origin.distribution(Edge("http://a"), provider)
    batch = origin.append("x")
    standings = distribution.wait(distribution.carry(batch), until_mono=soon())
    assert [each.place >= batch.number for each in standings] == [True, False]
    distribution.flush(patience_s=PATIENT_S)  # neither is this
    provider.held.set()
    flushed(distribution, lambda: provider.heard == [batch.number])


def test_a_provider_that_wants_to_be_left_alone_is(origin: Origin) -> None:
    provider = Edge("provider", is_edge=False, fails="too many", retry_after_s=300.0)
    distribution = origin.distribution(Edge("http://a"), provider)
    distribution.wait(distribution.carry(origin.append("x")), until_mono=soon())
    until_mono = soon()
    while not distribution._lines["provider"].reason:
        assert time.monotonic() < until_mono
        time.sleep(0.001)
    provider.fails = ""
    distribution.wait(distribution.carry(origin.append("y")), until_mono=soon())
    distribution.flush()
    assert provider.heard == []


def ordered(tag: str, order_id: str | None = None) -> Order:
    return Order(wanted=(Wanted(Kind.TAG, tag),), order_id=order_id)


def test_an_order_that_comes_again_is_logged_once(origin: Origin) -> None:
    edge = Edge("http://a")
    distribution = origin.distribution(edge)
    ordering = Ordering(
        purge_log=origin.log,
        distribution=distribution,
        clock=lambda: 1.0,
        patience_s=PATIENT_S,
    )
    same = [ordering.take(ordered("x", "id-1")) for _ in range(4)]
    numbers = {receipt.result().number for receipt in same}
    assert edge.heard == list(numbers)
    with pytest.raises(OtherOrderError):
        ordering.take(ordered("y", "id-1")).result()
    assert ordering.take(ordered("x")).result().number not in numbers
    ordering.close()


def test_an_order_that_could_not_be_logged_may_come_again(origin: Origin) -> None:
    ordering = Ordering(purge_log=origin.log, distribution=origin.distribution(), clock=lambda: 1.0)
    with origin.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE purge_log RENAME TO away"))
    with pytest.raises(sa.exc.SQLAlchemyError):
        ordering.take(ordered("x", "id-1")).result()
    with origin.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO purge_log"))
    assert ordering.take(ordered("x", "id-1")).result().number == origin.log.last()
    ordering.close()


def test_an_order_that_is_logged_is_told_whatever_the_catalog_says_then(origin: Origin) -> None:
    a, b = Edge("http://a", fails="away"), Edge("http://b")
    distribution = origin.distribution(a, b)
    distribution.wait(distribution.carry(origin.append("x")), until_mono=soon())
    ordering = Ordering(
        purge_log=origin.log,
        distribution=distribution,
        clock=lambda: 1.0,
        patience_s=PATIENT_S,
    )
    with origin.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE purge_places RENAME TO away"))
    receipt = ordering.take(ordered("y")).result()
    with origin.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO purge_places"))
    assert [each.place >= receipt.number for each in receipt.standings] == [False, True]
    ordering.close()


def test_what_is_remembered_of_orders_is_bounded(origin: Origin) -> None:
    ordering = Ordering(purge_log=origin.log, distribution=origin.distribution(), clock=lambda: 1.0)
    wanted = tuple(Wanted(Kind.TAG, str(n)) for n in range(1_000))
    for n in range(PURGES_MAX // len(wanted) + 2):
        ordering.take(Order(wanted=wanted, order_id=str(n))).result()
    assert sum(len(known.wanted) for known in ordering._known.values()) <= PURGES_MAX
    last = ordering.take(Order(wanted=wanted, order_id=str(n))).result()
    assert last.number == origin.log.last()
    ordering.close()


def test_orders_that_wait_are_bounded(origin: Origin) -> None:
    edge = Edge("http://a")
    edge.held.clear()
    ordering = Ordering(
        purge_log=origin.log,
        distribution=origin.distribution(edge),
        clock=lambda: 1.0,
        patience_s=PATIENT_S,
    )
    taken = [ordering.take(ordered("x")) for _ in range(AT_ONCE + WAITING_MAX)]
    with pytest.raises(BusyError):
        ordering.take(ordered("x"))
    edge.held.set()
    last = max(receipt.result().number for receipt in taken)
    assert edge.heard[-1] == last
    assert edge.heard == sorted(edge.heard)
    ordering.take(ordered("x")).result()
    ordering.close()


def test_a_catalog_that_was_set_back_is_told_under_a_new_name(origin: Origin) -> None:
    told = origin.append("a")
    edges = [Edge("http://a", place=(told.log, told.number + 20)), Edge("http://b")]
    carrier = ByHand()
    distribution = origin.distribution(*edges, carrier=carrier)
    batch = origin.append("b")
    carrying = distribution.carry(batch)
    carrier.told[0][1]("http://a", Told(told.number + 20))  # which is not of this purge
    standings = distribution.wait(carrying, until_mono=soon())
    assert [each.acknowledged is not None for each in standings] == [True, True]
    assert edges[0].heard == [batch.number]
    assert origin.log.page(0).log != told.log
