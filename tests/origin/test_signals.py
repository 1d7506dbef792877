"""Every hub hears of every story that can be watched, whoever was away meanwhile."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from origin.signals import HUSH_S, Signals
from origin.watchable import Story


@dataclass
class Hub:
    """An edge's admin listener, as far as it takes signals."""

    url: str = ""
    status: int = 200
    heard: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def hub() -> Iterator[Hub]:
    told = Hub()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.tokens.add(self.headers["authorization"])
            if told.status == 200:
                told.heard.append(f"{said['topic']} {said['key']}")
            self.send_response(told.status)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Stories:
    """A catalog's, without a catalog."""

    stories: list[Story] = field(default_factory=list)

    def since(self, since_wall: float) -> list[Story]:
        return list(self.stories)


def test_a_hub_that_was_away_hears_it_later_and_each_hears_it_once() -> None:
    stories = Stories([Story(asset_id="a", region="north")])
    with hub() as well, hub() as away:
        away.status = 503
        signals = Signals(stories=stories, admin_urls=[well.url, away.url], token="secret")  # type: ignore[arg-type]
        first = ["story:a a-watchable", "feed:north a-watchable"]
        signals.flush(now_wall=1.0)
        assert (well.heard, away.heard) == (first, [])
        away.status = 200
        stories.stories.append(Story(asset_id="b", region="south"))
        signals.flush(now_wall=2.0)
        signals.flush(now_wall=3.0)
        both = [*first, "story:b b-watchable", "feed:south b-watchable"]
        assert (well.heard, away.heard) == (both, both)
        assert well.tokens == {"Bearer secret"}
        signals.close()


def test_an_edge_without_a_hub_is_left_alone_for_a_while() -> None:
    stories = Stories([Story(asset_id="a", region="north")])
    with hub() as edge:
        edge.status = 404
        signals = Signals(stories=stories, admin_urls=[edge.url], token=None)  # type: ignore[arg-type]
        signals.flush(now_wall=1.0)
        edge.status = 200
        signals.flush(now_wall=HUSH_S)
        assert edge.heard == []
        signals.flush(now_wall=1.0 + HUSH_S)
        assert len(edge.heard) == 2
        signals.close()


def test_an_edge_that_is_not_there_harms_nobody() -> None:
    stories = Stories([Story(asset_id="a", region="north")])
    signals = Signals(stories=stories, admin_urls=["http://127.0.0.1:9"], token=None)  # type: ignore[arg-type]
    signals.flush(now_wall=1.0)
    signals.flush(now_wall=2.0)
    signals.close()
