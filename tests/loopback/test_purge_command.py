"""`amaro purge` as an operator types it: through an origin, and at edges directly."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from amaro.cli import app
from amaro.stack import Service, Stack, data_dir
from edge.settings import Limits
from tests.support.edge_node import TOKEN, RunningNode, eventually, settings_for, toy_node
from tests.support.origin import origin_process


def amaro(*argv: str, token: str | None = None) -> Result:
    return CliRunner().invoke(app, argv, env={"AMARO_ADMIN_TOKEN": token})


@pytest.mark.parametrize("argv", [(), ("/a", "--all"), ("--tag", "a", "--prefix", "/b")])
def test_purge_wants_one_thing(argv: tuple[str, ...]) -> None:
    done = amaro("purge", *argv)
    assert done.exit_code == 2
    assert "name one of URL, --prefix, --tag or --all" in done.stderr


@pytest.mark.parametrize("argv", [("example.com/a",), ("--tag", "a b"), ("--prefix", "v/1")])
def test_purge_asks_no_edge_for_what_cannot_be(argv: tuple[str, ...]) -> None:
    done = amaro("purge", *argv, "--admin", "http://127.0.0.1:9", token=TOKEN)
    assert done.exit_code == 2
    assert "error:" in done.stderr


def test_purge_without_a_stack_says_so(tmp_path: Path) -> None:
    done = amaro("purge", "--all", "--data", str(tmp_path))
    assert done.exit_code == 1
    assert "No stack runs" in done.stderr


def acknowledged(*argv: str, token: str | None = None) -> Result:
    """Purge until all edges have acknowledged: on a busy machine one may be late."""
    return eventually(lambda: (done := amaro(*argv, token=token)).exit_code == 0 and done)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RunningNode]]:
    settings = settings_for(limits=Limits(purge_ack_s=30.0))
    with toy_node(settings) as north, toy_node(settings) as south:
        yield [north, south]


def service(name: str, kind: str, url: str, admin_url: str | None = None) -> Service:
    return Service(
        name=name, kind=kind, url=url, health_url=url, pid=os.getpid(), admin_url=admin_url
    )


def write_stack(folder: Path, origin_url: str, admin_urls: list[str]) -> None:
    data = data_dir(folder)
    data.prepare()
    edges = [service(f"edge-{n}", "edge", url, url) for n, url in enumerate(admin_urls)]
    services = (service("origin", "origin", origin_url), *edges)
    data.write_stack(Stack(pid=os.getpid(), token=TOKEN, services=services))


def test_purge_reaches_every_edge_of_the_stack(nodes: list[RunningNode], tmp_path: Path) -> None:
    admins = [node.admin_url for node in nodes]
    options = [word for url in admins for word in ("--edge-admin", url)]
    (tmp_path / "token").write_text(TOKEN)
    options += ["--token-file", str(tmp_path / "token")]
    with origin_process(tmp_path / "origin", *options) as origin:
        write_stack(tmp_path, origin.url, admins)
        for number, (argv, value) in enumerate(
            [
                (("/v/1/main.m3u8",), "/v/1/main.m3u8"),
                (("--prefix", "/v/1/"), "/v/1/"),
                (("--tag", "asset-1", "--soft"), "asset-1"),
                (("--all",), ""),
            ],
            start=1,
        ):
            done = acknowledged("purge", *argv, "--data", str(tmp_path), "--json")
            said = json.loads(done.stdout)
            assert (said["acknowledged"], said["number"] >= number) == (True, True)
            assert [edge["name"] for edge in said["edges"]] == ["edge-0", "edge-1"]
            for edge, node in zip(said["edges"], nodes, strict=True):
                assert edge["acknowledged"]
                assert edge["address"] == node.admin_url
                assert node.get().json()["seen"][-1] == value
        done = acknowledged("purge", "--tag", "x", "--admin", origin.url, token=TOKEN)
        assert done.stdout.startswith("Purge ")
        assert ": tag x\n" in done.stdout
        assert all(node.get().json()["seen"][-1] == "x" for node in nodes)


def test_purge_names_the_edge_that_did_not_acknowledge(nodes: list[RunningNode]) -> None:
    with toy_node(settings_for(limits=Limits(purge_ack_s=0.5))) as hanging:
        admins = ("--admin", nodes[0].admin_url, "--admin", hanging.admin_url)
        (victim,) = hanging.worker_pids()
        os.kill(victim, signal.SIGSTOP)

        def one_is_missing() -> Result | None:  # and the other is not late
            done = amaro("purge", "--tag", "x", *admins, token=TOKEN)
            return done if "1 of 2 edges" in done.stdout else None

        done = eventually(one_is_missing)
        os.kill(victim, signal.SIGCONT)
    assert done.exit_code == 1
    heading, _, purged, missing, summary, advice = done.stdout.splitlines()
    assert heading == "Purge: tag x"
    assert nodes[0].admin_url in purged
    assert " in " in purged
    assert hanging.admin_url in missing
    assert " no " in f"{missing} "
    assert summary.startswith("1 of 2 edges did not acknowledge")
    assert "not applied in time by worker 0. A worker of it hangs" in advice


def test_purge_with_a_wrong_token_or_a_dead_edge_fails(nodes: list[RunningNode]) -> None:
    done = amaro("purge", "--all", "--admin", nodes[0].admin_url, token="wrong")
    assert done.exit_code == 1
    assert "want the admin token" in done.stdout
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    done = amaro("purge", "--all", "--admin", url, "--json", token=TOKEN)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["edges"][0]["error"]


@dataclass
class Origin:
    """An origin that answers with what a test wants it to."""

    url: str = ""
    status: int = 200
    said: Any = None
    hangs_up: int = 0  # times, before it answers
    orders: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def answering(origin: Origin) -> Iterator[Origin]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"log": "l"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            origin.orders.append(json.loads(body))
            if origin.hangs_up:
                origin.hangs_up -= 1
                self.close_connection = True
                return
            self._answer(origin.said)

        def _answer(self, said: Any) -> None:
            data = json.dumps(said).encode()
            self.send_response(origin.status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    origin.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield origin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def edge_row(number: int, **said: Any) -> dict[str, Any]:
    row = {"address": f"http://10.0.0.{number}:9081", "name": None, "region": "north"}
    told = {"acknowledged": True, "took_ms": 4.0, "by": "push", "workers": 2}
    return row | (said or told)


RECEIPT = {"log": "l", "number": 42, "purges": 1, "acknowledged": True, "took_ms": 4.1}
PENDING = {"address": "cloudflare", "acknowledged": False, "error": "pending"}


def test_a_receipt_is_a_table_for_people(tmp_path: Path) -> None:
    refused = edge_row(2, acknowledged=False, error="[Errno 111] Connection refused")
    no_prefix = {"address": "fastly", "acknowledged": False, "error": "unsupported: no prefix"}
    said = RECEIPT | {"edges": [edge_row(1), refused], "providers": [PENDING, no_prefix]}
    with answering(Origin(said=said)) as origin:
        write_stack(tmp_path, origin.url, ["http://10.0.0.1:9081"])
        tags = [word for n in range(5) for word in ("--tag", f"t{n}")]
        done = amaro("purge", *tags, "--soft", "--data", str(tmp_path))
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "Purge 42: tag t0, t1, t2 and 2 more, made stale"
    assert lines[2].split() == ["edge-0", "north", "in", "4.0", "ms", "by", "push", "2"]
    assert lines[3].split() == ["http://10.0.0.2:9081", "north", "no"]
    assert lines[5].split() == ["cloudflare", "pending"]
    assert lines[6].split() == ["fastly", "no"]
    assert lines[7] == "  fastly: unsupported: no prefix"
    text = " ".join(done.stdout.split())
    assert "1 of 2 edges did not acknowledge" in text
    assert "told again until they acknowledge" in text
    assert "http://10.0.0.2:9081: [Errno 111] Connection refused. Is it running?" in text
    assert max(len(line) for line in lines[:6]) <= 80


def test_pending_providers_are_no_failure(tmp_path: Path) -> None:
    said = RECEIPT | {"edges": [edge_row(1)], "providers": [PENDING]}
    with answering(Origin(said=said, hangs_up=1)) as origin:
        write_stack(tmp_path, origin.url, [])
        done = amaro("purge", "/a", "--data", str(tmp_path), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["providers"][0]["error"] == "pending"
    first, again = origin.orders
    assert first == again  # the same id: it is not purged twice
    assert (first["kind"], first["values"], first["soft"]) == ("url", ["/a"], False)


@pytest.mark.parametrize(
    ("status", "said", "complaint"),
    [
        (503, {"error": "the log cannot be written"}, "the log cannot be written"),
        (500, {}, "status 500"),
        (200, {"hello": 1}, "answers as no origin does"),
        (200, [], "answers as no origin does"),
    ],
)
def test_an_origin_that_cannot_says_why(
    tmp_path: Path, status: int, said: Any, complaint: str
) -> None:
    with answering(Origin(status=status, said=said)) as origin:
        write_stack(tmp_path, origin.url, ["http://10.0.0.1:9081"])
        done = amaro("purge", "--all", "--data", str(tmp_path))
    assert done.exit_code == 1
    assert "nothing was purged" in done.stderr
    assert complaint in done.stderr
    assert "--admin http://10.0.0.1:9081" in done.stderr


def test_an_origin_that_is_away_leaves_the_edges(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    write_stack(tmp_path, url, ["http://10.0.0.1:9081"])
    done = amaro("purge", "--all", "--data", str(tmp_path))
    assert done.exit_code == 1
    assert "the origin does not answer" in done.stderr
    assert "Edges can be asked without it" in done.stderr
