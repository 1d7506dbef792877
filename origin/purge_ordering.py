"""Carries an operator's order out: once in the log, then at every edge, then a receipt."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from origin.distribution import PATIENCE_S
from origin.purge_receipts import PurgeReceipt

if TYPE_CHECKING:
    from origin.distribution import Distribution
    from origin.provider_calls import Ability
    from origin.purge_log import Batch, PurgeLog, Wanted
    from origin.purge_orders import Order

AT_ONCE: Final = 8  # orders that wait for acknowledgements
WAITING_MAX: Final = 64  # orders that wait for their turn
IDS_MAX: Final = 1_024  # remembered,
PURGES_MAX: Final = 32_768  # as long as they stand for no more than so many


class BusyError(Exception):
    """Too many orders wait already."""


class OtherOrderError(Exception):
    """The id of this order was given to another one."""


@dataclass(slots=True)
class _Known:
    """What an id stands for."""

    wanted: tuple[Wanted, ...]
    appended: Future[Batch]


class Ordering:
    """Takes orders, each in a thread until its receipt can be written. Thread-safe.

    An order that comes again under its id is not logged again: its receipt says how things stand.
    Ids are remembered until 1024 others came, or such as stand for 32 768 purges, or this process
    ends.
    """

    def __init__(
        self,
        *,
        purge_log: PurgeLog,
        distribution: Distribution,
        clock: Callable[[], float],
        patience_s: float = PATIENCE_S,
        abilities: Callable[[Wanted], Mapping[str, Ability]] = lambda _wanted: {},
    ) -> None:
        """`abilities` says what providers in front make of a purge."""
        self._log = purge_log
        self._distribution = distribution
        self._clock = clock
        self._patience_s = patience_s
        self._abilities = abilities
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._known_purges = 0
        self._waiting = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, "orders")

    def take(self, order: Order) -> Future[PurgeReceipt]:
        """Return the receipt to come. Raises BusyError; the receipt, OtherOrderError."""
        with self._lock:
            if self._waiting >= AT_ONCE + WAITING_MAX:
                raise BusyError
            self._waiting += 1
        receipt = self._threads.submit(self._carry_out, order, time.monotonic())
        receipt.add_done_callback(self._done)
        return receipt

    def close(self) -> None:
        """Wait for the orders under way."""
        self._threads.shutdown(cancel_futures=True)

    def _carry_out(self, order: Order, began_mono: float) -> PurgeReceipt:
        batch = self._appended(order)
        carrying = self._distribution.carry(batch)
        until_mono = began_mono + self._patience_s
        standings = self._distribution.wait(carrying, until_mono=until_mono)
        return PurgeReceipt(
            log=batch.log,
            number=batch.number,
            purges=len(batch.purges),
            began_mono=began_mono,
            ended_mono=time.monotonic(),
            standings=standings,
            abilities=self._abilities(order.wanted[0]),
        )

    def _appended(self, order: Order) -> Batch:
        """Log an order, or find what was logged under its id. Raises OtherOrderError."""
        if order.order_id is None:
            return self._append(order)
        mine = _Known(order.wanted, Future())
        with self._lock:
            known = self._known.setdefault(order.order_id, mine)
            self._known.move_to_end(order.order_id)
            if known is mine:
                self._known_purges += len(mine.wanted)
            while len(self._known) > IDS_MAX or self._known_purges > PURGES_MAX:
                self._known_purges -= len(self._known.popitem(last=False)[1].wanted)
        if known.wanted != order.wanted:
            raise OtherOrderError
        if known is not mine:
            return known.appended.result()
        try:
            batch = self._append(order)
        except BaseException as error:
            with self._lock:  # nothing was logged: it may come again
                if self._known.get(order.order_id) is mine:
                    self._known_purges -= len(self._known.pop(order.order_id).wanted)
            mine.appended.set_exception(error)
            raise
        mine.appended.set_result(batch)
        return batch

    def _append(self, order: Order) -> Batch:
        return self._log.append(order.wanted, now_wall=self._clock())

    def _done(self, _receipt: Future[PurgeReceipt]) -> None:
        with self._lock:
            self._waiting -= 1
