"""The console's server: what each path answers, and with which headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from console import assets
from console.app import create_app
from console.headers import content_security_policy
from console.settings import console_settings

SETTINGS = console_settings(
    ["north=http://127.0.0.1:8080", "south=http://127.0.0.1:8081"], "http://127.0.0.1:8084"
)


@pytest.fixture(scope="module")
def client() -> Iterator[SyncClient]:
    """A client that asks the application without a socket."""
    return SyncClient()


class SyncClient:
    """Asks the application without a socket."""

    def __init__(self) -> None:
        self.app = create_app(SETTINGS)

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as asking:
            return await asking.request(method, path, headers=names)


@pytest.mark.parametrize("path", ["/", "/watch/abcdefghijklmnop", "/upload", "/popular"])
async def test_pages(client, path):
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<main" in answer.text
    assert "$" not in answer.text


async def test_pages_carry_no_inline_script_or_style(client):
    for path in ("/", "/watch/x", "/upload", "/popular", "/nowhere"):
        html = (await client.get(path)).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)


async def test_the_security_policy_names_exactly_the_stack(client):
    policy = (await client.get("/")).headers["content-security-policy"]
    stack = "http://127.0.0.1:8080 http://127.0.0.1:8081 http://127.0.0.1:8084"
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["style-src"] == "'self'"
    assert rules["connect-src"] == f"'self' {stack}"
    assert rules["media-src"] == f"blob: {stack}"
    assert rules["img-src"] == f"'self' blob: {stack}"
    assert rules["frame-ancestors"] == "'none'"


def test_pages_may_connect_to_hubs_where_there_are_any():
    pages = console_settings(["north=https://edge.example"], "http://origin.example", realtime=True)
    assert "https://edge.example http://origin.example wss://edge.example;" in (
        content_security_policy(pages)
    )


async def test_every_file_that_a_page_names_is_there_and_immutable(client):
    for path in ("/", "/watch/x", "/upload", "/popular", "/nowhere"):
        names = re.findall(r'(?:href|src)="(/static/[^"]+)"', (await client.get(path)).text)
        assert len(names) >= 2
        for name in names:
            answer = await client.get(name)
            assert answer.status_code == 200, name
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_every_module_imports_files_of_the_same_build(client):
    build = re.search(r"/static/[0-9a-f]{16}/", (await client.get("/")).text)
    assert build
    for name, body in client_static().items():
        for imported in re.findall(r'from "\./([^"]+)"', body):
            answer = await client.get(build[0] + imported)
            assert answer.status_code == 200, f"{name} imports {imported}"


def client_static() -> dict[str, str]:
    """Our scripts by name."""
    return {path.name: path.read_text() for path in (assets.HERE / "static").glob("*.js")}


async def test_a_known_validator_gets_304(client):
    first = await client.get("/", accept_encoding="br")
    assert first.headers["content-encoding"] == "br"
    again = await client.get("/", accept_encoding="br", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    plain = await client.get("/", accept_encoding="identity", if_none_match=first.headers["etag"])
    assert plain.status_code == 200
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [("br, gzip", "br"), ("gzip", "gzip"), ("gzip;q=1, br;q=0", "gzip"), ("", None), ("*", "br")],
)
async def test_content_coding(client, accept, coding):
    answer = await client.get("/upload", accept_encoding=accept)
    assert answer.headers.get("content-encoding") == coding


@pytest.mark.parametrize("name", ["hls.min.js", "hls.min.mjs", "tus.min.js"])
async def test_player_scripts(client, name):
    answer = await client.get(f"/vendor/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "sourceMappingURL" not in answer.text
    assert (await client.get(f"/vendor/{name}", method="HEAD")).content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/nothing.js",
        "/static/0123456789abcdef/base.css",
        "/vendor/../app.py",
        "/static/..%2Fapp.py",
        "/watch/",
        "/watch/a/b",
    ],
)
async def test_what_is_not_there(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert "content-security-policy" in answer.headers


async def test_config(client):
    assert (await client.get("/config.json")).json() == {
        "edges": [
            {"name": "north", "url": "http://127.0.0.1:8080"},
            {"name": "south", "url": "http://127.0.0.1:8081"},
        ],
        "origin": "http://127.0.0.1:8084",
        "realtime": False,
        "signed": False,
    }


@pytest.mark.parametrize("path", ["/.amaro/live", "/.amaro/ready"])
async def test_probes(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_missing_player_scripts_are_named(monkeypatch):
    monkeypatch.setitem(assets.VENDOR, "hls.min.js", "not-installed/hls.min.js")
    with pytest.raises(assets.MissingScriptsError, match="make setup"):
        create_app(SETTINGS)


def test_the_build_changes_with_any_file():
    files = {"a.js": b"1", "b.js": b"2"}
    names = {assets.build_of(files), assets.build_of(files | {"b.js": b"3"})}
    names.add(assets.build_of({"a.js": b"12", "b.js": b""}))
    assert len(names) == 3
