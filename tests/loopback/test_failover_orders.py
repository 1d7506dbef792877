"""Orders that were given without a controller stand, whoever decides after that."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from failover import controlling, holding
from failover import member as member_module
from failover.answer import Answer
from failover.api import Api
from failover.at_edge import Edge
from failover.audit_file import AuditFile
from failover.controlling import Controller, number_met
from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.dns_asking import Asker
from failover.dns_following import DnsFollower, Progress
from failover.dns_watching import Watcher
from failover.evidence import Outcome, Round
from failover.in_force import InForce
from failover.journal import PART_ROUNDS_MAX, Journal
from failover.keeping import read, written
from failover.lease import LeaseStoreError
from failover.lease_sql import SqlLease
from failover.member import Member, known_to
from failover.messages import Message
from failover.model import Dependency, Model, Service, Target, Vantage
from failover.notifying import Notifier
from failover.orders import Kind, Order, Ordered
from failover.peers import ANSWER_BYTES_MAX, Peer
from failover.probe_errors import WHY_CHARACTERS_MAX
from failover.running import dns_message, dns_text
from failover.wire import decision_of_text, decision_to_text, mark_of, report_out

OWN = Dependency(provider="own")
MODEL = Model(
    services=(
        Service(
            name="media",
            targets=tuple(Target(name=name, needs=OWN, probes=()) for name in ("a", "b")),
        ),
    ),
    vantages=(Vantage(name="m1", region="north", url="http://m1", needs=OWN),),
)
SWITCH = Order(
    kind=Kind.SWITCH, who="on-call", why="a is wrong", service="media", target="b", force=True
)

TO_A = replace(SWITCH, target="a")
REVERT = Order(kind=Kind.REVERT, who="on-call", why="a works")


def member_in(directory, lease_url: str, name: str = "m1") -> Member:
    """A member whose controller is not running."""
    directory.mkdir(exist_ok=True)
    audit = AuditFile(directory / "audit.jsonl")
    member = Member(
        MODEL,
        MODEL.vantages[0],
        journal=Journal(name, "boot"),
        in_force=InForce(directory / "decision.json"),
        audit=audit,
        peers={},
    )
    member._journal.controls(Answer())
    member.controller = Controller(
        name,
        decider=Decider(MODEL),
        store=SqlLease(lease_url),
        peers={},
        own=member,
        audit=audit,
        notifier=Notifier({}),
        dns=DnsFollower(
            (), {}, Watcher(asker=Asker()), may_act=member.may_act, told=lambda _: None
        ),
    )
    return member


def first_of(decision: Decision) -> set[str]:
    return {max(each.shares, key=lambda s: s[1])[0] for each in decision.choices}


def kept(epoch: int):
    """What a controller published before: all of it to `a`, and nothing ordered."""
    decider = Decider(MODEL)
    first = decider.step(decider.start(0.0), Heard(orders=[TO_A]), 0.0, epoch)
    return decider.step(first.memory, Heard(orders=[REVERT]), 1.0, epoch).memory


async def test_who_leads_next_obeys_an_order_that_another_member_carried_out(tmp_path):
    store = f"sqlite:///{tmp_path / 'lease.sqlite'}"
    alone, successor = (member_in(tmp_path / name, store, name) for name in ("m1", "m2"))
    memory = kept(1)
    lease = SqlLease(store)
    held = await lease.hold("m0", 0.0, epoch=0, epoch_min=0)
    assert await lease.keep(held, written(memory, 1.0))
    for member in (alone, successor):
        assert member.take(memory.decision, memory.ordered)
    assert (await alone.order(SWITCH, "")).is_carried_out
    text = decision_to_text(alone.decision, alone.ordered)
    assert successor.take(*decision_of_text(text))
    task = asyncio.create_task(successor.controller.run())
    async with asyncio.timeout(30):
        while successor.version[0] <= alone.version[0]:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    assert first_of(successor.decision) == {"b"}
    assert {pin.who for pin in successor.ordered.pins.values()} == {"on-call"}
    task.cancel()


async def test_orders_given_without_a_controller_add_up_and_outlive_a_restart(tmp_path):
    store = f"sqlite:///{tmp_path / 'lease.sqlite'}"
    member = member_in(tmp_path / "m1", store)
    assert member.take(kept(1).decision, kept(1).ordered)
    freeze = Order(kind=Kind.FREEZE, who="on-call", why="a test", force=True)
    for order in (SWITCH, freeze):
        assert (await member.order(order, "")).is_carried_out
    again = InForce(tmp_path / "m1" / "decision.json")
    assert first_of(again.decision) == {"b"}
    assert {pin.target for pin in again.ordered.pins.values()} == {"b"}
    assert [each.who for each in again.ordered.standstills] == ["on-call"]
    alone = known_to(Decider(MODEL, ("north",)), again, 0.0)  # as it decides for its edge
    assert alone.courses["media", "north"].pin is not None
    assert alone.standstills


async def test_where_nothing_was_ever_decided_nothing_is_said_to_be_done(tmp_path):
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    freeze = Order(kind=Kind.FREEZE, who="on-call", why="a test", force=True)
    answer = await member.order(freeze, "")
    assert (answer.is_carried_out, answer.text[:26]) == (False, "nothing was ever decided: ")


async def test_a_freeze_is_told_at_once_though_it_changes_no_decision(tmp_path):
    """Whoever decides alone must know of it; it was told within two seconds."""
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    task = asyncio.create_task(member.controller.run())
    freeze = Order(kind=Kind.FREEZE, who="on-call", why="a test")
    async with asyncio.timeout(30):
        while not (epoch := member.controller.epoch()):  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    task.cancel()
    member.controller._until_mono = float("inf")  # however long this takes
    memory = kept(epoch)
    asked = asyncio.create_task(member.controller.order(freeze))
    await asyncio.sleep(0)
    after, told = await member.controller._step(memory, epoch)
    assert (await asked).is_carried_out
    assert told == after.decision is not None
    assert [each.who for each in after.ordered.standstills] == ["on-call"]


async def leading(controller: Controller) -> int:
    """Return the epoch of its lease, which does not end by itself; nothing of it runs."""
    task = asyncio.create_task(controller.lease.run(controller._tell_of_store))
    async with asyncio.timeout(30):
        while not (epoch := controller.epoch()):  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    task.cancel()
    controller.lease._until_mono = float("inf")
    return epoch


@pytest.mark.parametrize("kind", [Kind.FREEZE, Kind.SWITCH])
async def test_an_order_that_is_not_kept_is_not_said_to_be_done(tmp_path, monkeypatch, kind):
    """It was, and was lost with the controller: the next one reads what was kept before."""
    controller = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}").controller
    memory = kept(epoch := await leading(controller))

    async def silent(*_) -> bool:
        raise LeaseStoreError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(controller._store, "keep", silent)
        asked = asyncio.create_task(controller.order(replace(SWITCH, kind=kind)))
        await asyncio.sleep(0)
        after, told = await controller._step(memory, epoch)
    answer = await asked
    assert (answer.is_carried_out, answer.text[-9:]) == (False, "ask again")
    assert after.ordered == memory.ordered
    assert told is None or (told.version > memory.decision.version and first_of(told) == {"a"})
    asked = asyncio.create_task(controller.order(replace(SWITCH, kind=kind)))
    await asyncio.sleep(0)
    after, _ = await controller._step(after, epoch)
    assert (await asked).is_carried_out
    text = (await controller._store.kept()).text
    assert read(text, 0.0).ordered == after.ordered != memory.ordered


@pytest.mark.parametrize(
    ("is_kept", "said"),
    [(True, controlling.UNKNOWN), (False, controlling.LOST), (None, controlling.UNKNOWN)],
)
async def test_who_is_told_to_ask_again_has_surely_not_been_obeyed(
    tmp_path, monkeypatch, is_kept, said
):
    """What was kept as the lease ended is carried out by the next controller."""
    controller = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}").controller
    memory = kept(epoch := await leading(controller))

    async def late(*_) -> bool:
        controller.lease.lapse()
        if is_kept is None:
            raise LeaseStoreError("no answer")
        return is_kept

    monkeypatch.setattr(controller._store, "keep", late)
    asked = asyncio.create_task(controller.order(SWITCH))
    await asyncio.sleep(0)
    assert await controller._step(memory, epoch) == (memory, None)
    assert await asked is said


async def test_what_was_decided_alone_under_the_same_number_gives_way(tmp_path):
    """It was called as the controller's decision is, and stayed in force for ever."""
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    theirs = kept(1)
    choices = tuple(
        replace(each, order=("b", "a"), shares=(("b", 1.0),)) for each in theirs.decision.choices
    )
    member.in_force.take(replace(theirs.decision, choices=choices), Ordered())
    app = Api(member, AuditFile(tmp_path / "audit.jsonl"), "token").app()
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), headers=headers
    ) as to_member:
        peer = Peer(MODEL.vantages[0], to_member)
        await peer.report(1)
        assert peer.known.mark != mark_of(theirs.decision, theirs.ordered)
        assert await peer.put(theirs.decision, theirs.ordered) == theirs.decision.version
        assert peer.known.disagrees
        heard = Heard(version=number_met(peer))
        step = Decider(MODEL).step(theirs, heard, 2.0, 1)
        assert step.decision is not None
        await peer.put(step.decision, step.memory.ordered)
    assert first_of(member.decision) == {"a"}
    assert not peer.known.disagrees


