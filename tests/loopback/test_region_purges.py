"""An operator's orders, from the origin's log to what players are served by a real edge."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.counting_origin import CountingOrigin, content, counting_origin
from tests.support.edge_node import (
    DEADLINE_S,
    NO_TLS,
    TOKEN,
    RunningNode,
    edge_node,
    eventually,
)
from tests.support.origin import OriginProcess, origin_process
from tests.support.ports import own_ports

QUERY = "size=9&cc=cache-control:+max-age=3600,+stale-while-revalidate=3600"
FIELDS = {"host": "edge.test"}


@dataclass
class Region:
    """A log, content, and one edge."""

    log: OriginProcess
    content: CountingOrigin
    edge: RunningNode

    def order(self, kind: str, *values: str, **more: Any) -> dict[str, Any]:
        """Have something purged; return the receipt."""
        answer = httpx.post(
            f"{self.log.url}/purges",
            json={"kind": kind, "values": values} | more,
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=DEADLINE_S,
            trust_env=False,
            verify=NO_TLS,
        )
        return answer.raise_for_status().json()

    def purge(self, kind: str, *values: str, **more: Any) -> None:
        """Have something purged until the edge has acknowledged it, however slow it is."""
        named = {"id": secrets.token_hex(8)}
        eventually(lambda: self.order(kind, *values, **more, **named)["acknowledged"])

    def version(self, path: str) -> int:
        """Return which version of some content a player is served."""
        got = self.edge.get(f"{path}?{QUERY}", headers=FIELDS)
        versions = range(1, self.content.version + 1)
        return next(each for each in versions if got.content == content(path, each, 9))


@contextmanager
def region(folder: Path) -> Iterator[Region]:
    admin = f"127.0.0.1:{own_ports()[1]}"
    (folder / "token").write_text(TOKEN)
    named = ("--edge-admin", f"http://{admin}", "--token-file", str(folder / "token"))
    with origin_process(folder / "origin", *named) as log, counting_origin() as made:
        told = ("--admin", admin, "--purge-log", f"{log.url}/purges")
        with edge_node(made.url, *told) as edge:
            yield Region(log, made, edge)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with region(tmp_path_factory.mktemp("region")) as made:
        yield made


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "http://edge.test/one/a?{query}"),
        ("prefix", "/two/"),
        ("tag", "tag-three"),
        ("all", None),
    ],
)
@pytest.mark.parametrize("soft", [False, True])
def test_what_is_ordered_is_forgotten(
    whole: Region, kind: str, value: str | None, soft: bool
) -> None:
    name = {"url": "one", "prefix": "two", "tag": "three", "all": "four"}[kind]
    path = f"/{name}/{'a' if kind == 'url' else soft}"
    before = whole.content.version
    assert whole.version(path) <= before
    whole.content.version += 1
    values = () if value is None else (value.format(query=QUERY),)
    whole.purge(kind, *values, soft=soft)
    if soft:  # it may still be served, once more, while it is fetched anew
        eventually(lambda: whole.version(path) == whole.content.version, "a new one")
    else:
        assert whole.version(path) == whole.content.version


def test_what_is_made_stale_is_served_while_it_is_fetched_anew(whole: Region) -> None:
    path = "/stale/while"
    old = whole.version(path)
    assert old == whole.version(path)
    whole.content.version += 1
    whole.purge("tag", "tag-stale", soft=True)
    assert whole.version(path) == old
    eventually(lambda: whole.version(path) == whole.content.version, "a new one")


def test_a_purge_that_could_not_be_told_is_told_when_the_origin_is_back(tmp_path: Path) -> None:
    with region(tmp_path) as it:
        it.purge("tag", "first")
        assert it.version("/a/x") == 1
        it.content.version = 2
        [supervisor, *_] = it.edge.processes()
        supervisor.suspend()
        try:
            receipt = it.order("tag", "tag-a")
            (row,) = receipt["edges"]
            assert (receipt["acknowledged"], row["acknowledged"]) == (False, False)
            assert row["error"].startswith("no answer")
            it.log.kill()
        finally:
            supervisor.resume()
        it.log.start()
        eventually(lambda: it.version("/a/x") == 2, "the purge")
