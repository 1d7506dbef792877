"""The edges of `amaro up`: what they had they have again, and what was purged meanwhile is gone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from amaro import valkey
from amaro.edge_disk import edge_disk
from amaro.ports import plan_ports
from amaro.services import ServicePlan, Site, plan_services
from amaro.shipped import shipped
from amaro.stack import data_dir
from origin.service import open_publisher
from origin.settings import OriginSettings
from tests.support.edge_node import DEADLINE_S, NO_TLS, ending, eventually
from tests.support.origin import (
    content_name,
    create_headers,
    main_playlist,
    playlist,
    publication,
)
from tests.support.ports import own_port

TOKEN = "secret"
BODY = bytes(range(256)) * 1_000
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def site(root: Path) -> Site:
    data = data_dir(root)
    data.prepare()
    return Site(
        data=data,
        host="127.0.0.1",
        ports=plan_ports(own_port(), 1),
        token=TOKEN,
        valkey=valkey.configure(data),
        edge_rules=shipped("policies/amaro.yaml"),
        edge_disk_bytes=1 << 30,
    )


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """Ask with patience."""
    return httpx.request(method, url, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS, **options)


@contextmanager
def running(plan: ServicePlan) -> Iterator[None]:
    """One service as `amaro up` starts it, ready."""
    with plan.command.log.open("ab") as log:
        process = subprocess.Popen(
            plan.command.argv,
            env=os.environ | plan.command.environment,
            stdout=log,
            stderr=log,
        )

    def is_ready() -> bool:
        assert process.poll() is None, plan.command.log.read_text()
        try:
            return ask("GET", f"{plan.health_url}/.amaro/ready").is_success
        except httpx.HTTPError:
            return False

    with ending(process):
        eventually(is_ready, f"{plan.name} ready")
        yield


def publish(origin: ServicePlan, data: Path, body: bytes) -> tuple[str, str]:
    """Put a segment at the origin; return its asset_id and path."""
    fields = create_headers(1, **{"Content-Type": "application/offset+octet-stream"})
    made = ask("POST", f"{origin.url}/uploads/", headers=fields, content=b"x")
    asset_id, name = made.headers["amaro-asset-id"], content_name(body)
    with open_publisher(OriginSettings(data=data / "origin")) as publisher:
        publisher.store(asset_id, name, body, "video/mp4")
        publisher.publish(asset_id, publication(main_playlist(playlist(name))))
    return asset_id, f"/v/{asset_id}/{name}"


def get(edge: ServicePlan, path: str) -> httpx.Response:
    return ask("GET", edge.url + path)


def was_skipped(edge: ServicePlan) -> bool:
    """Whether a look-up on disk took too long: this machine may be busy with other tests."""
    text = ask("GET", f"{edge.admin_url}/metrics").text
    return 'amaro_edge_disk_reads_total{result="skipped"} 0' not in text


def test_a_second_start_serves_from_disk_but_not_what_was_purged_meanwhile(tmp_path: Path) -> None:
    here = site(tmp_path)
    plans = {plan.kind: plan for plan in plan_services(here)}
    origin, edge = plans["origin"], plans["edge"]
    objects = edge_disk(here.data, "north") / "objects"
    with running(origin):
        kept, gone = [publish(origin, tmp_path, BODY + tail) for tail in (b"kept", b"gone")]
        with running(edge):
            for _, path in (kept, gone):
                for _ in range(2):
                    assert get(edge, path).is_success
            eventually(lambda: len([*objects.glob("*/*")]) == 2, "two files")
        cancel = f"{origin.url}/api/assets/{gone[0]}/cancel"
        ask("POST", cancel, headers=HEADERS).raise_for_status()
        with running(edge):
            again = get(edge, kept[1])
            assert again.content == BODY + b"kept"
            said = again.headers["cache-status"]
            assert ("hit; " in said and "detail=disk" in said) or was_skipped(edge)
            assert get(edge, gone[1]).status_code in (404, 410)
            status = ask("GET", f"{edge.admin_url}/status", headers=HEADERS).json()
            assert status["disk"]["budget_bytes"] == 1 << 30
            assert status["disk"]["directory"] == str(objects.parent)
