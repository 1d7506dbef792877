"""A real PowerDNS server of Debian with its HTTP API, on SQLite."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from failover.endpoint import Endpoint
from tests.support.edge_node import NO_TLS, eventually
from tests.support.ports import own_ports

LOOPBACK = "127.0.0.1"
ZONE = "edge.test."
API_KEY = "key-of-a-test"
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")


@dataclass
class RunningPowerDns:
    server: Endpoint
    api: str
    process: subprocess.Popen[bytes]

    def answers(self) -> bool:
        assert self.process.poll() is None
        try:
            found = httpx.get(
                f"{self.api}/api/v1/servers", headers={"X-API-Key": API_KEY}, verify=NO_TLS
            )
        except httpx.TransportError:
            return False
        return found.status_code == 200

    def create_zone(self) -> None:
        zone = {
            "name": ZONE,
            "kind": "Native",
            "nameservers": [f"ns1.{ZONE}"],
            "rrsets": [
                {
                    "name": f"media.{ZONE}",
                    "type": kind,
                    "ttl": 60,
                    "records": [{"content": value, "disabled": False} for value in values],
                }
                for kind, values in (
                    ("A", ["192.0.2.1", "192.0.2.2"]),
                    ("TXT", ['"of somebody else"']),
                )
            ],
        }
        headers = {"X-API-Key": API_KEY}
        url = f"{self.api}/api/v1/servers/localhost/zones"
        assert httpx.post(url, json=zone, headers=headers, verify=NO_TLS).status_code == 201


@contextmanager
def powerdns(**more: str) -> Iterator[RunningPowerDns]:
    """A server with the zone that the tests of knot have, too; `more` settings by their names."""
    with tempfile.TemporaryDirectory(prefix="pdns-") as name:
        directory = Path(name)
        dns_port, api_port, *_ = own_ports()
        database = directory / "pdns.sqlite3"
        subprocess.run(["sqlite3", database], input=SCHEMA.read_bytes(), check=True)
        settings = {
            "config-dir": name,
            "socket-dir": name,
            "launch": "gsqlite3",
            "gsqlite3-database": database,
            "local-address": LOOPBACK,
            "local-port": dns_port,
            "api": "yes",
            "api-key": API_KEY,
            "webserver": "yes",
            "webserver-address": LOOPBACK,
            "webserver-port": api_port,
            "webserver-allow-from": f"{LOOPBACK}/8",
            "cache-ttl": 0,
            "query-cache-ttl": 0,
            "negquery-cache-ttl": 0,
            "zone-cache-refresh-interval": 0,
            "receiver-threads": 1,
            "distributor-threads": 1,
            "guardian": "no",
            "daemon": "no",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        argv = ["pdns_server", *(f"--{key}={value}" for key, value in settings.items())]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        api = f"http://{LOOPBACK}:{api_port}"
        running = RunningPowerDns(Endpoint(LOOPBACK, dns_port), api, process)
        try:
            eventually(running.answers, "PowerDNS' first answer")
            running.create_zone()
            yield running
        finally:
            process.kill()
            process.wait()
