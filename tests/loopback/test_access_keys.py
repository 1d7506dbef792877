"""The keys of a node: read when their file changes, followed by all workers, told to nobody."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from cache_policies.access import Grant, mint
from cache_policies.access_ring import RingError, parse_ring
from edge.access_keys import AccessKeys
from tests.support.counting_origin import counting_origin
from tests.support.edge_node import RunningNode, edge_node, eventually

SECRET, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
RING = f"key k1 {SECRET}\n"
RULES = "rules: [{name: videos, match: {path: /v/*}, set: {access: signed}}]"


def signed(ring: str = RING, *, lasts_s: float = 3_600) -> str:
    grant = Grant(b"/v/abc/", int(time.time() + lasts_s))
    return f"/~{mint(parse_ring(ring), grant, time.time()).decode()}/v/abc/1.m4s"


def seen(node: RunningNode, path: str, times: int = 12) -> set[int]:
    """What workers answer, asked on new connections."""
    return {node.get(path).status_code for _ in range(times)}


def access(node: RunningNode) -> tuple[int, dict[str, object]]:
    answer = node.admin("POST", "/access")
    return answer.status_code, answer.json()


def test_all_workers_follow_the_file(tmp_path: Path) -> None:
    ring, policies = tmp_path / "ring", tmp_path / "rules.yaml"
    ring.write_text(RING)
    policies.write_text(RULES)
    options = ("--access-keys", str(ring), "--policies", str(policies))
    with counting_origin() as origin, edge_node(origin.url, *options, workers=2) as node:
        old = signed()
        assert seen(node, old) == {200}
        assert seen(node, "/v/abc/1.m4s") == {403}
        told = node.status()["access"]
        assert told == {
            "version": parse_ring(RING).version,
            "keys": ["k1"],
            "revoked": {},
            "grace_s": 0,
        }

        both = RING + f"key k2 {OTHER}\n"
        ring.write_text(both)
        status, answer = access(node)
        assert (status, answer["keys"]) == (200, ["k1", "k2"])
        assert seen(node, old) == seen(node, signed(both)) == {200}

        ring.write_text(both + "revoke 1 /v/abc/\n")
        assert access(node)[0] == 200
        assert seen(node, old) == {403}
        assert seen(node, signed(both + "revoke 1 /v/abc/\n")) == {200}

        ring.write_text("key k1 non-sense!")
        status, answer = access(node)
        assert (status, answer) == (400, {"error": "line 1: the secret of k1 is not base64"})
        assert node.status()["access"]["keys"] == ["k1", "k2"]

        ring.write_text(f"key k2 {OTHER}\n")  # nobody tells: it is looked at
        eventually(lambda: node.status()["access"]["keys"] == ["k2"], "the file is read")
        assert seen(node, signed(both)) == {200}
        assert seen(node, signed()) == {403}
        ring.write_text(RING)
        node.process.send_signal(signal.SIGHUP)
        eventually(lambda: seen(node, signed(), 1) == {200}, "the file is read")
        for pid in node.worker_pids():  # those that come after begin with it
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: [w["restarts"] for w in node.status()["workers"]] == [1, 1], "restarts")
        eventually(lambda: seen(node, signed()) == {200}, "they serve")
        metrics = node.admin("GET", "/metrics", token=None).text
        (refused,) = re.findall(r'_keys_total\{result="refused"\} (\d+)', metrics)
        assert int(refused) >= 1  # a file that is being written may be seen
        assert SECRET not in metrics + json.dumps(node.status())
        node.terminate()
        assert node.process.stderr is not None
        assert SECRET not in node.process.stderr.read()


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    policies = tmp_path / "rules.yaml"
    policies.write_text(RULES)
    with (
        counting_origin() as origin,
        edge_node(origin.url, "--policies", str(policies), AMARO_ACCESS_KEYS=RING) as node,
    ):
        assert seen(node, signed(), 2) == {200}
        assert seen(node, "/v/abc/1.m4s", 2) == {403}
        assert access(node)[1]["keys"] == ["k1"]
    with edge_node("http://127.0.0.1:9") as node:
        status, answer = access(node)
        assert (status, node.status()["access"]) == (400, None)
        assert "no access keys" in str(answer["error"])


@pytest.mark.parametrize(
    ("ring", "complaint"),
    [
        (None, "/ring: cannot be read: No such file or directory"),
        ("", "/ring: no key in it"),
        (f"key k1 {SECRET}\nkey k1 {OTHER}", "/ring: line 2: a second key k1"),
    ],
)
def test_an_edge_does_not_start_with_keys_that_it_cannot_use(tmp_path, ring, complaint):
    if ring is not None:
        (tmp_path / "ring").write_text(ring)
    argv = ("edge", "serve", "--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:9")
    done = CliRunner().invoke(app, (*argv, "--access-keys", str(tmp_path / "ring")))
    assert done.exit_code == 2
    assert complaint in done.stderr.replace("\n", "")
    assert SECRET not in done.stderr


def test_an_edge_does_not_start_when_rules_demand_tokens_that_it_cannot_verify(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    argv = ("edge", "serve", "--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:9")
    done = CliRunner().invoke(app, (*argv, "--policies", str(tmp_path / "rules.yaml")))
    assert done.exit_code == 2
    assert "but rule `videos` of" in done.stderr.replace("\n", " ")


async def test_who_does_not_confirm_is_named_and_told_again(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    ring.write_text(RING)
    told: list[str] = []

    async def publish(text: str) -> tuple[str, ...]:
        told.append(text)
        return ("worker 1",) if len(told) == 1 else ()

    keys = AccessKeys(str(ring), RING, publish)
    assert (await keys.look()).hanging == ()
    changed = RING + "# another text\n"
    ring.write_text(changed)
    hung = await keys.look()
    assert hung.to_mapping()["error"] == "not followed in time by worker 1"
    assert "error" not in (await keys.look()).to_mapping()
    assert told == [changed, changed]
    await keys.look()
    ring.write_bytes(b"\xff")
    for _ in range(2):
        with pytest.raises(RingError, match="UTF-8"):
            await keys.look()
    assert (len(told), keys.refused, keys.renewed) == (2, 1, 2)
