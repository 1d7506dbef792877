"""A node with a disk reads what was purged while it was away, before it serves."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge.disk_keeper import DiskKeeper
from edge.missed_purges import Place
from edge.orders import PurgeOrder
from edge.purge_feed import PurgeFeed
from edge.purges import PurgeKind
from tests.loopback.test_disk_node import HOST, have_on_disk
from tests.support.counting_origin import content, counting_origin
from tests.support.edge_node import TOKEN, edge_node
from tests.support.edges import until

LOG = "0123456789abcdef"
KEY = b"http://edge.test/x"
LIMIT_S = 20.0


class Log:
    """A purge log over HTTP: two purges a page."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.status = 200
        self.url = ""

    def page(self, after: int) -> dict[str, Any]:
        tags = self.tags  # of now: the test may be adding some
        purges = [
            {"number": number, "tag": tag}
            for number, tag in enumerate(tags, start=1)
            if number > after
        ]
        return {"log": LOG, "floor": 0, "last": len(tags), "purges": purges[:2]}


@contextmanager
def served() -> Iterator[Log]:
    log = Log()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["authorization"] == f"Bearer {TOKEN}"
            after = int(parse_qs(urlsplit(self.path).query)["after"][0])
            data = json.dumps(log.page(after)).encode()
            self.send_response(log.status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.url = f"http://127.0.0.1:{server.server_port}/purges"
    try:
        yield log
    finally:
        server.shutdown()
        server.server_close()


async def replayed(root: Path, url: str, limit_s: float = LIMIT_S) -> DiskKeeper:
    keeper = DiskKeeper(root, 1 << 30)
    feed = PurgeFeed(url, TOKEN)
    await keeper.catch_up(feed, limit_s=limit_s)
    await feed.close()
    keeper.close()
    return keeper


def is_purged(keeper: DiskKeeper, since: int, *tags: bytes) -> bool:
    return keeper.purged.since(since, KEY, tags)


async def test_what_was_missed_is_replayed_page_by_page(tmp_path: Path) -> None:
    with served() as log:
        log.tags = ["old"]
        began = (await replayed(tmp_path, log.url)).sequence
        assert began == 1  # what the disk held before is not known to be good
        log.tags += ["a", "b", "c", "d", "e"]
        keeper = await replayed(tmp_path, log.url)
        assert keeper.sequence == began + 5
        assert all(is_purged(keeper, began, tag.encode()) for tag in log.tags[1:])
        assert not is_purged(keeper, began, b"old")
        assert keeper.read_to == Place(LOG, 6)
        again = await replayed(tmp_path, log.url)
        assert again.sequence == keeper.sequence


async def test_without_the_log_the_disk_starts_empty(tmp_path: Path) -> None:
    with served() as log:
        before = await replayed(tmp_path, log.url)
        log.status = 503
        keeper = await replayed(tmp_path, log.url, limit_s=0.3)
        assert is_purged(keeper, before.sequence)
        assert keeper.read_to == before.read_to
        log.status, log.tags = 200, ["late"]
        later = await replayed(tmp_path, log.url)
        assert is_purged(later, keeper.sequence, b"late")
        assert not is_purged(later, keeper.sequence, b"other")


async def test_a_log_that_comes_back_in_time_is_waited_for(tmp_path: Path) -> None:
    with served() as log:
        before = await replayed(tmp_path, log.url)
        log.status, log.tags = 503, ["a"]
        waiting = asyncio.create_task(replayed(tmp_path, log.url))
        await asyncio.sleep(0)
        log.status = 200
        keeper = await waiting
        assert is_purged(keeper, before.sequence, b"a")
        assert not is_purged(keeper, before.sequence, b"b")


async def test_what_is_missed_while_serving_is_purged_then(tmp_path: Path) -> None:
    orders: list[PurgeOrder] = []

    async def purge(order: PurgeOrder) -> None:
        orders.append(order)

    with served() as log:
        await replayed(tmp_path, log.url)
        keeper, feed = DiskKeeper(tmp_path, 1 << 30), PurgeFeed(log.url, TOKEN)
        following = asyncio.create_task(keeper.follow(feed, purge, every_s=0.01))
        log.status = 503
        log.tags = ["a", "b", "c"]
        log.status = 200
        await until(lambda: keeper.read_to == Place(LOG, 3))
        following.cancel()
        await feed.close()
        keeper.close()
    assert [order.values for order in orders] == [(b"a", b"b"), (b"c",)]
    assert {order.kind for order in orders} == {PurgeKind.TAG}


def test_a_node_replays_before_it_serves(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    with served() as log, counting_origin() as origin:
        options = ("--disk", str(root), "--purge-log", log.url)
        with edge_node(origin.url, *options) as node:
            have_on_disk(node, root, ("/d/replayed", 1_000), ("/kept/x", 1_000))
        origin.version = 2
        log.tags = ["tag-d"]
        with edge_node(origin.url, *options) as node:
            fields = {"host": HOST}
            got = node.get("/d/replayed?size=1000", headers=fields)
            assert got.content == content("/d/replayed", 2, 1_000)
            kept = node.get("/kept/x?size=1000", headers=fields)
            assert kept.content in [content("/kept/x", version, 1_000) for version in (1, 2)]
