"""The page "What people watch" in a browser, before an edge that says what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.browser import DESKTOP, chromium, watched_page
from tests.support.console import console
from tests.support.packaged_clip import ClipServer, serving

STORY = "k3jd72lqafh5xz7a"
CELL = {
    "reports": 120,
    "starved_share": 0.025,
    "starved_ms": 900,
    "measured_throughput_kbps": {"p10": 900, "p50": 6000, "p90": 9000},
    "buffer_length_ms": {"p10": 900, "p50": 12_300, "p90": 30_000},
    "media_start_delay_ms": {"p10": None, "p50": None, "p90": None},
}


def standing(story, per_minute, change):
    return {"story": story, "per_minute": per_minute, "share": per_minute / 100, "change": change}


def told(region):
    return {
        "region": region,
        "regions": ["north", "de"],
        "per_minute": 100.0,
        "top": [standing("de" if region == "de" else STORY, 60.0, 1.0), standing("/b", 8.5, 1.0)],
        "rising": [standing("/<b>rising</b>", 20.0, 4.25)],
        "cold": [],
        "objects": [],
        "hours": [{"hour": 490_000} | CELL],
        "devices": {"phone": CELL, "tv": CELL | {"reports": 40}},
        "networks": [
            {"network": "as64500", "per_minute": 75.0, "share": 0.75},
            {"network": "other", "per_minute": 25.0, "share": 0.25},
        ],
        "network_quality": {"as64500": CELL},
        "prewarm": {
            "on": True,
            "ready": True,
            "precision": 0.934,
            "used_bytes": 93_400_000,
            "wasted_bytes": 6_600_000,
        },
    }


class Admin(BaseHTTPRequestHandler):
    """An admin listener that knows what is popular."""

    def do_GET(self):
        parts = urlsplit(self.path)
        allowed = self.headers["authorization"] == "Bearer right"
        region = parse_qs(parts.query).get("region", [None])[0]
        body = json.dumps(told(region) if allowed else {"error": "token"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def admin_listener() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Admin) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_what_people_watch(tmp_path: Path):
    clip = ClipServer(tmp_path, stories=[])
    with (
        serving(clip),
        admin_listener() as admin,
        console({"north": clip.url}, clip.url, {"north": admin}) as url,
        chromium() as browser,
        watched_page(browser, DESKTOP) as watched,
    ):
        page = watched.page
        watched.tolerated = lambda text: "401" in text or "404" in text
        page.goto(f"{url}/popular")
        page.get_by_label("Admin token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("That is not the token of this edge.").wait_for()
        page.get_by_label("Admin token").fill("right")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("100 requests for video a minute.").wait_for()
        assert page.locator("#top li").count() == 2
        page.get_by_text("/<b>rising</b>").wait_for()  # text, never markup
        page.get_by_text("4.25 \N{MULTIPLICATION SIGN} its share before").wait_for()
        page.get_by_text("Nothing gets cold just now.").wait_for()
        page.get_by_text("12.3 s").first.wait_for()
        assert page.locator("#devices tbody tr").count() == 2
        rows = page.locator("#network-rows tr")
        assert rows.first.inner_text().split("\t")[:3] == ["AS64500", "75 %", "75"]
        assert rows.nth(1).inner_text().split("\t")[3:] == ["\N{EN DASH}"] * 3
        for shown in ("100 MB", "93 %", "6.6 MB"):
            page.locator("#prewarm-tiles").get_by_text(shown, exact=True).wait_for()
        assert "right" not in page.url
        page.get_by_role("radio", name="DE").check()
        page.locator("#top li", has_text="de").first.wait_for()
        page.evaluate("sessionStorage.clear()")
        page.goto(f"{url}/popular#token=wrong")
        page.get_by_text("That is not the token of this edge.").wait_for()
        page.goto(f"{url}/popular#token=right")
        page.get_by_text("100 requests for video a minute.").wait_for()
        assert page.url == f"{url}/popular"
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
