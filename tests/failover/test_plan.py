"""Plans: what is to be done, in which words, with which way back, and that nothing is left over."""

import json
from dataclasses import replace

import pytest

from failover.decision import Choice, Decision
from failover.effects import (
    NAMES,
    Effect,
    Key,
    RouteEdge,
    SetRecords,
    SetTtl,
    SteerEdge,
    routes_body,
    steering_body,
)
from failover.model import (
    Channel,
    DnsKind,
    DnsProvider,
    DnsSettings,
    Model,
    Record,
    Service,
    SteeringSettings,
    Vantage,
)
from failover.plan import EXPECTED_S, plan, report, wanted
from tests.support.failover import NEEDS, target

A = Record(type="A", values=("192.0.2.1",))
B = Record(type="CNAME", values=("b.example.net.",))
C = Record(type="A", values=("192.0.2.3",))
AC = Record(type="A", values=("192.0.2.1", "192.0.2.3"))
MEDIA = Service(
    name="media",
    targets=(
        target("a", pathway_host="a.example", route_url="https://a.example", records=(A,)),
        target("b", pathway_host="b.example", pathway_params=(("p", "b"),), records=(B,)),
        target("own", pathway_host="own.example", route_url="https://own.example"),
    ),
    steering=SteeringSettings(server_uri="https://s.example/.amaro/steer", playlists=("/v/*",)),
    dns=DnsSettings(name="media.example.org.", zone="example.org.", providers=("p1", "p2", "us")),
    route_group="",
)
SILENT = Service(name="feed", targets=(target("a"),), route_group="feed")
MODEL = Model(
    services=(MEDIA, SILENT),
    vantages=(
        Vantage(name="v0", region="north", url="", needs=NEEDS, edge_admin="http://v0"),
        Vantage(name="v1", region="south", url="", needs=NEEDS),
    ),
    dns_providers=(
        DnsProvider(name="p1", kind=DnsKind.RFC2136, needs=NEEDS),
        DnsProvider(name="p2", kind=DnsKind.ROUTE53, needs=NEEDS),
        DnsProvider(name="us", kind=DnsKind.OWN, needs=NEEDS),
    ),
    channels=(Channel(name="pager", needs=NEEDS, credential="pager"),),
)


def decision(shares: dict[str, float], *, suspect: bool = False, number: int = 1) -> Decision:
    order = [*shares, *(each for each in ("a", "b", "own") if each not in shares)]
    choices = [
        Choice(
            service="media",
            region=region,
            order=tuple(order),
            shares=tuple(shares.items()),
            suspect=suspect,
        )
        for region in ("north", "south", "*")
    ]
    silent = Choice(service="feed", region="north", order=("a",), shares=(("a", 1.0),))
    return Decision(epoch=1, number=number, choices=(*choices, silent))


def carried_out(observed: dict[Key, Effect], effect: Effect) -> dict[Key, Effect]:
    """Return what is observed after an effect."""
    if isinstance(effect, SetTtl):
        seen = observed[effect.key]
        assert isinstance(seen, SetRecords)
        effect = SetRecords(
            provider=seen.provider,
            zone=seen.zone,
            name=seen.name,
            records=seen.records,
            ttl_s=effect.ttl_s,
        )
    return {**observed, effect.key: effect}


def observe(said: Decision, model: Model = MODEL) -> dict[Key, Effect]:
    return {effect.key: effect for effect in wanted(model, said)}


def test_what_a_decision_wants() -> None:
    route, steer, first, second = (
        step.effect for step in plan(MODEL, decision({"b": 0.75, "a": 0.25}, suspect=True), {})
    )
    assert route == RouteEdge(
        edge="v0", group="", urls=("https://a.example", "https://own.example")
    )
    assert isinstance(steer, SteerEdge)
    assert (steer.shares, steer.order) == ((("b", 0.75), ("a", 0.25)), ("b", "a", "own"))
    assert steer.ttl_s == 5.0
    assert isinstance(first, SetRecords)
    assert isinstance(second, SetRecords)
    assert (first.provider, second.provider) == ("p1", "p2")
    assert first.records == (B,)
    assert first.ttl_s == 20


@pytest.mark.parametrize(
    ("shares", "records", "routed"),
    [
        ({"own": 1.0}, None, "https://own.example"),
        ({"b": 1.0}, (B,), "https://a.example"),
        ({"own": 0.5, "b": 0.5}, (B,), "https://own.example"),
        ({"a": 0.5, "c": 0.5}, (AC,), "https://a.example"),
    ],
)
def test_who_has_no_record_or_route_is_passed_over(
    shares: dict[str, float], records: tuple[Record, ...] | None, routed: str
) -> None:
    """In DNS it is as `chosen` has it, which is what is done: all that share, or nothing new."""
    more = replace(MEDIA, targets=(*MEDIA.targets, target("c", records=(C,))))
    effects = observe(decision(shares), replace(MODEL, services=(more,)))
    dns = effects.get(("set-records", "p1", "media.example.org."))
    route = effects["route-edge", "v0", ""]
    assert isinstance(route, RouteEdge)
    assert (dns.records if isinstance(dns, SetRecords) else None) == records
    assert route.urls[0] == routed


