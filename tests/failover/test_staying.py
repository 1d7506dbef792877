"""Why traffic stays on what is down, and why a plan has no steps: never that it is not used."""

from dataclasses import replace

import pytest

from failover.model import DnsSettings, Model
from failover.orders import Kind, Order
from failover.staying import Stay, in_words, scopes, stays, why_no_steps
from tests.support.failover import Lab, model

A = ("media", "a")
FROZEN = "frozen by bob (we look): nothing moves by itself"
FORCED = "ada forces it (b is full): it is used even while it fails"
NOTHING = "no edge is steered or routed by it, and no DNS provider's API changes its name"


def order(kind: str, **more: object) -> Order:
    who, why = ("bob", "we look") if kind == "freeze" else ("ada", "b is full")
    return Order(kind=Kind(kind), who=who, why=why, **more)  # type: ignore[arg-type]


def to_a(**more: object) -> Order:
    return order("switch", service="media", target="a", force=True, **more)


def lab_of(*orders: Order, regions: str = "north north north", bad: str = "") -> Lab:
    """Return a lab in which `a` was used, then these were ordered, and then these fell."""
    lab = Lab(model("a b own", regions))
    lab.seconds(5)
    lab.second((), *orders)
    lab.seconds(5, bad.split())
    return lab


@pytest.mark.parametrize(
    ("orders", "bad", "failed", "said"),
    [
        ([order("freeze")], "", A, FROZEN),
        ([order("freeze")], "a", A, FROZEN),
        ([order("freeze", service="media")], "", A, FROZEN),
        ([to_a()], "a", A, FORCED),
        ([], "b own", A, "every target fails: the traffic stays where it is"),
        ([], "", A, NOTHING),
        ([], "", ("media", "b"), "it is not what edges or DNS use"),
        ([order("freeze")], "", ("media", "b"), "it is not what edges or DNS use"),
        ([], "b", ("media", "b"), "it is down already, and carries nothing"),
        ([], "", None, "what is there is what is decided"),
    ],
)
def test_why_a_plan_is_empty(orders, bad, failed, said):
    lab = lab_of(*orders, bad=bad)
    supposed = lab.memory.decision
    if failed:
        supposed = lab.decider.rehearsed(lab.memory, failed, lab.now)
    assert why_no_steps(lab.model, lab.memory, supposed, failed) == said


def test_before_anything_is_decided_that_is_said():
    lab = Lab(model())
    assert why_no_steps(lab.model, lab.memory, None, A) == "nothing is decided yet"


def test_what_is_frozen_in_one_region_only_stays_there():
    lab = lab_of(order("freeze", region="north"), regions="north north south south", bad="a")
    assert stays(lab.model, lab.memory, lab.memory.decision, A) == [Stay("north", 1.0, FROZEN)]


def test_one_reason_is_said_once_and_several_with_where():
    assert in_words([Stay("north", 1.0, "x"), Stay("*", 1.0, "x")]) == "x"
    told = [Stay("north", 1.0, "x"), Stay("*", 1.0, "y"), Stay("south", 0.5, "x")]
    assert in_words(told) == "in north, south: x; in DNS: y"


def test_dns_is_no_scope_of_a_service_without_it():
    bare = model()
    dns = DnsSettings(zone="z.", name="media.z.", providers=("one", "two"))
    served = Model(services=(replace(bare.services[0], dns=dns),), vantages=bare.vantages)
    assert scopes(bare) == {"media": ("north",)}
    assert scopes(served) == {"media": ("north", "*")}
