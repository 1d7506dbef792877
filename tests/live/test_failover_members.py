"""Real members: a target fails and works again, controllers die, operators order."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress

import httpx
import pytest

from edge.admin_connection import CONNECTIONS_MAX
from tests.support.edge_node import NO_TLS
from tests.support.failover_group import TOKEN, Group, group
from tests.support.stack import until

SOON = "{fresh: 10s, hold_off: 2s, hold_off_max: 4s, dwell: 500ms, step: 200ms, rise: 2}"


@pytest.fixture
def members(tmp_path):
    with group(tmp_path, detection=SOON) as running:
        running.wait_for("a")
        yield running


def command(members: Group, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `amaro failover …` as an operator does."""
    asked = [word for url in members.urls.values() for word in ("--admin", url)]
    return subprocess.run(
        [sys.executable, "-m", "amaro", "failover", *words, *asked],
        env={"AMARO_ADMIN_TOKEN": TOKEN, "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_target_fails_a_controller_is_killed_and_the_target_works_again(members):
    members.targets["a"].stop()
    members.wait_for("b")
    leader = members.leader()
    epoch = members.status(leader)["controller"]["epoch"]
    members.end(leader, signal.SIGKILL)
    members.targets["b"].stop()
    members.wait_for("edges")
    assert members.status(members.leader())["controller"]["epoch"] > epoch
    members.start(leader)
    members.wait_for("edges")
    members.targets["a"].start()
    members.wait_for("a")
    history = json.loads(command(members, "history", "--json", "--limit", "1000").stdout)
    told = [each["text"] for each in history["entries"]]
    assert any("media moves from a 100% to b 100%" in text for text in told), told
    assert command(members, "verify").returncode == 0


def test_orders(members):
    assert command(members, "status").returncode == 0
    members.targets["b"].stop()
    until(
        lambda: any(
            each["target"] == "b" and each["state"] == "down"
            for each in members.status(members.leader())["targets"]
        ),
        max_s=60,
        what="b is down",
    )
    refused = command(members, "switch", "media", "b", "--why", "a test")
    assert refused.returncode == 1
    assert "with force it is used even so" in refused.stderr
    done = command(members, "switch", "media", "edges", "--why", "a test", "--who", "on-call")
    assert (done.returncode, done.stdout) == (0, "Done: edges is used first\n")
    members.wait_for("edges")
    assert command(members, "freeze", "--why", "a test").returncode == 0
    shown = command(members, "status")
    assert shown.returncode == 1  # b is down
    assert "Pinned: media to edges, by on-call: a test\n" in shown.stdout
    assert "Frozen: everything" in shown.stdout
    assert command(members, "unfreeze", "--why", "a test").returncode == 0
    assert command(members, "revert", "--why", "a test").returncode == 0
    members.wait_for("a")
    planned = json.loads(command(members, "plan", "media/a", "--json").stdout)
    why = "no edge is steered or routed by it, and no DNS provider's API changes its name"
    assert planned == {"steps": [], "why": why, "kept": []}
    wrong = command(members, "plan", "media/none")
    assert (wrong.returncode, "no target media/none" in wrong.stderr) == (1, True)
    nobody = command(members, "switch", "nothing", "a", "--why", "a test")
    assert "there is no service nothing; known are media" in nobody.stderr


def test_without_a_lease_only_what_is_forced_is_done(tmp_path):
    with group(tmp_path, lease="redis://127.0.0.1:1/0", detection=SOON) as members:
        until(lambda: all(map(members.status, members.urls)), max_s=60, what="members answer")
        refused = command(members, "switch", "media", "b", "--why", "a test")
        assert refused.returncode == 1
        assert "--force acts without one" in refused.stderr
        forced = command(members, "switch", "media", "b", "--why", "a test", "--force")
        assert forced.returncode == 0, forced.stderr
        assert "by 3 members and no controller" in forced.stdout
        members.wait_for("b")
        assert command(members, "status").returncode == 1
        history = json.loads(command(members, "history", "--json").stdout)
        assert [each["who"] for each in history["entries"]]


def test_a_member_needs_its_token_and_its_name(members):
    bare = members.ask("m1", "GET", "/.amaro/live")
    assert bare.status_code == 200
    for name in ("/status", "/report", "/history"):
        assert (
            httpx.get(members.urls["m1"] + name, trust_env=False, verify=NO_TLS).status_code == 401
        )
    wrong = members.ask("m1", "POST", "/orders", json={"order": "swich", "who": "a", "why": "b"})
    assert (wrong.status_code, wrong.json()["error"]) == (
        400,
        "order: want switch, revert, freeze, unfreeze",
    )
    assert members.ask("m1", "PUT", "/decision", content=b"{").status_code == 400
    for method, path in (("PUT", "/decision"), ("POST", "/orders"), ("POST", "/drill")):
        twice = members.ask("m1", method, path, content=b'{"service": "a", "service": "b"}')
        assert (twice.status_code, "'service' is there twice" in twice.text) == (400, True)
    with ExitStack() as stack:  # nobody who is slow, or many, keeps operators out
        at = httpx.URL(members.urls["m1"])
        slow = [
            stack.enter_context(socket.create_connection((at.host, at.port), timeout=30))
            for _ in range(CONNECTIONS_MAX + 8)
        ]
        assert members.ask("m1", "GET", "/status").status_code == 200
        slow[0].settimeout(30)
        with suppress(ConnectionResetError):
            assert slow[0].recv(1) == b""  # the one that has waited longest makes room
