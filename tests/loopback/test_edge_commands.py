"""`amaro edge serve` and `amaro purge` as an operator types them."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amaro.cli import app
from amaro.stack import Service, Stack, data_dir
from edge.settings import Limits
from tests.support.edge_node import TOKEN, RunningNode, settings_for, toy_node

SERVE = ("edge", "serve", "--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:9")


def amaro(*argv: str, token: str | None = None) -> Result:
    return CliRunner().invoke(app, argv, env={"AMARO_ADMIN_TOKEN": token, "COLUMNS": "200"})


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("--memory", "512"), "--memory: '512' is not a size; write a number with a unit"),
        (("--memory", "1KiB"), "--memory 1KiB is too small"),
        (("--listen", "8081"), "--listen: '8081' is not HOST:PORT"),
        (("--admin", "x"), "--admin: 'x' is not HOST:PORT"),
        (("--origin", "http://h/path"), "--origin: 'http://h/path' is not a server's URL"),
        (("--origin", "http://me:secret@h"), "'http://-@h' is not a server's URL; write http://"),
        (("--eviction", "best"), "--eviction: 'best' is nothing to save; write bytes or objects"),
        (("--tls-cert", "/no.pem", "--tls-key", "/no.key"), "--tls-cert /no.pem: No such file"),
        (("--disk-size", "1GiB"), "--disk-size means nothing without --disk DIR"),
        (("--redis", "http://:secret@h"), "--redis: http is no scheme of Valkey's"),
        (("--redis", "rediss://h?ca=/nowhere"), "--redis: ca=/nowhere: no such file"),
        (("--redis-size", "1GiB"), "--redis-size means nothing without --redis URL"),
        (("--redis", "redis://h", "--redis-size", "127MiB"), "--redis-size 127MiB is too small"),
        (("--access-log-sample", "9"), "--access-log-sample means nothing without --access-log"),
        (("--token-file", "t"), "--token-file means nothing without --admin HOST:PORT"),
        (("--region-header", "X-At"), "--region-header means nothing without --trusted-proxy CIDR"),
        (
            ("--trusted-proxy", "10.0.0.0/8", "--region-header", "a b"),
            "--region-header: 'a b' is not a header field's name",
        ),
        (
            ("--trusted-proxy", "akamai=10.0.0.0/8"),
            "--trusted-proxy: no provider 'akamai': want CIDR, or one of cloudflare, fastly=CIDR",
        ),
        (("--workers", "0"), "--workers"),
        (("--admin", "127.0.0.1:0"), "--admin needs a token: set AMARO_ADMIN_TOKEN"),
        (("--admin", "127.0.0.1:0", "--token-file", "/nowhere"), "Cannot read --token-file"),
    ],
)
def test_serve_refuses_what_it_cannot_follow(argv: tuple[str, ...], complaint: str) -> None:
    done = amaro(*SERVE, *argv)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_serve_names_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = amaro(*SERVE, "--listen", f"127.0.0.1:{port}")
    assert done.exit_code == 1
    assert f"127.0.0.1:{port} is taken by another process; choose another with --listen" in (
        done.stderr
    )


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


@pytest.fixture(scope="module")
def nodes() -> list[RunningNode]:
    with (
        toy_node(settings_for(limits=Limits(purge_ack_s=30.0))) as north,
        toy_node(settings_for(limits=Limits(purge_ack_s=30.0))) as south,
    ):
        yield [north, south]


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (("/v/1/main.m3u8",), "/v/1/main.m3u8"),
        (("--prefix", "/v/1/"), "/v/1/"),
        (("--tag", "asset-1", "--soft"), "asset-1"),
        (("--all",), ""),
    ],
)
def test_purge_reaches_every_edge_of_the_stack(
    nodes: list[RunningNode], tmp_path: Path, argv: tuple[str, ...], value: str
) -> None:
    data = data_dir(tmp_path)
    data.prepare()
    services = [
        Service(
            name=f"edge-{number}",
            kind="edge",
            url=node.url,
            health_url=node.url,
            pid=node.process.pid,
            admin_url=node.admin_url,
        )
        for number, node in enumerate(nodes)
    ]
    data.write_stack(Stack(pid=os.getpid(), token=TOKEN, services=tuple(services)))
    done = amaro("purge", *argv, "--data", str(tmp_path), "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said["acknowledged"]
    assert [edge["name"] for edge in said["edges"]] == ["edge-0", "edge-1"]
    for edge, node in zip(said["edges"], nodes, strict=True):
        assert edge["acknowledged"]
        assert edge["took_ms"] > 0
        assert node.get().json()["seen"][-1] == value


def test_purge_names_the_edge_that_did_not_acknowledge(nodes: list[RunningNode]) -> None:
    with toy_node(settings_for(limits=Limits(purge_ack_s=0.5))) as hanging:
        admins = ("--admin", nodes[0].admin_url, "--admin", hanging.admin_url)
        (victim,) = hanging.worker_pids()
        os.kill(victim, signal.SIGSTOP)
        done = amaro("purge", "--tag", "x", *admins, token=TOKEN)
        os.kill(victim, signal.SIGCONT)
    assert done.exit_code == 1
    purged, missing = done.stdout.splitlines()
    assert nodes[0].admin_url in purged
    assert "purged" in purged
    assert hanging.admin_url in missing
    assert "not acknowledged" in missing
    assert "not applied in time by worker 0" in missing


def test_purge_with_a_wrong_token_or_a_dead_edge_fails(nodes: list[RunningNode]) -> None:
    done = amaro("purge", "--all", "--admin", nodes[0].admin_url, token="wrong")
    assert done.exit_code == 1
    assert "want the admin token" in done.stdout
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    done = amaro("purge", "--all", "--admin", url, "--json", token=TOKEN)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["edges"][0]["error"]
