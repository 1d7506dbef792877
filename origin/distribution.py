"""Brings the log of purges to everybody who has to follow it, each from where it is."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from origin.purge_log import Batch, PurgeLog
    from origin.purge_places import PurgePlaces

log = logging.getLogger(__name__)

PATIENCE_S: Final = 2.0  # with those that have not answered
HEADSTART_S: Final = 0.025  # of the carrier, before pushing begins
RETRY_MIN_S: Final = 0.5
RETRY_MAX_S: Final = 5.0
SAVE_EVERY_S: Final = 10.0  # what is lost with a process is told again, and orders need the disk
REMEMBERED: Final = 256  # acknowledgements of one recipient


class NotToldError(Exception):
    """A recipient did not carry a batch out; the message says why."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Told(NamedTuple):
    """What a recipient said to a batch."""

    number: int  # up to which it has carried out everything
    name: str | None = None
    region: str | None = None
    workers: int | None = None
    edge_id: str | None = None  # no two edges have the same, though they may have one name


class Recipient(Protocol):
    """Somebody who has to hear of every purge: an edge, or a provider in front of edges."""

    @property
    def address(self) -> str:
        """What it is known by; no two have the same."""

    @property
    def is_edge(self) -> bool:
        """Say whether a purge is done only once this one has acknowledged it."""

    def tell(self, batch: Batch) -> Told:
        """Have a batch carried out, from a thread of its own. Raises NotToldError."""

    def close(self) -> None:
        """Give connections back; one that is no edge ends a `tell` that still waits."""


class Carrier(Protocol):
    """A second, faster way to all edges at once, which may fail."""

    def carry(self, batch: Batch, heard: Callable[[str, Told], None]) -> int:
        """Send a batch; return how many get it. It takes 50 ms at most.

        Who acknowledges it later is `heard` of: its address, if it knows that, and what it says.
        """

    def close(self) -> None:
        """Give connections back."""


class Acknowledged(NamedTuple):
    """When a recipient had come to a number, and how that became known."""

    number: int
    at_mono: float
    way: str
    workers: int | None


@dataclass(slots=True, eq=False)
class _Line:
    """One recipient, and how it fares."""

    recipient: Recipient
    place: int = 0
    failures: int = 0  # one after another
    attempts: int = 0
    due_mono: float = 0.0
    reason: str = ""  # of the last failure, "" when there is none
    name: str | None = None
    region: str | None = None
    edge_id: str | None = None  # that its own listener said last
    is_busy: bool = False
    is_asked_again: bool = False  # while it was busy
    heard: deque[Acknowledged] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Carrying(NamedTuple):
    """A batch on its way."""

    number: int
    is_carried: bool  # by the carrier, too
    attempts: dict[str, int]  # before, by address


class Standing(NamedTuple):
    """What is known of one recipient and one number."""

    address: str
    is_edge: bool
    name: str | None
    region: str | None
    place: int
    acknowledged: Acknowledged | None
    reason: str