def failed_at_length(number: int) -> Round:
    """As many bytes as a round may take: no character takes more in JSON."""
    why = "\N{SMILING FACE WITH HORNS}" * WHY_CHARACTERS_MAX
    return Round("s" * 64, "t" * 64, number, Outcome.FAIL, why, 12_345.678)


def test_a_part_of_a_report_is_never_more_than_a_controller_takes():
    """A whole one of 20 000 rounds was, and no later one was heard either."""
    journal = Journal("m1", "boot")
    journal.controls(Answer())
    journal.add(failed_at_length(number) for number in range(PART_ROUNDS_MAX + 1))
    assert len(report_out(journal.report(0, "boot", PART_ROUNDS_MAX))) < ANSWER_BYTES_MAX


async def test_a_long_report_comes_in_parts_and_is_heard_as_one(tmp_path):
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    count = 2 * PART_ROUNDS_MAX + 1
    member._journal.add(Round("s", "t", number, Outcome.FAIL) for number in range(count))
    app = Api(member, AuditFile(tmp_path / "audit.jsonl"), "token").app()
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), headers=headers
    ) as to_member:
        peer = Peer(MODEL.vantages[0], to_member)
        report = await peer.report(1)
        assert [each.number for each in report.rounds] == list(range(count))
        assert report.is_last
        member._journal.add([Round("s", "t", count, Outcome.OK)])
        assert [each.number for each in (await peer.report(1)).rounds] == [count]
        assert (await peer.report(1)).rounds == ()


