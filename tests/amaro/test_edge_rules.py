"""A stack's edges cache by the shipped rules, and where it is wished demand tokens for videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaro.edge_rules import access_keys, edge_rules
from amaro.ports import plan_ports
from amaro.services import edge_hosts
from amaro.stack import DataDir
from cache_policies.access_ring import parse_ring
from cache_policies.load import load_policies
from cache_policies.policies import compile_policies

if TYPE_CHECKING:
    from pathlib import Path


def test_the_rules_differ_by_one(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    plain, signed = (
        load_policies(edge_rules(data, signed=signed).read_bytes(), "rules")
        for signed in (False, True)
    )
    assert signed.document.rules[:-1] == plain.document.rules
    assert not compile_policies(plain).guards
    rules = compile_policies(signed)
    assert rules.is_guarded(b"http", b"h", b"/v/abcdefghijklmnop/main.m3u8")
    for open_path in (b"/feed/north", b"/api/assets/a", b"/uploads/a"):
        assert not rules.is_guarded(b"http", b"h", open_path)


def test_the_edges_of_a_group_are_one_site(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    hosts = edge_hosts("127.0.0.1", plan_ports(8080, 2))
    assert hosts == ("127.0.0.1:8080", "127.0.0.1:8081", "localhost:8080", "localhost:8081")
    for signed in (False, True):
        file = edge_rules(data, signed=signed, hosts=hosts)
        rules = compile_policies(load_policies(file.read_bytes(), "rules"))
        keys = {rules.key(b"http", host.encode(), b"/v/1.m4s")[0] for host in hosts}
        assert keys == {b"http://127.0.0.1:8080/v/1.m4s"}


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    file = access_keys(data)
    text = file.read_text()
    assert access_keys(data).read_text() == text
    assert [*parse_ring(text).keys] == [b"k1"]
    assert file.stat().st_mode & 0o777 == 0o600
