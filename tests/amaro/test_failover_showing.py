"""What `amaro failover status` says in bad states."""

import pytest

from amaro.failover_showing import show_status, why_unled

HALVES = {"service": "media", "region": "north", "shares": [["b", 0.9], ["a", 0.1]]}
ALL = {"service": "media", "region": "north", "shares": [["b", 1.0]]}
SOUTH = {**ALL, "region": "south", "shares": [["a", 1.0], ["b", 0.0]]}
STATUS = {
    "controller": {"name": "m1", "epoch": 1},
    "frozen": [],
    "drill": None,
    "pins": [],
    "decision": {"choices": [ALL, {**ALL, "region": "*"}]},
    "targets": [
        {"service": "media", "target": "b", "region": region, "state": "up", "why": ""}
        | {"votes": {"up": 2, "down": 0, "silent": 0}}
        for region in ("north", "*")
    ],
    "vantages": [{"name": "m1", "region": "n", "counts": True, "why_not": ""}],
    "dns": [],
    "dns_apis": [],
    "steps": 0,
    "kept": [],
}
PIN = {"service": "media", "target": "b", "who": "ada", "why": "a is slow", "is_forced": False}
KEPT = {"service": "media", "target": "b", "share": 0.75, "why": "frozen by bob (x)"}
DNS = {"provider": "knot", "name": "m.", "state": "waiting", "why": "", "wanted": "-"}


@pytest.mark.parametrize(
    ("controller", "choices", "said"),
    [
        (("", ""), [], "nobody has the lease yet; in force: no decision"),
        (("m2", ""), [HALVES], "m2 has the lease, and did not answer here; in force: media b 90%"),
        (("m1", ""), [HALVES], "it begins to lead; in force: media b 90%, a 10%"),
        (("m2", "redis: refused"), [ALL], "redis: refused; in force: media b 100%"),
        (("m1", ""), [ALL, SOUTH], "in force: media in north b 100%; media in south a 100%"),
        (("m1", ""), [ALL, {**ALL, "region": "*"}], "in force: media b 100%"),
    ],
)
def test_why_nobody_leads_and_what_is_in_force(controller, choices, said):
    name, why_not = controller
    status = {"member": "m1", "controller": {"name": name, "why_not": why_not}}
    decision = {"choices": choices} if choices else None
    assert said in why_unled(status | {"decision": decision})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "All is as decided."),
        ({"steps": 1}, "1 step to do (amaro failover plan)."),
        ({"steps": 2}, "2 steps to do (amaro failover plan)."),
        (
            {"decision": None},
            "Nothing is decided yet of media: too little is known of its targets.",
        ),
        (
            {"dns": [DNS | {"resolvers": ""}]},
            "All is as decided, but not yet in DNS at knot.",
        ),
        (
            {"kept": [KEPT | {"region": "north"}, KEPT | {"region": "*"}]},
            "Left so: media/b is down, but carries 75%: frozen by bob (x)",
        ),
        (
            {"kept": [KEPT | {"region": "*"}]},
            "Left so: media/b is down, but carries 75% in DNS: frozen by bob (x)",
        ),
        (
            {"pins": [PIN | {"region": "north"}]},
            "Pinned: media to b in north, by ada: a is slow",
        ),
        (
            {"pins": [PIN | {"region": "north"}, PIN | {"region": "*", "is_forced": True}]},
            "Pinned: media to b in DNS, by ada, even while it fails: a is slow",
        ),
        (
            {"pins": [PIN | {"region": "north"}, PIN | {"region": "*"}]},
            "Pinned: media to b, by ada: a is slow",
        ),
        (
            {"frozen": [{"service": "media", "region": "*", "who": "bob", "why": "x"}]},
            "Frozen: media in DNS, by bob: x",
        ),
        (
            {"drill": PIN | {"why": "monthly", "left_s": 26.3}},
            "Drill: media/b, by ada: monthly, 26 s left; --stop ends it",
        ),
        (
            {"dns_apis": [{"provider": "knot", "why_not": "knot: zone z.: refused"}]},
            "The API of knot fails: zone z.: refused",
        ),
    ],
)
def test_what_is_not_as_every_day_is_said(more, said, capsys):
    show_status(STATUS | more)
    assert said in capsys.readouterr().out.splitlines()


def test_reasons_that_look_like_markup_are_shown_as_they_are(capsys):
    order = {"service": "media", "region": "", "who": "on-call", "why": "see [/runbook]"}
    show_status(
        STATUS
        | {
            "frozen": [order],
            "pins": [PIN | {"region": "north", "who": "[/me]"}],
            "dns_apis": [{"provider": "route53", "why_not": "[/] is no zone"}],
        }
    )
    shown = capsys.readouterr().out
    assert "see [/runbook]" in shown
    assert "[/me]" in shown
    assert "[/] is no zone" in shown
