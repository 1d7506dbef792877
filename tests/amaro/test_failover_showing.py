"""What `amaro failover status` says in bad states."""

import pytest

from amaro.failover_showing import show_status, why_unled

CHOICE = {"service": "media", "shares": [["b", 0.9], ["a", 0.1]]}


@pytest.mark.parametrize(
    ("controller", "decision", "said"),
    [
        (("", ""), None, "nobody has the lease yet; in force: no decision"),
        (("m2", ""), {"choices": [CHOICE]}, "m2 has the lease, and did not answer here"),
        (("m1", ""), {"choices": [CHOICE]}, "it begins to lead; in force: media to b"),
        (("m2", "redis: refused"), {"choices": [CHOICE]}, "redis: refused; in force: media to b"),
    ],
)
def test_why_nobody_leads_and_what_is_in_force(controller, decision, said):
    name, why_not = controller
    status = {"member": "m1", "controller": {"name": name, "why_not": why_not}}
    assert said in why_unled(status | {"decision": decision})


def test_reasons_that_look_like_markup_are_shown_as_they_are(capsys):
    order = {"service": "media", "region": "", "who": "on-call", "why": "see [/runbook]"}
    show_status(
        {
            "controller": {"name": "m1", "epoch": 1},
            "frozen": [order],
            "pins": [order | {"target": "b", "who": "[/me]"}],
            "decision": None,
            "targets": [],
            "vantages": [
                {"name": "m1", "region": "n", "counts": True, "why_not": ""},
            ],
            "dns": [],
            "dns_apis": [{"provider": "route53", "why_not": "[/] is no zone"}],
            "steps": 0,
        }
    )
    shown = capsys.readouterr().out
    assert "see [/runbook]" in shown
    assert "[/me]" in shown
    assert "[/] is no zone" in shown
