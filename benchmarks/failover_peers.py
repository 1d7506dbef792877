"""gdnsd and PowerDNS as they fail over by themselves, at intervals as close to ours as they go."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.failing_provider import BODY
from benchmarks.processes import launched
from failover.endpoint import Endpoint
from tests.support import powerdns
from tests.support.powerdns import RunningPowerDns

TIMEOUT_S: Final = 1
FALL: Final = 2
ZONE: Final = "peers.test."
KNOWN: Final = BODY.partition(b"\n")[0].decode()

# gdnsd wants a time-out shorter than its interval, both in whole seconds: 2 s is its shortest.
GDNSD: Final = """\
options => {{
    listen => {host}:{port}, run_dir => {dir}/run, state_dir => {dir}/state,
    udp_threads => 1, tcp_threads => 1, http_listen => 127.0.0.1:{port}
}}
service_types => {{ web => {{
    plugin => http_status, port => {provider_port}, url_path => /, vhost => video.example,
    interval => 2, timeout => {timeout}, down_thresh => {fall}, ok_thresh => 10, up_thresh => 2
}} }}
plugins => {{ simplefo => {{ service_types => web
{names}
}} }}
"""
GDNSD_NAME: Final = "    {service} => {{ primary => {first}, secondary => {second} }}"
ZONE_FILE: Final = """\
@ SOA ns1 hostmaster 1 3600 600 86400 5
@ NS ns1
ns1 A 127.0.0.1
"""

Addresses = Mapping[str, tuple[str, str]]
"""By service: its first target's address, and its second one's."""


def names_of(addresses: Addresses) -> dict[str, str]:
    """Return the name of each service with both peers."""
    return {service: f"{service}.{ZONE}" for service in addresses}


@contextmanager
def gdnsd(addresses: Addresses, *, port: int, provider_port: int) -> Iterator[Endpoint]:
    """Run gdnsd with its own monitor of HTTP until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="gdnsd-") as name:
        directory = Path(name)
        for each in ("run", "state", "zones"):
            (directory / each).mkdir()
        listed = "\n".join(
            GDNSD_NAME.format(service=service, first=first, second=second)
            for service, (first, second) in addresses.items()
        )
        (directory / "config").write_text(
            GDNSD.format(
                host="127.0.0.1",
                port=port,
                dir=directory,
                provider_port=provider_port,
                timeout=TIMEOUT_S,
                fall=FALL,
                names=listed,
            )
        )
        dynamic = "".join(f"{service} 5 DYNA simplefo!{service}\n" for service in addresses)
        (directory / "zones" / ZONE.rstrip(".")).write_text(ZONE_FILE + dynamic)
        command = ["gdnsd", "-c", name, "start"]
        log = directory / "log"
        with launched("gdnsd", command, port=port, cores="0-1", log=log):
            yield Endpoint("127.0.0.1", port)


@contextmanager
def ifurlup(addresses: Addresses, *, provider_port: int) -> Iterator[RunningPowerDns]:
    """Run PowerDNS, which asks every second by itself, until the end of the block.

    It is a DNS provider with an API, too: of tests.support.powerdns.ZONE.
    """
    settings = {"enable_lua_records": "yes", "lua_health_checks_interval": "1"}
    with powerdns.powerdns(**settings) as running:
        options = f"{{stringmatch='{KNOWN}', timeout={TIMEOUT_S}}}"
        url = f"http://video.example:{provider_port}/"
        zone = {
            "name": ZONE,
            "kind": "Native",
            "nameservers": [f"ns1.{ZONE}"],
            "rrsets": [
                {
                    "name": f"{service}.{ZONE}",
                    "type": "LUA",
                    "ttl": 5,
                    "records": [
                        {
                            "content": f"A \"ifurlup('{url}', {{{{'{first}'}}, {{'{second}'}}}}, "
                            f'{options})"',
                            "disabled": False,
                        }
                    ],
                }
                for service, (first, second) in addresses.items()
            ],
        }
        httpx.post(
            f"{running.api}/api/v1/servers/localhost/zones",
            json=zone,
            headers={"X-API-Key": powerdns.API_KEY},
        ).raise_for_status()
        yield running
