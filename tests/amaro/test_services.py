"""The table of services, as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from amaro.ports import plan_ports
from amaro.region_options import REGION_VARIABLE
from amaro.services import REDIS_VARIABLE, Site, plan_services, public_host
from amaro.stack import DataDir
from amaro.valkey import Valkey


def site(host: str = "127.0.0.1", edges: int = 2, *, signed: bool = False) -> Site:
    return Site(
        data=DataDir(Path("/data")),
        host=host,
        ports=plan_ports(8080, edges),
        token="the-token",
        region_token="the-region",
        valkey=Valkey(argv=("valkey",), socket=Path("/run/v.sock"), password="the-password"),
        edge_disk_bytes=1 << 30,
        edge_rules=Path("/rules.yaml"),
        access_keys=Path("/keys") if signed else None,
    )


def test_no_command_line_tells_a_secret() -> None:
    for plan in plan_services(site()):
        line = " ".join(plan.command.argv)
        assert "the-token" not in line
        assert "the-region" not in line
        assert "the-password" not in line
        assert "the-password" not in plan.url


def test_those_who_share_something_are_given_the_valkey() -> None:
    for plan in plan_services(site()):
        if plan.kind in ("origin", "worker", "edge"):
            assert "the-password" in plan.command.environment[REDIS_VARIABLE]


def test_what_a_service_needs_comes_before_it() -> None:
    seen: set[str] = set()
    for plan in plan_services(site()):
        assert set(plan.after) <= seen
        seen.add(plan.name)


@pytest.mark.parametrize("edges", [1, 2, 5])
def test_every_edge_is_known_to_those_who_purge_it(edges: int) -> None:
    plans = {plan.name: plan for plan in plan_services(site(edges=edges))}
    admins = {plan.admin_url for plan in plans.values() if plan.kind == "edge"}
    assert len(admins) == edges
    for name in ("origin", "segmenter"):
        argv = plans[name].command.argv
        named = {argv[i + 1] for i, word in enumerate(argv) if word == "--edge-admin"}
        assert named == admins


def test_every_edge_keeps_a_disk_of_its_own_and_replays_purges() -> None:
    plans = [plan for plan in plan_services(site(edges=3)) if plan.kind == "edge"]
    options = [dict(zip(plan.command.argv, plan.command.argv[1:], strict=False)) for plan in plans]
    assert len({each["--disk"] for each in options}) == 3
    assert {each["--disk-size"] for each in options} == {f"{1 << 30}B"}
    assert {each["--purge-log"] for each in options} == {"http://127.0.0.1:8086/purges"}
    assert all(plan.after == ("origin",) for plan in plans)


def test_several_edges_are_one_group() -> None:
    plans = [plan for plan in plan_services(site(edges=3)) if plan.kind == "edge"]
    options = [dict(zip(plan.command.argv, plan.command.argv[1:], strict=False)) for plan in plans]
    (members,) = {each["--shield"] for each in options}
    assert members.split(",") == [f"http://{each['--peer']}" for each in options]
    told = {
        plan.kind for plan in plan_services(site()) if REGION_VARIABLE in plan.command.environment
    }
    assert told == {"edge"}
    assert {plan.command.environment[REGION_VARIABLE] for plan in plans} == {"the-region"}
    (alone,) = [plan for plan in plan_services(site(edges=1)) if plan.kind == "edge"]
    assert "--peer" not in alone.command.argv


@pytest.mark.parametrize("signed", [False, True])
def test_origin_and_edges_have_the_same_keys(signed: bool) -> None:
    for plan in plan_services(site(signed=signed)):
        argv = plan.command.argv
        given = [argv[at + 1] for at, word in enumerate(argv) if word == "--access-keys"]
        assert given == (["/keys"] if signed and plan.kind in ("edge", "origin") else [])
        if plan.kind == "edge":
            assert argv[argv.index("--policies") + 1] == "/rules.yaml"
        if plan.kind == "console":
            assert ("--signed" in argv) is signed


def test_names_and_logs_are_unique() -> None:
    plans = plan_services(site(edges=16))
    assert len({plan.name for plan in plans}) == len(plans)
    assert len({plan.command.log for plan in plans}) == len(plans)


def test_listening_everywhere_still_names_an_address() -> None:
    everywhere = site(host="0.0.0.0")
    assert public_host("0.0.0.0") != "0.0.0.0"
    assert everywhere.inner_url(8084) == "http://127.0.0.1:8084"
    assert everywhere.listen(8080) == "0.0.0.0:8080"
    assert site(host="::1").listen(8080) == "[::1]:8080"