async def test_people_are_told_of_a_store_that_is_gone(tmp_path, monkeypatch):
    """Without it there is no controller, which is who tells them all else."""
    monkeypatch.setattr(holding, "LEASE_S", 0.0)
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path}/none/lease.sqlite")
    told: list[Message] = []
    monkeypatch.setattr(member.controller._teller._notifier, "tell", told.append)
    task = asyncio.create_task(member.controller.run())
    async with asyncio.timeout(30):
        while not told:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    assert "Check: that store" in told[0].body
    task.cancel()


async def test_an_order_that_comes_as_the_lease_ends_is_answered(tmp_path):
    """It waited for a step of a controller that was none any more."""
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path}/none/lease.sqlite")
    asked = asyncio.create_task(member.controller.order(SWITCH))
    task = asyncio.create_task(member.controller.run())
    async with asyncio.timeout(30):
        assert await asked is controlling.LOST
    task.cancel()


async def test_an_order_that_a_slow_store_holds_up_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(controlling, "CARRIED_OUT_S", 0.2)
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    controller = member.controller
    monkeypatch.setattr(controller._store, "keep", lambda *_: asyncio.Event().wait())
    task = asyncio.create_task(controller.run())
    async with asyncio.timeout(30):
        while not controller.epoch():  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
        assert await controller.order(SWITCH) is controlling.UNKNOWN
        assert await controller.order(SWITCH) is controlling.LOST  # it was not looked at
    task.cancel()


