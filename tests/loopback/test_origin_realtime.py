"""Tokens of a real origin open a real hub, and a page keeps its pseudonym."""

from __future__ import annotations

from pathlib import Path

from cache_policies.signal_tokens import Claims, key_from, mint, verify
from origin.settings import OriginSettings
from tests.support.origin import running_origin

TOKEN = "an-admin-token"
KEY = key_from(TOKEN)


async def test_a_page_gets_a_token_and_keeps_its_pseudonym(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path, token=TOKEN)) as client:
        first = await client.post("/api/realtime")
        assert first.headers["cache-control"] == "no-store"
        assert first.headers["access-control-allow-origin"] == "*"
        claims = verify(first.json()["token"], KEY, 0.0)
        assert isinstance(claims, Claims)
        assert claims.allows("story:8f3a")
        renewed = await client.post("/api/realtime", content=first.json()["token"])
        assert renewed.json()["subject"] == first.json()["subject"] == claims.subject
        other = await client.post("/api/realtime", content=mint(claims, key_from("forged")))
        assert other.json()["subject"] != claims.subject
        assert (await client.post("/api/realtime", content="x" * 999)).status_code == 413


async def test_an_origin_without_a_token_has_no_signals(tmp_path: Path) -> None:
    async with running_origin(OriginSettings(data=tmp_path)) as client:
        assert (await client.post("/api/realtime")).status_code == 404
