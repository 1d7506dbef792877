"""A real member whose service stands at two DNS providers, one of them not as it should be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from failover.endpoint import Endpoint
from tests.support import knots
from tests.support.failover_group import PATIENCE_S, TOKEN, FakeTarget, Group
from tests.support.ports import own_ports

NAME = "media.edge.test."
MEMBERS = """\
members:
  - {{name: m1, region: north, provider: own, url: '{url}'}}
providers: [{{name: own, ours: true}}, {{name: cdn}}, {{name: registrar}}, {{name: dns-host}}]
dns_providers:
  - name: good
    kind: rfc2136
    provider: registrar
    server: "{good}"
    credential: good
    name_servers: ["{good}"]
  - name: bad
    provider: dns-host
    credential: bad
{bad}
credentials:
  - {{name: good, file: "{directory}/good.key", provider: own}}
  - {{name: bad, file: "{directory}/bad.key", provider: own}}
"""
MEDIA = """\
service: media
detection: {{vantages_min: 1, fresh: 10s, hold_off: 2s, hold_off_max: 4s, dwell: 500ms, rise: 2}}
targets:
  - name: a
    provider: cdn
    records: [{{type: A, values: [192.0.2.1]}}]
    probes: [{{name: up, kind: http, url: 'http://127.0.0.1:{port}/', timeout: 5s}}]
  - name: edges
    provider: own
    records: [{{type: A, values: [192.0.2.9]}}]
    probes: [{{name: up, kind: http, url: 'http://127.0.0.1:{port}/', timeout: 5s}}]
dns: {{name: {name}, zone: {zone}, providers: [good, bad], resolvers: [{resolvers}]}}
"""


@contextmanager
def member_of(
    directory: Path, good: Endpoint, bad: Mapping[str, str], key: str, resolvers: str = ""
) -> Iterator[Group]:
    """Run it; `bad` are the fields of the provider that is not right, `key` its secret.

    `resolvers` are watched after a change.
    """
    ports = iter(own_ports())
    url, target = f"http://127.0.0.1:{next(ports)}", FakeTarget(next(ports))
    services = directory / "services"
    services.mkdir()
    (directory / "good.key").write_text(knots.KEY)
    (directory / "bad.key").write_text(key)
    fields = "\n".join(f"    {name}: {value}" for name, value in bad.items())
    (services / "members.yaml").write_text(
        MEMBERS.format(url=url, good=good, bad=fields, directory=directory)
    )
    (services / "media.yaml").write_text(
        MEDIA.format(port=target.port, name=NAME, zone=knots.ZONE, resolvers=resolvers)
    )
    running = Group(directory, {"m1": url}, {"a": target})
    try:
        running.start("m1")
        yield running
    finally:
        for process in running.processes.values():
            process.kill()
            process.wait(PATIENCE_S)
        target.stop()


def command(group: Group, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `amaro failover …` as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "amaro", "failover", *words, "--admin", group.urls["m1"]],
        env=os.environ | {"AMARO_ADMIN_TOKEN": TOKEN, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
