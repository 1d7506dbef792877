"""Members that have lost what others have: a store, a disk, a decision. The latest word holds."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from failover import controlling, holding
from failover import member as member_module
from failover.api import Api
from failover.audit_file import AuditFile
from failover.controlling import Controller
from failover.deciding import Decider, Heard
from failover.dns_asking import Asker
from failover.dns_following import DnsFollower
from failover.dns_watching import Watcher
from failover.in_force import InForce
from failover.journal import Journal
from failover.keeping import read, written
from failover.lease_sql import SqlLease
from failover.member import Member
from failover.messages import Message
from failover.model import Dependency, Model, Service, Target, Vantage
from failover.notifying import Notifier
from failover.orders import Kind, Order
from failover.peers import Peer
from failover.target_state import State

OWN = Dependency(provider="own")
NAMES = ("m1", "m2", "m3")
MODEL = Model(
    services=(
        Service(
            name="media",
            targets=tuple(Target(name=name, needs=OWN, probes=()) for name in ("a", "b")),
        ),
    ),
    vantages=tuple(
        Vantage(name=name, region="north", url=f"http://{name}", needs=OWN) for name in NAMES
    ),
)
SWITCH = Order(
    kind=Kind.SWITCH, who="on-call", why="a is wrong", service="media", target="b", force=True
)
REVERT = Order(kind=Kind.REVERT, who="on-call", why="a works")
FREEZE = Order(kind=Kind.FREEZE, who="on-call", why="a test", force=True)


class Members:
    """Three of them that reach each other, those that are there; nothing of them runs by itself."""

    def __init__(self, directory, lease_url: str) -> None:
        self.directory, self.lease_url = directory, lease_url
        self.all: dict[str, Member] = {}
        self.gone: set[str] = set()
        self.told: list[tuple[str, str]] = []  # who told people what
        for name in NAMES:
            self.start(name)

    def start(self, name: str) -> Member:
        """What it keeps is where it was."""
        folder = self.directory / name
        folder.mkdir(exist_ok=True)
        audit = AuditFile(folder / "audit.jsonl")
        vantage = next(each for each in MODEL.vantages if each.name == name)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._carry))
        member = self.all[name] = Member(
            MODEL,
            vantage,
            journal=Journal(name, "boot"),
            in_force=InForce(folder / "decision.json"),
            audit=audit,
            peers={each.name: Peer(each, client) for each in MODEL.vantages if each.name != name},
        )
        notifier = Notifier({})
        notifier.tell = lambda message, done=None: self._tell(name, message, done)  # type: ignore[method-assign]
        member.controller = Controller(
            name,
            decider=Decider(MODEL),
            store=SqlLease(self.lease_url),
            peers=member.peers,
            own=member,
            audit=audit,
            notifier=notifier,
            dns=DnsFollower(
                (), {}, Watcher(asker=Asker()), may_act=member.may_act, told=lambda _: None
            ),
        )
        return member

    def _tell(self, name: str, message: Message, done) -> None:
        self.told.append((name, message.title))
        if done is not None:
            done()

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        if name in self.gone:
            raise httpx.ConnectError("nobody there", request=request)
        app = Api(self.all[name], AuditFile(self.directory / f"{name}.jsonl"), "token").app()
        headers = {**request.headers, "Authorization": "Bearer token"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            answer = await client.request(
                request.method, request.url, headers=headers, content=await request.aread()
            )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def firsts(self, *names: str) -> list[str]:
        """What members use first, all that they say."""
        return [
            "+".join(sorted({max(each.shares, key=lambda s: s[1])[0] for each in said.choices}))
            for name in names or NAMES
            if (said := self.all[name].decision)
        ]


def decided(epoch: int, *orders: Order):
    """What a controller has published: all of it to `a`, and what was ordered since."""
    decider = Decider(MODEL)
    memory = decider.start(0.0)
    for at, order in enumerate((replace(SWITCH, target="a"), *orders)):
        memory = decider.step(memory, Heard(orders=[order]), float(at), epoch).memory
    return memory


async def until(claim) -> None:
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
def members(tmp_path):
    return Members(tmp_path, f"sqlite:///{tmp_path / 'lease.sqlite'}")


@pytest.fixture
def without_lease(tmp_path):
    return Members(tmp_path, f"sqlite:///{tmp_path}/none/lease.sqlite")


async def test_a_store_and_a_disk_that_lost_all_are_not_believed(members):
    """The store begins at 1 again, and who leads knows nothing: the others do."""
    memory = decided(57, SWITCH, FREEZE)
    for name in ("m2", "m3"):
        assert members.all[name].take(memory.decision, memory.ordered)
    first = members.all["m1"]
    task = asyncio.create_task(first.controller.run())
    await until(lambda: all(each.version[0] == 58 for each in members.all.values()))
    assert members.firsts() == ["b", "b", "b"]
    assert [each.who for each in first.ordered.standstills] == ["on-call"]
    assert {pin.target for pin in first.ordered.pins.values()} == {"b"}
    task.cancel()


async def test_a_move_that_the_store_never_heard_of_stands(members):
    """The next controller took what was kept for what is in force: back to what had failed."""
    there = decided(1, REVERT)
    choices = [
        replace(each, order=("b", "a"), shares=(("b", 1.0),)) for each in there.decision.choices
    ]
    store = SqlLease(members.lease_url)
    assert await store.keep(await store.hold("m0", 0.0, epoch=0, epoch_min=0), written(there, 9.0))
    await store.close()
    for name in NAMES:
        assert members.all[name].take(there.decision, there.ordered)
    number = there.decision.number + 1
    moved = replace(there.decision, number=number, choices=tuple(choices))
    assert members.all["m2"].take(moved, there.ordered)
    assert members.firsts() == ["a", "b", "a"]
    first = members.all["m1"]
    task = asyncio.create_task(first.controller.run())
    await until(lambda: all(each.version[0] == 2 for each in members.all.values()))
    assert members.firsts() == ["b", "b", "b"]
    assert {each["a"].state for each in first.controller.memory.standings.values()} == {State.HELD}
    task.cancel()


@pytest.mark.parametrize(("force", "is_left"), [(True, True), (False, False)])
def test_a_pin_whose_target_was_left_is_over_unless_it_was_forced(force, is_left):
    memory = decided(1, replace(SWITCH, target="a", force=force))
    choices = [replace(each, shares=(("b", 1.0),)) for each in memory.decision.choices]
    moved = replace(memory.decision, number=9, choices=tuple(choices))
    met = memory.met([moved, replace(memory.decision, number=8)])
    assert {each.shares for each in met.decision.choices} == {(("b", 1.0),)}
    assert bool(met.ordered.pins) is is_left
    assert memory.met([replace(moved, epoch=0), memory.decision]) is memory


async def test_an_edge_that_has_a_later_order_is_gone_above(members):
    leads = members.all["m1"]
    memory = decided(1)
    assert leads.take(memory.decision, memory.ordered)
    leads.edge = type("Edge", (), {"above": (57, 3)})()
    task = asyncio.create_task(leads.controller.run())
    await until(lambda: leads.version[0] == 58)
    task.cancel()


async def test_a_controller_that_is_overruled_leaves_and_obeys(members):
    """While it led, most members were given an order that it did not hear of."""
    leads = members.all["m1"]
    memory = decided(1)
    assert leads.take(memory.decision, memory.ordered)
    task = asyncio.create_task(leads.controller.run())
    await until(lambda: leads.controller.memory is not None)
    ordered = decided(1000, SWITCH)
    for name in ("m2", "m3"):
        members.all[name].take(ordered.decision, ordered.ordered)
    await until(lambda: all(each.version[0] > 1000 for each in members.all.values()))
    assert members.firsts() == ["b", "b", "b"]
    task.cancel()


async def test_who_leads_again_does_nothing_by_what_it_decided_before(members, monkeypatch):
    """Somebody may have led between, whom it did not hear: DNS was set back until the next step."""
    member = members.all["m1"]
    memory = decided(5)
    assert member.take(memory.decision, memory.ordered)
    for epoch, may in ((0, False), (5, True), (7, False)):
        monkeypatch.setattr(member.controller, "epoch", lambda epoch=epoch: epoch)
        assert member.may_act(member.version) is may
    assert not member.may_act((0, 0))


async def test_what_another_one_decided_is_not_told_again(members, monkeypatch):
    """A name that is not ours to change yet would be left as it is for a minute."""
    monkeypatch.setattr(controlling, "TELL_S", 0.01)
    controller = members.all["m1"].controller
    followed: list[int] = []
    monkeypatch.setattr(controller, "epoch", lambda: 7)
    monkeypatch.setattr(controller.dns, "follow", lambda each: followed.append(each.epoch))
    controller.memory = decided(5)
    task = asyncio.create_task(controller._tell_again(7))
    await asyncio.sleep(0)
    controller.memory = decided(7)
    await until(lambda: followed)
    assert set(followed) == {7}
    task.cancel()


async def test_what_a_killed_controller_had_to_tell_is_told_by_the_next(members):
    memory = decided(1, SWITCH)
    told = [each.text for each in memory.untold]
    assert any("media moves from a" in each for each in told)
    store = SqlLease(members.lease_url)
    assert await store.keep(await store.hold("m0", 0.0, epoch=0, epoch_min=0), written(memory, 9.0))
    task = asyncio.create_task(members.all["m1"].controller.run())
    audit = AuditFile(members.directory / "m1" / "audit.jsonl")
    await until(lambda: set(told) <= {each["text"] for each in audit.last(100)})
    assert any("media moves from a" in title for _, title in members.told)

    async def left():
        kept = await store.kept()
        return [each.text for each in read(kept.text, 0.0).untold] if kept else told

    async with asyncio.timeout(30):
        while set(await left()) & set(told):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    await store.close()


async def test_an_order_without_a_controller_reaches_who_was_not_to_be_had(
    without_lease, monkeypatch
):
    monkeypatch.setattr(member_module, "ALONE_AFTER_S", 0.0)
    monkeypatch.setattr(member_module, "TELL_S", 0.01)
    members = without_lease
    memory = decided(1)
    for each in members.all.values():
        each.take(memory.decision, memory.ordered)
    members.gone = {"m3"}
    answer = await members.all["m1"].order(SWITCH, "")
    assert answer.is_carried_out
    assert "m3 (nobody there) will be told" in answer.text
    assert members.firsts() == ["b", "b", "a"]
    again = members.start("m1")  # it was killed; what it has ordered is where it was
    members.gone = set()
    task = asyncio.create_task(again.run())
    await until(lambda: members.firsts() == ["b", "b", "b"])
    assert again.may_act(again.version)
    task.cancel()


async def test_who_stayed_behind_learns_before_it_orders(without_lease):
    members = without_lease
    memory, ordered = decided(1), decided(1000, SWITCH)
    members.all["m1"].take(memory.decision, memory.ordered)
    for name in ("m2", "m3"):
        members.all[name].take(ordered.decision, ordered.ordered)
    assert (await members.all["m1"].order(FREEZE, "")).is_carried_out
    assert members.firsts() == ["b", "b", "b"]
    assert {each.version[0] for each in members.all.values()} == {2000}
    assert {pin.target for pin in members.all["m1"].ordered.pins.values()} == {"b"}


async def test_where_most_cannot_be_reached_nobody_is_told_anything(without_lease):
    members = without_lease
    memory = decided(1)
    for each in members.all.values():
        each.take(memory.decision, memory.ordered)
    members.gone = {"m2", "m3"}
    answer = await members.all["m1"].order(SWITCH, "")
    assert (answer.is_carried_out, members.firsts()) == (False, ["a", "a", "a"])
    assert "only 1 of 3 members answer" in answer.text


async def test_one_member_tells_people_of_a_store_that_is_gone(without_lease, monkeypatch):
    monkeypatch.setattr(holding, "LEASE_S", 0.0)
    monkeypatch.setattr(holding, "RENEW_S", 0.05)
    members = without_lease
    leases = [each.controller.lease for each in members.all.values()]
    tasks = [
        asyncio.create_task(each.controller.lease.run(each.controller._tell_of_store))
        for each in members.all.values()
    ]
    await until(lambda: all(each.loss_is_told for each in leases))
    assert [name for name, _ in members.told] == ["m1"]
    for task in tasks:
        task.cancel()
