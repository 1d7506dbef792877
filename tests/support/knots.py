"""Real authoritative servers of Debian: knot, by its configuration file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from failover.endpoint import Endpoint
from tests.support.edge_node import eventually
from tests.support.ports import own_port

LOOPBACK = "127.0.0.1"
ZONE = "edge.test."
SECRET = "c2VjcmV0LW9mLWEtdGVzdC1hbmQtbm90aGluZy1lbHNl"
KEY = f"hmac-sha256:controller:{SECRET}"
STRANGER = f"hmac-sha256:stranger:{SECRET}"  # known to the server, but it may change nothing
ZONE_FILE = """\
$ORIGIN edge.test.
$TTL 60
@       SOA ns1 hostmaster 1 3600 600 86400 5
        NS  ns1
ns1     A   127.0.0.1
media   A   192.0.2.1
        A   192.0.2.2
        TXT "of somebody else"
"""
CONFIG = """\
server:
    rundir: "{dir}"
    listen: "{host}@{port}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "{dir}"
key:
  - id: controller.
    algorithm: hmac-sha256
    secret: {secret}
  - id: stranger.
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: update
    key: controller.
    action: [update, transfer, notify]
{remotes}
template:
  - id: default
    storage: "{dir}"
    zonefile-load: whole
    zonefile-sync: 0
zone:
  - domain: {zone}
    acl: update
{options}
"""


@dataclass
class RunningKnot:
    server: Endpoint
    directory: Path
    process: subprocess.Popen[bytes]

    def answers(self) -> bool:
        query = dns.message.make_query(".", "SOA")
        try:
            dns.query.udp(query, self.server.host, port=self.server.port, timeout=1.0)
        except (dns.exception.Timeout, OSError):
            assert self.process.poll() is None, self.log
            return False
        return True

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()


@contextmanager
def knot(
    zone_file: str = ZONE_FILE, options: str = "", remotes: str = "", host: str = LOOPBACK
) -> Iterator[RunningKnot]:
    """A server with the zone; `options` are lines of its configuration, `remotes` sections."""
    with tempfile.TemporaryDirectory(prefix="knot-") as name:
        directory, port = Path(name), own_port()
        if zone_file:
            (directory / f"{ZONE}zone").write_text(zone_file)
        text = CONFIG.format(
            dir=name,
            host=host,
            port=port,
            secret=SECRET,
            zone=ZONE,
            options=options,
            remotes=remotes,
        )
        (directory / "knot.conf").write_text(text)
        with (directory / "log").open("wb") as log:
            argv = ["knotd", "-c", str(directory / "knot.conf")]
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        running = RunningKnot(Endpoint(host, port), directory, process)
        try:
            eventually(running.answers, "knot's first answer")
            yield running
        finally:
            process.kill()
            process.wait()
