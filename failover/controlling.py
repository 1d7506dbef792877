"""The controller: decides while it holds the lease, keeps what it knows, then publishes.

A crash between any two lines of `_step` converges: the memory is kept before anything is told, what
is told is compared with what is there, and whoever comes next has a higher epoch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from failover.audit_file import AuditError, AuditFile
from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.dns_following import DnsFollower
from failover.drilling import Drill, begun, end_of, restored, said_of
from failover.evidence import Report
from failover.holding import RENEW_S, Holding
from failover.keeping import written
from failover.lease import Held, LeaseStore, LeaseStoreError
from failover.memory import Memory
from failover.messages import of_store
from failover.notifying import Notifier
from failover.orders import Answer, Order, Ordered
from failover.peers import POLL_S, Peer, learn, loss_is_for, poll, tell_all
from failover.remembering import remembered
from failover.telling import Teller
from failover.wire import mark_of

STEP_S: Final = 0.25
KEEP_S: Final = 30.0  # what matters little is kept so often: 20 000 ballots cost 0.1 s of CPU
CARRIED_OUT_S: Final = 4.0  # an order, or it is told that it was not
TELL_S: Final = 2.0  # between two looks whether everybody has the decision

LOST: Final = Answer(False, "the lease was lost; ask again")
UNKNOWN: Final = Answer(
    False, "the lease's store is slow: whether it is carried out, history and status will say"
)
NOT_KEPT: Final = Answer(
    False, "the lease's store did not say that it kept the order: look at status, and ask again"
)

log = logging.getLogger("failover.controller")


class Own(Protocol):
    """The member that the controller is a part of."""

    @property
    def version(self) -> tuple[int, int]:
        """Of the newest decision heard of."""
        ...

    @property
    def above(self) -> tuple[int, int]:
        """The version that a decision must reach for the member and its edge to take it."""
        ...

    @property
    def decision(self) -> Decision | None:
        """The one it acts on."""
        ...

    @property
    def ordered(self) -> Ordered:
        """The orders that stand, as far as it was told."""
        ...

    def report(self, after: int, boot: str) -> Report:
        """What it has seen itself."""
        ...

    def take(self, decision: Decision, ordered: Ordered) -> bool:
        """Act on a decision; False if a newer one is in force."""
        ...


@dataclass(slots=True)
class Asked:
    """An order that waits for its answer."""

    order: Order
    answer: asyncio.Future[Answer]


class Controller:
    """One member's will to be the controller."""

    def __init__(  # noqa: PLR0913 - it is put together in one place
        self,
        name: str,
        *,
        decider: Decider,
        store: LeaseStore,
        peers: Mapping[str, Peer],
        own: Own,
        audit: AuditFile,
        notifier: Notifier,
        dns: DnsFollower,
    ) -> None:
        """`name` is the member's; `peers` are all others."""
        self.name, self.decider, self.peers = name, decider, peers
        self.dns = dns
        self.memory: Memory | None = None  # while it leads
        self.drill: Drill | None = None  # it is over with this process's turn, however that ends
        self.last_drill = ""  # why it was over
        self.lease = Holding(name, store, lambda: self._met()[0])
        self._store, self._own = store, own
        self._teller = Teller(audit, notifier)
        self._led_epoch = 0  # the last one
        self._reports: list[Report] = []
        self._orders: list[Asked] = []
        self._own_known = ("", 0)
        self._woken = asyncio.Event()
        self._kept_mono = float("-inf")

    def epoch(self) -> int:
        """Return the epoch of our lease; 0 if we hold none."""
        return self.lease.epoch()

    @property
    def held(self) -> Held | None:
        """Who holds the lease, as far as that is known."""
        return self.lease.held

    @property
    def why_no_lease(self) -> str:
        """Why its store does not answer; empty: it does."""
        return self.lease.why_not

    def _met(self) -> tuple[int, int]:
        """The version that a decision must be above for every member and edge to take it."""
        return max([self._own.above, *map(number_met, self.peers.values())])

    async def order(self, order: Order) -> Answer:
        """Carry an order out in the next step; only for who leads."""
        asked = Asked(order, asyncio.get_running_loop().create_future())
        self._orders.append(asked)
        self.hurry()
        try:
            async with asyncio.timeout(CARRIED_OUT_S):
                return await asked.answer
        except TimeoutError:
            if asked not in self._orders:
                return UNKNOWN
            self._orders.remove(asked)
            return LOST

    def hurry(self) -> None:
        """Have the next step at once."""
        self._woken.set()

    def _hear(self, report: Report) -> None:
        self._reports.append(report)
        if report.is_urgent:
            self.hurry()

    def begin_drill(self, drill: Drill) -> Answer:
        """Take a target to fail, from the next step on; only for who leads."""
        if self.memory is None:
            return Answer(False, "this member does not lead")
        if (other := self.drill) is not None:
            text = f"{other.who} drills {other.service}/{other.target}: --stop ends that"
            return Answer(False, text)
        if why := begun(drill, self.decider, self.memory):
            return Answer(False, why)
        said = drill.as_json(time.monotonic())["text"]
        try:
            self._teller.tell_of_drill(drill, said, drill.who, must_write=True)
        except AuditError as error:
            return Answer(False, str(error))
        self.drill, self.last_drill = drill, ""
        return Answer(True, "every round of it is heard as failed while that night's would")

    def end_drill(self, who: str) -> Answer:
        """End it with the next step: the target is as it was, once its vantages have voted anew."""
        if self.drill is None:
            return Answer(False, "no drill is on its way")
        self.drill.ended_by = who
        self.hurry()
        return Answer(True, "the drill is over")

    def _after_drill(self, memory: Memory) -> Memory:
        """Return the memory to go on with; a drill that is over is left out of it."""
        drill = self.drill
        vantages = [each.name for each in self.decider.model.vantages]
        why = drill and end_of(drill, memory, vantages, time.monotonic())
        if drill is None or not why:
            return memory
        self._drop_drill(drill, why)
        return restored(drill, memory)

    def _drop_drill(self, drill: Drill, why: str) -> None:
        self.drill, self.last_drill = None, why
        self._teller.tell_of_drill(drill, f"over: {why}", drill.ended_by or "amaro")

    def api_is_drilled(self, service: str) -> bool:
        """Say whether a drill has it that the first DNS provider's API does not answer."""
        drill = self.drill
        return (
            drill is not None and drill.service == service and drill.api_is_down(time.monotonic())
        )

    async def run(self) -> None:
        """Ask for the lease, and lead while we hold it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.lease.run(self._tell_of_store))
            tasks.create_task(self.dns.run())
            while True:
                if self.epoch():
                    await self._lead(self.epoch())
                else:  # what was asked when it had ended, and nobody knew
                    self._refuse_orders()
                await self._pause(STEP_S)

    async def release(self) -> None:
        """Give the lease back, so that another member need not wait for its end."""
        await self.lease.release()

    async def _tell_of_store(self, why: str) -> bool:
        """Nobody else will: without the store there is no controller that tells people anything.

        One of those who miss it tells them: the first by name. False: it may yet be for us.
        """
        who = await loss_is_for(self.name, self.peers)
        if who != self.name:
            return who == ""
        text = f"the lease's store does not answer {self.name}: {why}"
        log.error("%s", text)
        self._teller.note("store", text)
        self._teller.warn(of_store(text))
        return True

    async def _lead(self, epoch: int) -> None:
        log.info("this member is the controller, epoch %d", epoch)
        memory = await self._remembered()
        met = max(self._met()[0], memory.decision.epoch if memory.decision else 0)
        if met > epoch or (met == epoch and self._led_epoch != epoch):
            log.warning("epoch %d is over: %d has decided", epoch, met)
            self.lease.lapse()  # what the store gives us next is above that
            return
        self._led_epoch = epoch
        self.memory = memory
        self._reports, self._own_known = [], ("", 0)
        self.dns.forget()
        self._teller.note("controller", f"{self.name} is the controller, epoch {epoch}")
        for event in memory.untold:
            self._teller.tell(event)  # who had it to tell may have been killed before
        try:
            async with asyncio.TaskGroup() as tasks:
                every_s = min(POLL_S, self.decider.fresh_min_s / 5)
                running = [
                    tasks.create_task(poll(peer, self.epoch, self._hear, every_s=every_s))
                    for peer in self.peers.values()
                ]
                running.append(tasks.create_task(self._tell_again(epoch)))
                while self.epoch() == epoch:
                    memory = self._after_drill(self.memory)
                    self.memory, decision = await self._step(memory, epoch)
                    if decision is not None:
                        running.append(
                            tasks.create_task(self._tell_everybody(decision, self.memory))
                        )
                        running = [each for each in running if not each.done()]
                    await self._pause(STEP_S)
                for task in running:
                    task.cancel()
        finally:
            self.memory = None
            if self.drill is not None:
                self._drop_drill(self.drill, "this member is not the controller any more")
            self._refuse_orders()
            log.warning("this member is not the controller any more")

    async def _remembered(self) -> Memory:
        """What the last controller kept, and what is in force, here or at another member."""
        known = await learn(self.peers)
        if self._own.decision is not None:
            known.append((self._own.decision, self._own.ordered))
        memory = await remembered(self._store, known, time.monotonic())
        return self.decider.fitted(memory)

    async def _step(self, memory: Memory, epoch: int) -> tuple[Memory, Decision | None]:
        reports, orders = [*self._reports, self._own_report()], self._orders
        self._reports[:], self._orders = [], []
        drill = self.drill
        if drill is not None:
            reports = [drill.laid_over(each, time.monotonic()) for each in reports]
        version = self._met()
        if version[0] > epoch:  # somebody has decided since, who had to be obeyed
            self.lease.lapse()
            return self._lost(memory, orders)
        heard = Heard(reports=reports, orders=[each.order for each in orders], version=version)
        now_mono = time.monotonic()
        left = self._teller.less_told(memory)
        step = self.decider.step(left, heard, now_mono, epoch)
        if drill is not None:
            step = said_of(drill, step)
        is_due = now_mono - self._kept_mono >= KEEP_S
        if step.matters or left is not memory or is_due:
            is_kept = await self._keep(step.memory, now_mono)
            if self.epoch() != epoch:
                return self._lost(memory, orders, LOST if is_kept is False else UNKNOWN)
            if orders and not is_kept:  # the next controller may never know of them
                for each in orders:
                    _answer(each, NOT_KEPT)
                orders, met = [], step.memory.decision
                version = max(version, met.version) if met else version  # should it have kept that
                heard = Heard(reports=reports, version=version)
                step = self.decider.step(left, heard, now_mono, epoch)
                step = said_of(drill, step) if drill is not None else step
        for event in step.events:
            self._teller.tell(event)
        if step.decision is not None:
            self._own.take(step.decision, step.memory.ordered)
            self.dns.follow(step.decision)
        for each, answer in zip(orders, step.answers, strict=True):
            _answer(each, answer)
        # a freeze changes no decision, but who decides alone must know of it, too
        return step.memory, step.decision or (step.memory.decision if orders else None)

    def _lost(self, memory: Memory, orders: list[Asked], why: Answer = LOST) -> tuple[Memory, None]:
        for each in orders:
            _answer(each, why)
        return memory, None

    def _own_report(self) -> Report:
        report = self._own.report(self._own_known[1], self._own_known[0])
        self._own_known = report.boot, report.number
        return report

    async def _keep(self, memory: Memory, now_mono: float) -> bool | None:
        """Return whether it was kept; None: it may have been, or not."""
        held = self.lease.mine
        if held is None:
            return False
        try:
            if not await self._store.keep(held, written(memory, now_mono)):
                self.lease.lapse()
                return False
        except LeaseStoreError as error:  # until the lease is over it is still ours to decide
            self.lease.why_not = str(error)
            self._kept_mono = now_mono + RENEW_S - KEEP_S  # as soon as it may answer again
            return None
        self._kept_mono = now_mono
        return True

    async def _tell_everybody(self, decision: Decision, memory: Memory) -> None:
        for name, version in (await tell_all(self.peers, decision, memory.ordered)).items():
            if isinstance(version, str):
                log.warning("member %s did not take a decision: %s", name, version)

    async def _tell_again(self, epoch: int) -> None:
        """Give the decision to who has not got it, and follow it in DNS after a new start."""
        while self.epoch() == epoch:
            memory = self.memory
            decision = memory.decision if memory is not None else None
            if memory is not None and decision is not None and decision.epoch == epoch:
                ordered = memory.ordered
                self._own.take(decision, ordered)
                self.dns.follow(decision)
                mark = mark_of(decision, ordered)
                behind = {
                    name: each
                    for name, each in self.peers.items()
                    if each.known.version <= decision.version
                    and each.known.mark != mark
                    and not each.known.why_not
                }
                await tell_all(behind, decision, ordered)
            await asyncio.sleep(TELL_S)

    def _refuse_orders(self) -> None:
        for each in self._orders:
            _answer(each, LOST)
        self._orders = []

    async def _pause(self, seconds: float) -> None:
        """Wait for so long; not if somebody has been in a hurry since the last pause."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()


def number_met(peer: Peer) -> tuple[int, int]:
    """The version that a decision must be above for a member, and its edge, to take it."""
    epoch, number = peer.known.version
    return max((epoch, number + peer.known.disagrees), peer.known.above)


def _answer(asked: Asked, answer: Answer) -> None:
    if not asked.answer.done():  # who asked may have gone
        asked.answer.set_result(answer)