async def moved_alone(member: Member) -> asyncio.Task[None]:
    """Have a member that hears of no controller see its first target fail, and leave it."""
    fails = [Round("media", "a", number, Outcome.FAIL, "refused", 1.0) for number in range(1, 9)]
    works = [Round("media", "b", number, Outcome.OK) for number in range(1, 9)]
    member._journal.add([*fails, *works])
    task = asyncio.create_task(member._decide_alone())
    async with asyncio.timeout(30):
        while member.decision.choice("media", "north").first != "b":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return task


async def test_what_a_member_does_alone_is_in_its_audit_log(tmp_path, monkeypatch):
    monkeypatch.setattr(member_module, "ALONE_AFTER_S", 0.0)
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path}/none/lease.sqlite")
    member.take(kept(1).decision, kept(1).ordered)
    member.edge = Edge(MODEL, MODEL.vantages[0], httpx.AsyncClient())
    task = await moved_alone(member)
    monkeypatch.setattr(member_module, "ALONE_AFTER_S", 60.0)
    audit = AuditFile(tmp_path / "m1" / "audit.jsonl")
    async with asyncio.timeout(30):
        while "heard of again" not in str(audit.last(1)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    told = [each["text"] for each in audit.last(10)]
    assert "deciding for this edge" in told[0]
    assert any(each.startswith("alone: media moves from a") for each in told), told
    task.cancel()


async def test_who_decides_alone_goes_above_what_its_edge_refuses_to_leave(tmp_path, monkeypatch):
    """The edge had a later one than its member, refused what came, and kept a dead target."""
    monkeypatch.setattr(member_module, "ALONE_AFTER_S", 0.0)
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path}/none/lease.sqlite")
    theirs = kept(5)
    member.take(replace(theirs.decision, number=8), theirs.ordered)
    member.edge = Edge(MODEL, MODEL.vantages[0], httpx.AsyncClient())
    member.edge._above["routes"] = 5, 10
    task = await moved_alone(member)
    assert (5, 10) < member.version < (6, 0)
    member.edge._above["routes"] = 57, 3
    async with asyncio.timeout(30):
        while member.version <= (57, 3):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert member.decision.choice("media", "north").first == "b"
    task.cancel()


async def test_a_decision_is_on_the_disk_before_it_is_said_to_be_taken(tmp_path, monkeypatch):
    steps: list[str] = []
    sync, replace_ = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), sync(fd))[1])
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (steps.append("replace"), replace_(path, to))[1]
    )
    member = member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")
    app = Api(member, AuditFile(tmp_path / "audit.jsonl"), "token").app()
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), headers=headers
    ) as to_member:
        theirs = kept(1)
        await Peer(MODEL.vantages[0], to_member).put(theirs.decision, theirs.ordered)
    assert steps == ["fsync", "replace", "fsync"]
    assert InForce(tmp_path / "m1" / "decision.json").decision == theirs.decision


def test_people_are_told_what_to_check_in_dns():
    progress = Progress("media", "route53", "media.edge.test.", state="failed", why="refused")
    assert "(dig)" in dns_message(progress).body
    progress.state = "API failed"
    assert "the credential" in dns_message(progress).body
    progress.why = "route53: zone edge.test.: refused"
    assert dns_text(progress) == "route53: API failed: zone edge.test.: refused"
    progress.state, progress.why = "in force", ""
    assert dns_message(progress) is None
    progress.resolvers = "192.0.2.53 keeps the old records"
    assert not dns_message(progress).is_urgent


async def test_who_passes_an_order_on_waits_until_it_is_carried_out():
    """A step that keeps its memory in a slow store takes longer than a report."""

    def slow(request: httpx.Request) -> httpx.Response:
        if request.extensions["timeout"]["read"] < 4.0:
            raise httpx.ReadTimeout("too soon", request=request)
        return httpx.Response(200, json={"carried_out": True})

    async with httpx.AsyncClient(transport=httpx.MockTransport(slow), timeout=1.0) as to_member:
        assert (await Peer(MODEL.vantages[0], to_member).order({}))["carried_out"]
