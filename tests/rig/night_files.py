"""The members' files of the night, and the same with a probe that lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.rig.network import Network
from tests.rig.night_film import ORIGIN_PORTS
from tests.rig.night_story import Story
from tests.support import knots

MEMBERS: Final = ("m1", "m2", "m3")
PROVIDERS: Final = ("one", "two")
ORIGIN: Final = "origin"
OWN_DNS_PORT: Final = 5353
LIE: Final = hashlib.sha256(b"a lie").hexdigest()
NAME: Final = f"media.{knots.ZONE}"

MEMBERS_FILE: Final = """\
providers: [{{name: own, ours: true}}, {{name: cdn-one}}, {{name: cdn-two}}, {{name: registrar}}]
members:
{members}
dns_providers:
  - {{name: own-dns, kind: own, provider: own, name_servers: [{own}]}}
  - name: knot
    kind: rfc2136
    provider: registrar
    server: "{knot}"
    credential: knot
    name_servers: ["{knot}"]
credentials: [{{name: knot, file: "{root}/knot.key", provider: own}}]
lease: "{lease}"
"""
MEMBER: Final = """\
  - name: {name}
    region: north
    provider: own
    url: "http://{address}:9443"
    controls: [{{name: origin, kind: tcp, url: "tcp://{origin}:8000", timeout: 2s}}]
"""
EDGE: Final = '    edge_admin: "http://{address}:9080"\n'
MEDIA_FILE: Final = """\
service: media
detection: {detection}
targets:
{targets}
steering:
  server_uri: "http://{steering}:8080/.amaro/steer"
  playlists: [/v/*/main.m3u8]
  ttl: 1s
  ttl_suspect: 1s
routes: default
dns: {{name: {name}, zone: {zone}, providers: [own-dns, knot], ttl: 5s, ttl_suspect: 5s}}
"""
TARGET: Final = """\
  - name: {name}
    provider: cdn-{name}
    pathway: {address}
    route: "http://{origin}:{port}"
    records: [{{type: A, values: [{address}]}}]
    probes:
      - name: known
        kind: http
        url: "http://{address}:8080{known}"
        sha256: {sha256}
        timeout: 2s
"""


def write_services(
    net: Network,
    root: Path,
    story: Story,
    *,
    knot: str,
    lease: str,
    detection: str,
    edges: Sequence[str],
) -> None:
    """Write the members' files; in `lying`, the member that lies has another hash to compare."""
    members = "".join(
        MEMBER.format(name=name, address=net[name].address, origin=net[ORIGIN].address)
        + (EDGE.format(address=net[name].address) if name in edges else "")
        for name in MEMBERS
    )
    own = ", ".join(f'"{net[name].address}:{OWN_DNS_PORT}"' for name in MEMBERS)
    for folder, sha256 in (("services", story.sha256), ("lying", LIE)):
        targets = "".join(
            TARGET.format(
                name=name,
                address=net[name].address,
                origin=net[ORIGIN].address,
                port=port,
                known=story.known,
                sha256=sha256 if name == "one" else story.sha256,
            )
            for name, port in zip(PROVIDERS, ORIGIN_PORTS, strict=True)
        )
        (root / folder).mkdir()
        (root / folder / "members.yaml").write_text(
            MEMBERS_FILE.format(members=members, own=own, knot=knot, root=root, lease=lease)
        )
        (root / folder / "media.yaml").write_text(
            MEDIA_FILE.format(
                targets=targets,
                steering=net[edges[-1]].address,
                detection=detection,
                name=NAME,
                zone=knots.ZONE,
            )
        )
