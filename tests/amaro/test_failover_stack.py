"""What the members of a stack look after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from amaro.failover_stack import given, written
from amaro.ports import plan_ports
from amaro.service_files import read_directory
from amaro.services import edge_hosts, plan_services
from amaro.stack import DataDir, StackError
from failover.dependencies import findings
from tests.amaro.test_services import site


@pytest.mark.parametrize("edges", [1, 2, 5])
def test_every_edge_is_a_target_and_has_a_member(tmp_path: Path, edges: int) -> None:
    here = replace(
        site(edges=edges), data=DataDir(tmp_path), ports=plan_ports(8080, edges, failover=True)
    )
    directory, members = written(here)
    model = read_directory(directory)
    assert findings(model, {}) == ()
    (media,) = model.services
    assert [each.name for each in media.targets] == [
        f"edge-{each.region}" for each in here.ports.edges
    ]
    assert media.detection.vantages_min <= len(model.vantages) == edges
    plans = {
        plan.name: plan
        for plan in plan_services(replace(here, services=directory, members=members))
    }
    for each in here.ports.edges:
        plan = plans[f"failover-{each.region}"]
        assert (plan.kind, plan.admin_url) == ("failover", f"http://127.0.0.1:{each.member}")
        assert f"edge-{each.region}" in plan.after
    assert given(directory, here.ports) == (members, ())
    assert media.steering is None  # edges that differ in ports can be no pathways
    assert "--member" in plans["console"].command.argv


def test_edges_with_hosts_apart_are_pathways(tmp_path: Path) -> None:
    hosts = ("127.0.0.2", "127.0.0.3")
    ports = plan_ports(8080, 2, failover=True, hosts=hosts)
    here = replace(site(), data=DataDir(tmp_path), ports=ports)
    directory, members = written(here)
    (media,) = read_directory(directory).services
    assert tuple(each.pathway_host for each in media.targets) == hosts
    assert media.steering is not None
    assert media.steering.server_uri == "http://127.0.0.3:8080/.amaro/steer"
    edges = [plan for plan in plan_services(replace(here, members=members)) if plan.kind == "edge"]
    assert [each.url for each in edges] == ["http://127.0.0.2:8080", "http://127.0.0.3:8080"]
    assert {each.health_url for each in edges} == {each.url for each in edges}
    assert edge_hosts("127.0.0.1", ports) == ("127.0.0.2:8080", "127.0.0.3:8080")


def test_pages_may_go_where_an_operators_files_steer(tmp_path: Path) -> None:
    ports = plan_ports(8080, 2, failover=True, hosts=("127.0.0.2", "127.0.0.3"))
    directory, _ = written(replace(site(), data=DataDir(tmp_path), ports=ports))
    members, elsewhere = given(directory, plan_ports(8080, 2))
    here = replace(site(), members=members, elsewhere=elsewhere)
    (console,) = [plan for plan in plan_services(here) if plan.kind == "console"]
    argv = console.command.argv
    providers = {argv[at + 1] for at, word in enumerate(argv) if word == "--provider"}
    hosts = ("127.0.0.2", "127.0.0.3")
    assert providers == {f"http://{host}:{port}" for host in hosts for port in (8080, 8081)}


def test_every_edge_needs_a_member_in_its_region() -> None:
    with pytest.raises(StackError, match=r"no member in region region-3; its regions are north"):
        given(Path("configs/services"), plan_ports(8080, 3))
    with pytest.raises(StackError, match="/nowhere: no such directory; name another"):
        given(Path("/nowhere"), plan_ports(8080, 1))