class Distribution:
    """Tells every recipient what comes after its place, and again until it is done. Thread-safe.

    Places are kept in the catalog, so that nothing is forgotten when a process ends.
    """

    def __init__(
        self,
        *,
        purge_log: PurgeLog,
        places: PurgePlaces,
        recipients: Sequence[Recipient],
        carrier: Carrier | None = None,
    ) -> None:
        self._log = purge_log
        self._places = places
        self._carrier = carrier
        self._lines = {each.address: _Line(each) for each in recipients}
        self._changed = threading.Condition()
        self._saved: dict[str, int] = {}
        self._save_due_mono = 0.0
        self._newest: Batch | None = None
        self._last = 0  # number that is known of
        self._threads = ThreadPoolExecutor(max(1, len(self._lines)), "purges")
        self._places.begin(self._lines)
        self._refresh()

    def carry(self, batch: Batch) -> Carrying:
        """Begin to tell everybody at once."""
        with self._changed:
            self._newest, self._last = batch, max(self._last, batch.number)
            attempts = {address: line.attempts for address, line in self._lines.items()}
        if any(line.place < batch.after for line in self._lines.values()):
            with suppress(SQLAlchemyError):  # the batch is logged: it is told all the same
                self._refresh()  # another process may have told them meanwhile
        is_carried = self._carried(batch)
        now_mono = time.monotonic()
        self._wake(
            line
            for line in self._lines.values()
            if line.place < batch.number and (line.recipient.is_edge or line.due_mono <= now_mono)
        )
        return Carrying(batch.number, is_carried, attempts)

    def edges_behind(self, number: int) -> bool:
        """Say whether some edge has not acknowledged the purges up to a number."""
        with self._changed:
            return any(
                line.place < number for line in self._lines.values() if line.recipient.is_edge
            )

    def wait(self, carrying: Carrying, *, until_mono: float) -> list[Standing]:
        """Return how everybody stands, once all edges have acknowledged or it is too late.

        Where only pushing can help, it is too late once every edge left has failed.
        """
        number, is_carried, attempts = carrying

        def is_over() -> bool:
            return all(
                line.place >= number
                or (not is_carried and line.reason and line.attempts > attempts[address])
                for address, line in self._lines.items()
                if line.recipient.is_edge
            )

        with self._changed:
            self._changed.wait_for(is_over, max(0.0, until_mono - time.monotonic()))
            return [_standing(line, number) for line in self._lines.values()]

    def flush(self, *, patience_s: float = 0.0) -> None:
        """Tell everybody who is behind and due; wait for edges that long."""
        now_mono = time.monotonic()
        if now_mono >= self._save_due_mono:
            self._save()
            self._save_due_mono = now_mono + SAVE_EVERY_S
        self._refresh()
        last = self._log.last()
        with self._changed:
            self._last = max(self._last, last)
            lines = [
                line
                for line in self._lines.values()
                if line.place < last and line.due_mono <= now_mono
            ]
        self._wake(lines)
        if patience_s:
            edges = [line for line in lines if line.recipient.is_edge]
            with self._changed:
                self._changed.wait_for(lambda: not any(e.is_busy for e in edges), patience_s)
            self._save()

    def close(self) -> None:
        """Give connections and threads back."""
        recipients = [line.recipient for line in self._lines.values()]
        for recipient in recipients:
            if not recipient.is_edge:
                recipient.close()
        self._threads.shutdown(cancel_futures=True)
        if self._carrier is not None:
            self._carrier.close()
        for recipient in recipients:
            if recipient.is_edge:
                recipient.close()
        try:
            self._save()
        except SQLAlchemyError:
            log.warning("places in the purge log were not saved; edges are told some of it again")

    def _carried(self, batch: Batch) -> bool:
        """Send a batch by the carrier; say whether somebody gets it.

        If all edges do, pushing waits for them a little: it would cost them and us twice.
        """
        if self._carrier is None:
            return False
        until_mono = time.monotonic() + HEADSTART_S
        listeners = self._carrier.carry(batch, self._heard)
        edges = [line for line in self._lines.values() if line.recipient.is_edge]
        if listeners >= len(edges):
            with self._changed:
                self._changed.wait_for(
                    lambda: all(line.place >= batch.number for line in edges),
                    max(0.0, until_mono - time.monotonic()),
                )
        return bool(listeners)

    def _wake(self, woken: Iterable[_Line]) -> None:
        lines = tuple(woken)
        with self._changed:
            idle = [line for line in lines if not line.is_busy]
            for line in lines:
                line.is_asked_again, line.is_busy = line.is_busy, True
        for line in idle:
            self._threads.submit(self._run, line).add_done_callback(partial(self._ended, line))

    def _run(self, line: _Line) -> None:
        """Tell one recipient all there is."""
        while self._step(line):
            pass

    def _step(self, line: _Line) -> bool:
        """Tell the next batch; False when there is none, or it failed."""
        try:
            batch = self._next(line.place)
            if batch is None:
                return self._go_on(line)
            told = line.recipient.tell(batch)
            if self._is_set_back(batch, told):
                return True
        except NotToldError as error:
            return self._failed(line, str(error), error.retry_after_s)
        except SQLAlchemyError as error:
            return self._failed(line, f"the catalog does not answer: {type(error).__name__}", None)
        if told.number < batch.number:
            return self._failed(line, f"has come to purge {told.number} only", None)
        self._told(line, told, "push")
        return True

    def _is_set_back(self, batch: Batch, told: Told) -> bool:
        """Whether somebody has come further than the log: then all is told under a new name."""
        if told.number <= batch.number or told.number <= self._log.last():
            return False
        log.warning("the purge log was set back: edges start empty")
        self._log.renew(batch.log)
        with self._changed:
            self._newest = None
        return True

    def _next(self, place: int) -> Batch | None:
        with self._changed:
            newest, last = self._newest, self._last
        if place >= last:
            return None
        is_next = newest is not None and newest.after == place and newest.fits_page
        return newest if is_next else self._log.batch_after(place)

    def _go_on(self, line: _Line) -> bool:
        """Whether to look again, since there was more to tell meanwhile; else the line rests."""
        with self._changed:
            line.is_busy, line.is_asked_again = line.is_asked_again, False
            self._changed.notify_all()
            return line.is_busy

    def _ended(self, line: _Line, done: Future[None]) -> None:
        """Let no bug of a recipient go unseen, nor stop it for ever."""
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("telling %s of a purge failed", line.recipient.address, exc_info=error)
            self._failed(line, f"failed: {error!r}", None)
            with self._changed:
                line.is_busy = line.is_asked_again = False

    def _told(self, line: _Line, told: Told, way: str) -> None:
        with self._changed:
            line.attempts += 1
            line.failures, line.due_mono, line.reason = 0, 0.0, ""
            line.name, line.region = told.name or line.name, told.region or line.region
            line.edge_id = told.edge_id or line.edge_id
            if told.number > line.place:
                line.place = told.number
                now_mono = time.monotonic()
                line.heard.append(Acknowledged(told.number, now_mono, way, told.workers))
            self._changed.notify_all()

    def _failed(self, line: _Line, reason: str, retry_after_s: float | None) -> bool:
        """Note a failure; say whether to try again at once, since there is more to tell."""
        with self._changed:
            if line.failures == 0:
                address = line.recipient.address
                log.warning("%s did not take a purge, will repeat: %s", address, reason)
            delay_s = min(RETRY_MAX_S, RETRY_MIN_S * 2.0**line.failures)
            line.due_mono = time.monotonic() + (delay_s if retry_after_s is None else retry_after_s)
            line.failures += 1
            line.attempts += 1
            line.reason = reason
        return self._go_on(line)

    def _heard(self, address: str, told: Told) -> None:
        """Note what came by the carrier, if it is sure from whom.

        Edges of a region have one name, and what they listen at may be `0.0.0.0`, or one port of
        several hosts. Who was pushed to is known by what it said there: its id. Who says to have
        come further than the log is known here has to say so when it is pushed to.
        """
        if told.number > self._last:
            return
        lines = self._lines.values()
        known = (line for line in lines if told.edge_id and line.edge_id == told.edge_id)
        line = next(known, self._lines.get(address))
        if line is not None and line.edge_id in (None, told.edge_id):
            self._told(line, told, "valkey")

    def _refresh(self) -> None:
        """Learn what another process has told them."""
        found = self._places.load()
        with self._changed:
            for address, line in self._lines.items():
                line.place = max(line.place, found.get(address, 0))
                self._saved[address] = found.get(address, 0)

    def _save(self) -> None:
        with self._changed:
            places = {address: line.place for address, line in self._lines.items()}
        new = {address: place for address, place in places.items() if place > self._saved[address]}
        if new:
            self._places.save(new)
            self._saved |= new


def _standing(line: _Line, number: int) -> Standing:
    return Standing(
        address=line.recipient.address,
        is_edge=line.recipient.is_edge,
        name=line.name,
        region=line.region,
        place=line.place,
        acknowledged=next((each for each in line.heard if each.number >= number), None),
        reason=line.reason,
    )
