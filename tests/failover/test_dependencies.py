"""What must survive a target is refused when it hangs on it, unless somebody accepts that."""

from dataclasses import replace

import pytest

from failover.dependencies import Finding, findings, unused_acceptances
from failover.model import (
    Accepted,
    Channel,
    Credential,
    Dependency,
    DnsKind,
    DnsProvider,
    DnsSettings,
    Host,
    Model,
    Probe,
    ProbeKind,
    Provider,
    Service,
    SteeringSettings,
    Target,
    Vantage,
)

OWN, CDN, OTHER, REGISTRY = (Dependency(provider=n) for n in ("own", "cdn", "other", "registry"))
PROBE = Probe(name="up", kind=ProbeKind.TCP, url="tcp://a:1")
DNS = DnsSettings(name="m.example.", zone="example.", providers=("one", "two"))


def target(name: str, needs: Dependency) -> Target:
    return Target(name=name, needs=needs, probes=(PROBE,), pathway_host=f"{name}.example")


def vantage(name: str, needs: Dependency) -> Vantage:
    return Vantage(name=name, region="north", url=f"http://{name}", needs=needs)


def server(name: str, needs: Dependency) -> DnsProvider:
    return DnsProvider(name=name, kind=DnsKind.OWN, needs=needs)


MODEL = Model(
    services=(Service(name="media", targets=(target("a", CDN), target("b", OTHER)), dns=DNS),),
    vantages=tuple(vantage(name, OWN) for name in "xyz"),
    providers=(Provider(name="own", ours=True), Provider(name="cdn"), Provider(name="other")),
    dns_providers=(server("one", OWN), server("two", REGISTRY)),
)


def found(model: Model, seen: dict[str, dict[str, str]] | None = None) -> list[tuple[str, str]]:
    return [(each.what, each.on) for each in findings(model, seen or {})]


def test_what_hangs_on_nothing_is_fine():
    assert found(MODEL) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"hosts": (Host(name="console", url="http://c", needs=CDN),)},
            [("host/console", "cdn")],
        ),
        (
            {"channels": (Channel(name="mail", needs=OTHER, credential="k"),)},
            [("channel/mail", "other")],
        ),
        (
            {"credentials": (Credential(name="k", needs=CDN, variable="K"),)},
            [("credential/k", "cdn")],
        ),
        (
            {"dns_providers": (server("one", OWN), server("two", CDN))},
            [("dns-provider/two", "cdn")],
        ),
        (
            {"dns_providers": (server("one", REGISTRY), server("two", REGISTRY))},
            [("service/media", "registry")],
        ),
        (
            {"vantages": (vantage("x", OWN), vantage("y", CDN), vantage("z", CDN))},
            [("vantages", "cdn")],
        ),
        ({"vantages": (vantage("x", OWN), vantage("y", OWN), vantage("z", CDN))}, []),
    ],
)
def test_what_hangs_on_a_target_is_refused(change, expected):
    assert found(replace(MODEL, **change)) == expected


def test_what_one_gets_there_through_counts_too():
    through = Dependency(provider="registry", reached_through=("cdn",))
    model = replace(MODEL, hosts=(Host(name="console", url="http://c", needs=through),))
    assert found(model) == [("host/console", "cdn")]


def test_what_we_run_ourselves_need_not_be_survived():
    (media,) = MODEL.services
    model = replace(MODEL, services=(replace(media, targets=(target("a", CDN), target("e", OWN))),))
    assert found(model) == []


def test_targets_that_share_a_provider_are_one():
    (media,) = MODEL.services
    both = (target("a", CDN), target("b", replace(OTHER, reached_through=("cdn",))))
    assert ("service/media", "cdn") in found(
        replace(MODEL, services=(replace(media, targets=both),))
    )


@pytest.mark.parametrize("host", ["b.example", "b.example:8443", "B.Example"])
def test_the_steering_host_is_no_targets_host(host):
    (media,) = MODEL.services
    steering = SteeringSettings(server_uri=f"https://{host}/.amaro/steer", playlists=("/v/*",))
    model = replace(MODEL, services=(replace(media, steering=steering),))
    assert found(model) == [("steering/media", "other")]


def test_what_was_resolved_is_added_to_what_is_said():
    model = replace(MODEL, hosts=(Host(name="console", url="http://c", needs=OWN),))
    (finding,) = findings(model, {"host/console": {"cdn": "c leads to cdn.net"}})
    assert finding == Finding("host/console", "cdn", "c leads to cdn.net, and so is media/a")
    seen = {f"vantage/{name}": {"other": "is at 192.0.2.1"} for name in "xy"}
    assert found(MODEL, seen) == [("vantages", "other")]
    assert found(MODEL, {"dns-provider/one": {"registry": "is at 192.0.2.1"}}) == [
        ("service/media", "registry")
    ]


def test_an_acceptance_is_by_name_and_does_not_stay_when_it_is_not_needed():
    accepted = Accepted(what="host/console", on="cdn", why="there is another one")
    model = replace(
        MODEL, hosts=(Host(name="console", url="http://c", needs=CDN),), accepted=(accepted,)
    )
    assert found(model) == []
    assert unused_acceptances(model) == ()
    assert unused_acceptances(replace(model, hosts=())) == ("host/console on cdn",)
