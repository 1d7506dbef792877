"""A worker's limits: those of the policies in force, over the counts that all workers share."""

from __future__ import annotations

from time import monotonic

from edge.clients import TrustedProxies
from edge.gates import Gate, Gates, Refusal
from edge.heads import Facts
from edge.in_force import InForce
from edge.limit_page import LimitPage, make_room
from edge.purges import PurgePage
from edge.ticket import Ticket


class Limiting:
    """One per worker. `gates` is None while nothing is limited."""

    def __init__(
        self, page: PurgePage, worker_no: int, in_force: InForce, proxies: TrustedProxies
    ) -> None:
        make_room(page)
        self._page = LimitPage(page, worker_no)
        self._page.table.attach()
        self._in_force = in_force
        self._proxies = proxies
        self.gates: Gates | None = None
        self.switch()

    def switch(self) -> None:
        """Follow the policies in force; what was used of a limit of the same name stays used."""
        policies = self._in_force.policies
        self.gates = Gates(policies, self._page.table, self._proxies) if policies.limits else None

    def close(self) -> None:
        """Count no more."""
        self.gates = None
        self._page.close()


def admit(gate: Gate, facts: Facts, target: bytes, *, counted: bool) -> Refusal | Ticket | None:
    """What a request that is answered in steps is told, or holds meanwhile; None for neither.

    One that was `counted` already is within its rates.
    """
    now = monotonic()
    refusal = None if counted else gate.step(facts, target, now)
    return refusal or gate.enter(facts, target, now)
