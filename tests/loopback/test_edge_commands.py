"""`amaro edge serve` as an operator types it."""

from __future__ import annotations

import socket

import pytest
from typer.testing import CliRunner, Result

from amaro.cli import app

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
        (("--network-header", "X-ASN"), "--network-header means nothing without --trusted-proxy"),
        (("--network-table", "/nowhere"), "--network-table /nowhere: No such file or directory"),
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