def test_who_has_no_pathway_leaves_players_with_the_next_one() -> None:
    bare = Service(
        name="media",
        targets=(target("a"), target("b", pathway_host="b.example")),
        steering=MEDIA.steering,
    )
    model = Model(services=(bare,), vantages=MODEL.vantages)
    [steer] = wanted(model, decision({"a": 1.0}))
    assert isinstance(steer, SteerEdge)
    assert steer.shares == (("b", 1.0),)


@pytest.mark.parametrize(
    ("names", "order", "first"),
    [("a b own", ("a", "b", "own"), "a"), ("new b", ("b", "new"), "b"), ("x y", ("x", "y"), "x")],
)
def test_a_decision_of_an_older_model_is_carried_out_as_far_as_it_goes(
    names: str, order: tuple[str, ...], first: str
) -> None:
    """Of targets that were all renamed it ended the member, and an edge refused an order without
    those that are new."""
    targets = tuple(
        target(each, pathway_host=f"{each}.example", records=(A,)) for each in names.split()
    )
    model = replace(MODEL, services=(replace(MEDIA, targets=targets),))
    effects = observe(decision({"a": 1.0}), model)
    steer = effects["steer-edge", "v0", "media"]
    assert isinstance(steer, SteerEdge)
    assert (steer.order, steer.shares) == (order, ((first, 1.0),))
    assert (("set-records", "p1", "media.example.org.") in effects) is (names == "a b own")


def test_a_plan_says_how_to_go_back_and_who_acts_on_it_when() -> None:
    before, after = decision({"a": 1.0}), decision({"b": 1.0}, suspect=True)
    steps = plan(MODEL, after, observe(before))
    assert [NAMES[type(step.effect)] for step in steps] == [
        "steer-edge",
        "set-records",
        "set-records",
    ]
    observed = observe(after)
    for step in steps:
        assert step.undo
        observed = carried_out(observed, step.undo)
    assert observed == observe(before)
    assert [step.settled_s for step in steps] == [60.0, 60.0, 60.0]
    assert "1. edge v0 steers media to b 100% (order b, a, own; 5 s) [in 0.5 s" in report(steps)
    assert "to undo: p1 answers media.example.org. with A 192.0.2.1 (60 s)" in report(steps)


def test_a_plan_that_is_carried_out_up_to_any_step_leaves_the_rest_and_then_nothing() -> None:
    decisions = [
        decision({"a": 1.0}),
        decision({"a": 1.0}, suspect=True),
        decision({"b": 1.0}, suspect=True),
        decision({"own": 0.6, "a": 0.4}),
    ]
    for before in decisions:
        for after in decisions:
            observed = observe(before)
            steps = plan(MODEL, after, observed)
            for done, step in enumerate(steps):
                assert plan(MODEL, after, observed) == steps[done:]
                observed = carried_out(observed, step.effect)
                assert carried_out(observed, step.effect) == observed
            assert plan(MODEL, after, observed) == ()


def test_where_only_doubt_is_new_only_the_ttl_changes() -> None:
    doubt = decision({"a": 1.0}, suspect=True)
    steps = plan(MODEL, doubt, observe(decision({"a": 1.0})))
    _, first, _ = steps
    assert first.effect == SetTtl(
        provider="p1", zone="example.org.", name="media.example.org.", ttl_s=20
    )
    assert str(first).startswith("p1 lets resolvers keep media.example.org. for 20 s [in 3 s")


def test_people_are_told_once_of_a_decision() -> None:
    after = decision({"a": 1.0})
    [step] = plan(MODEL, after, observe(after), news="a is up")
    assert step.undo is None
    assert str(step) == "pager is told: a is up [in 5 s]"
    told = {**observe(after), step.effect.key: step.effect}
    assert plan(MODEL, after, told, news="a is up") == ()


def test_a_plan_as_json() -> None:
    steps = plan(MODEL, decision({"a": 1.0}), {}, news="now")
    said = json.loads(json.dumps([step.as_json() for step in steps]))
    assert [each["effect"] for each in said] == [
        "route-edge",
        "steer-edge",
        "set-records",
        "set-records",
        "notify",
    ]
    assert said[0]["undo"] is None
    again = plan(MODEL, decision({"b": 1.0}), observe(decision({"a": 1.0})))
    assert again[0].as_json()["undo"]["effect"] == "steer-edge"
    assert report(()) == "Nothing to do: what is observed is what is decided."


def test_what_is_put_to_an_edge() -> None:
    effects = observe(decision({"b": 1.0})).values()
    body = steering_body((1, 2), [each for each in effects if isinstance(each, SteerEdge)])
    assert body["version"] == [1, 2]
    [service] = body["services"]
    assert service["order"] == ["b", "a", "own"]
    assert service["shares"] == [["b", 1.0]]
    assert service["pathways"][1] == {"id": "b", "host": "b.example", "params": {"p": "b"}}
    group = RouteEdge(edge="v0", group="feed", urls=("https://a.example",))
    assert str(group) == "edge v0 fills group feed by https://a.example"
    assert routes_body((1, 2), [group])["groups"] == {"feed": ["https://a.example"]}


def test_every_effect_has_a_name_and_an_expected_time() -> None:
    assert set(NAMES) == set(EXPECTED_S)
