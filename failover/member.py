"""One member: it watches, it acts on the decision in force, and it may be the controller.

Players need none of this: an edge keeps what it was told last, whoever is gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from failover.alone import alone
from failover.at_edge import Edge
from failover.audit_file import AuditFile
from failover.controlling import LOST, TELL_S, Controller
from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.evidence import Report
from failover.in_force import InForce
from failover.journal import PART_ROUNDS_MAX, Journal
from failover.memory import Memory
from failover.model import Model, Vantage
from failover.orders import Answer, Order, Ordered
from failover.peers import Peer, learn, tell_all

ALONE_AFTER_S: Final = 10.0  # without a word from any controller
ALONE_STEP_S: Final = 0.5
ORDERED_EPOCHS: Final = 1_000
"""An order without a controller jumps so far: no controller comes to its epoch by counting."""
ORDER_S: Final = 4.0  # in which an order is given again, if the lease was lost under it
EVIDENCE_S: Final = 1.0

log = logging.getLogger("failover.member")


class Member:
    """What one process does; the controller in it acts while it holds the lease."""

    def __init__(  # noqa: PLR0913 - it is put together in one place
        self,
        model: Model,
        vantage: Vantage,
        *,
        journal: Journal,
        in_force: InForce,
        audit: AuditFile,
        peers: Mapping[str, Peer],
    ) -> None:
        """`peers` are all other members."""
        self.model, self.vantage = model, vantage
        self.peers = peers
        self.edge: Edge | None = None
        self.in_force = in_force
        self.controller: Controller | None = None  # is set before it runs
        self.controller_epoch = 0  # of the last controller that was heard of
        self.is_alone = False
        self._journal, self._audit = journal, audit
        self._urgent = asyncio.Event()  # another one after each time
        journal.follow(self._hurry)
        self._heard_mono = time.monotonic()
        self._decider = Decider(alone(model, vantage), (vantage.region,))
        self._ordered: tuple[Decision, Ordered] | None = None  # what was ordered here alone

    @property
    def ordered_epoch(self) -> int:
        """Of the last order that was carried out here without a controller."""
        return self.in_force.ordered_version[0]

    def join(self, edge: Edge) -> None:
        """Look after an edge; without one there is nothing to decide alone for."""
        self.edge = edge
        self.in_force.follow(edge.act_on)

    def may_act(self, version: tuple[int, int]) -> bool:
        """Say whether it may bring DNS to a decision: its own, or one it was told while nobody led.

        What is of an earlier epoch than the decision in force is over, whoever leads now.
        """
        if version[0] < self.version[0]:
            return False
        leads = self.controller is not None and 0 < self.controller.epoch() == version[0]
        return leads or (self.ordered_epoch == version[0] and not self.hears_a_controller)

    @property
    def version(self) -> tuple[int, int]:
        """Of the decision in force."""
        return self.in_force.version

    @property
    def above(self) -> tuple[int, int]:
        """The version that a decision must reach for this member and its edge to take it."""
        return max(self.version, self.edge.above if self.edge else (0, 0))

    @property
    def decision(self) -> Decision | None:
        """The decision in force."""
        return self.in_force.decision

    def report(self, after: int, boot: str) -> Report:
        """What it has seen after a number of its start."""
        return self._journal.report(after, boot)

    def part_of_report(self, after: int, boot: str) -> Report:
        """The next part of that, as long as one answer may be."""
        return self._journal.report(after, boot, PART_ROUNDS_MAX)

    async def urgency(self, after: int, boot: str, within_s: float) -> None:
        """Return as soon as it has seen something urgent after that number, or time is over."""
        urgent = self._urgent
        if within_s and not self._journal.is_urgent(after, boot):
            try:
                async with asyncio.timeout(within_s):
                    await urgent.wait()
            except TimeoutError:
                pass

    def _hurry(self) -> None:
        self._urgent.set()
        self._urgent = asyncio.Event()
        if self.controller is not None:
            self.controller.hurry()

    @property
    def ordered(self) -> Ordered:
        """The orders that stand, as far as it was told."""
        return self.in_force.ordered

    def take(self, decision: Decision, ordered: Ordered) -> bool:
        """Act on a controller's decision; False if a newer one is in force."""
        self.hear(decision.epoch)
        return self.in_force.take(decision, ordered)

    def hear(self, epoch: int) -> None:
        """Note that a controller is there."""
        if epoch >= self.controller_epoch:
            self.controller_epoch = epoch
            self._heard_mono = time.monotonic()

    @property
    def hears_a_controller(self) -> bool:
        """Whether one was heard of lately."""
        return time.monotonic() - self._heard_mono < ALONE_AFTER_S

    async def run(self) -> None:
        """Look after the edge, with a controller or without, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._decide_alone())
            tasks.create_task(self.in_force.run())
            tasks.create_task(self._carry_on_order())
            if self.edge is not None:
                tasks.create_task(self.edge.run())
                tasks.create_task(self._learn_from(self.edge))

    async def _learn_from(self, edge: Edge) -> None:
        while True:
            await asyncio.sleep(EVIDENCE_S)
            self._journal.add(edge.players())

    async def _decide_alone(self) -> None:
        """While no controller is heard of: own votes, own region, steering and routes only."""
        memory: Memory | None = None
        known = ("", 0)
        while True:
            await asyncio.sleep(ALONE_STEP_S)
            leads = self.controller is not None and self.controller.epoch()
            self.is_alone = not leads and not self.hears_a_controller and self.edge is not None
            if not self.is_alone:
                if memory is not None:
                    self._note("a controller is heard of again")
                memory = None
                continue
            now_mono = time.monotonic()
            if memory is None:
                self._note(f"no controller for {ALONE_AFTER_S:g} s: deciding for this edge")
            if memory is None or _epoch(memory.decision) < self.version[0]:  # an order came since
                memory, known = known_to(self._decider, self.in_force, now_mono), ("", 0)
            report = self._journal.report(known[1], known[0])
            known = report.boot, report.number
            above = self.above
            heard = Heard(reports=[report], version=above)
            step = self._decider.step(memory, heard, now_mono, above[0])
            memory = step.memory
            for event in step.events:
                self._note(f"alone: {event.text}", event.as_json())
            if step.decision is not None:
                self.in_force.take(self._with_the_rest(step.decision), self.ordered)

    def _note(self, text: str, event: Mapping[str, Any] | None = None) -> None:
        """Leave a trace of what is done here by nobody's order."""
        log.warning("%s", text)
        about = event or {"happening": "alone", "who": "amaro", "runbook": "no-controller"}
        self._audit.record({**about, "text": text})

    def _with_the_rest(self, decision: Decision) -> Decision:
        """What is decided alone, and for all other places what was in force."""
        own = {(each.service, each.region) for each in decision.choices}
        rest = [
            each
            for each in (self.decision.choices if self.decision else ())
            if (each.service, each.region) not in own
        ]
        choices = (*decision.choices, *rest)
        return Decision(epoch=decision.epoch, number=decision.number, choices=choices)

    async def order(self, order: Order, holder: str) -> Answer:
        """Carry an order out, here or where the controller is; `holder` is who has the lease."""
        controller = self.controller
        assert controller is not None
        until_mono = time.monotonic() + ORDER_S
        while controller.epoch():
            answer = await controller.order(order)
            if answer is not LOST or time.monotonic() > until_mono:
                return answer
            await asyncio.sleep(ALONE_STEP_S)  # it was not carried out, and may be ours again
        if not order.force:
            why = controller.why_no_lease or f"the controller is {holder or 'not known'}"
            return Answer(False, f"no controller is to be had ({why}); --force acts without one")
        return await self._order_alone(order, controller)

    async def _order_alone(self, order: Order, controller: Controller) -> Answer:
        """An operator's word without a lease: under a later epoch, if most members take it."""
        met = await self._catch_up()
        silent = [each for each in self.peers.values() if each.known.why_not]
        if few := self._too_few(len(self.peers) - len(silent)):
            return Answer(False, f"only {few} members answer. Ask where most can be reached")
        now_mono = time.monotonic()
        decider = controller.decider
        epoch = (met // ORDERED_EPOCHS + 1) * ORDERED_EPOCHS
        known = known_to(decider, self.in_force, now_mono)
        step = decider.step(known, Heard(orders=[order]), now_mono, epoch)
        (answer,) = step.answers
        decision = step.decision or step.memory.decision
        if not answer.is_carried_out:
            return answer
        if decision is None:
            return Answer(False, "nothing was ever decided: there is nothing to do that to")
        ordered = step.memory.ordered
        told = await tell_all(self.peers, decision, ordered)
        missing = [f"{name} ({why})" for name, why in told.items() if why != decision.version]
        if few := self._too_few(len(told) - len(missing)):
            text = f"only {few} members took it: {', '.join(missing)}"
            return Answer(False, f"{text}. Ask where most can be reached")
        self.in_force.take(decision, ordered)
        self.in_force.ordered_version = decision.version
        await self.in_force.keep()
        self._ordered = decision, ordered
        controller.dns.follow(decision)
        taken = 1 + len(told) - len(missing)
        without = f"; {', '.join(missing)} will be told" if missing else ""
        return Answer(True, f"{answer.text}, by {taken} members and no controller{without}")

    async def _catch_up(self) -> int:
        """Take a later decision that others have; return the highest epoch that was met."""
        for newest in sorted(await learn(self.peers), key=lambda each: each[0].version)[-1:]:
            if newest[0].epoch > self.version[0]:
                self.in_force.take(*newest)
        return max([self.above[0], *(each.known.above[0] for each in self.peers.values())])

    def _too_few(self, others: int) -> str:
        """Of how many members this one and so many others are, if they are not the most."""
        members = 1 + len(self.peers)
        return f"{1 + others} of {members}" if 2 * (1 + others) <= members else ""

    async def _carry_on_order(self) -> None:
        """While nobody leads, an order of ours gets to who was not to be had, and into DNS."""
        while True:
            await asyncio.sleep(TELL_S)
            if self.hears_a_controller or not 0 < self.ordered_epoch == self.version[0]:
                continue
            if self.decision and self.version == self.in_force.ordered_version:
                self._ordered = self.decision, self.ordered  # nothing was decided alone since
            if self._ordered is None or self.controller is None:
                continue
            self.controller.dns.follow(self._ordered[0])
            await learn(self.peers)
            behind = {
                name: each
                for name, each in self.peers.items()
                if not each.known.why_not and each.known.version[0] < self.ordered_epoch
            }
            await tell_all(behind, *self._ordered)


def known_to(decider: Decider, in_force: InForce, now_mono: float) -> Memory:
    """What is known where no controller is: the decision in force, and the orders that stand."""
    memory = Memory(at_mono=now_mono)
    if in_force.decision is not None:
        memory = memory.after(in_force.decision, in_force.ordered)
    return decider.fitted(memory)


def _epoch(decision: Decision | None) -> int:
    return decision.epoch if decision else 0
