"""The page "Failover" in a browser, before a member that leads and one that is gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.browser import DESKTOP, chromium, watched_page
from tests.support.console import console

NAMES = ("a", "b", "edges")
REGIONS = ("north", "south")
DRILL = {"service": "media", "target": "a", "who": "ada", "why": "monthly", "left_s": 25.5}
ENTRY = {"at": 1.0, "happening": "fell", "service": "media", "text": "c <b>is</b> down: 503"}
EARLIER = 20
GONE = "http://127.0.0.1:1"  # nobody listens there


class Leader:
    """What a member that leads knows of a service without DNS; a switch is carried out at once."""

    def __init__(self) -> None:
        self.first = "a"
        self.shares = [["a", 1.0]]
        self.drill: dict[str, object] | None = None
        self.kept: list[dict[str, object]] = []
        self.entries = [ENTRY | {"regions": ["north"], "runbook": "provider-down"}]
        old = [
            {"at": at / 100, "happening": "counted", "text": f"once {at}"} for at in range(EARLIER)
        ]
        self.entries += old
        self.is_leading = True

    def status(self) -> dict[str, object]:
        choices = [
            {"service": "media", "region": region, "order": NAMES, "shares": self.shares}
            for region in REGIONS
        ]
        told = {
            "leads": self.is_leading,
            "alone": False,
            "controller": {"name": "m1", "epoch": 3, "why_not": "the store is gone"},
            "decision": {"version": [3, 1], "choices": choices},
        }
        return told | (self.led() if self.is_leading else {})

    def led(self) -> dict[str, object]:
        row = {"service": "media", "why": "", "held_off_s": 0.0, "since_s": 1.0, "state": "up"}
        votes = {"up": 3, "down": 0, "silent": 0}
        pin = {"service": "media", "region": "north", "target": "b", "who": "ada", "why": "a test"}
        return {
            "targets": [
                row | {"region": region, "target": name, "votes": votes}
                for region in REGIONS
                for name in NAMES
            ],
            "vantages": [{"name": "m1", "region": "north", "counts": True, "why_not": ""}],
            "pins": [pin] * (self.first == "b"),
            "frozen": [],
            "dns": [],
            "drill": self.drill,
            "kept": self.kept,
            "steps": 0,
        }

    def order(self, order: dict[str, str]) -> tuple[int, dict[str, object]]:
        if order["order"] != "switch":
            text = "refused: unfreeze: nothing is frozen (because: a test)"
            said = {"happening": "refused", "regions": ["nope"], "who": order["who"]}
            self.entries.append({"at": 3.0, "text": text} | said)
            return 409, {"carried_out": False, "text": "nothing is frozen by these names"}
        self.first = order["target"]
        self.shares = [[self.first, 1.0]]
        text = f"switch media b: b is used first (because: {order['why']})"
        self.entries.append({"at": 2.0, "happening": "ordered", "text": text, "who": order["who"]})
        return 200, {"carried_out": True, "text": "b is used first"}


@contextmanager
def member(leader: Leader) -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["authorization"] != "Bearer right":
                return self.answer(401, {"error": "token"})
            known: dict[str, dict[str, object]] = {
                "/status": leader.status(),
                "/history": {"entries": leader.entries},
                "/plan": {"steps": [{"text": "answer media with b"}]},
            }
            if self.path.endswith("target=b"):
                known["/plan"] = {
                    "steps": [],
                    "why": "frozen by bob (one): nothing moves by itself",
                }
            return self.answer(200, known[self.path.partition("?")[0]])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.answer(*leader.order(json.loads(body)))

        def answer(self, status: int, told: dict[str, object]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_failover_page() -> None:
    leader = Leader()
    with (
        member(leader) as url,
        console({"north": GONE}, GONE, members={"m1": url, "m2": GONE}) as base,
        chromium() as browser,
        watched_page(browser, DESKTOP) as watched,
    ):
        page = watched.page
        watched.tolerated = lambda text: "401" in text or "409" in text
        page.goto(f"{base}/failover")
        page.get_by_label("Admin token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("That is not the members\u2019 token.").wait_for()
        page.get_by_label("Admin token").fill("right")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("m2 does not answer").wait_for()
        page.locator(".carried li", has_text="a 100 %").first.wait_for()
        assert page.locator(".service tbody tr").count() == len(NAMES)
        page.get_by_text("c <b>is</b> down").wait_for()  # text, never markup
        assert page.get_by_role("link", name="Runbook").get_attribute("href") == (
            "/runbooks/provider-down"
        )
        page.get_by_role("button", name="Show 1 earlier").click()
        page.get_by_text("once 0", exact=True).wait_for()
        page.locator("#suppose").select_option("media/a")
        page.get_by_text("answer media with b").wait_for()
        page.locator("#suppose").select_option("media/b")
        page.get_by_text("Nothing would be done: frozen by bob (one)").wait_for()
        assert page.get_by_text("DNS").locator("visible=true").count() == 0  # the service has none

        button = page.locator("#give")
        page.locator("#target").select_option("b")
        page.get_by_label("Who are you").fill("ada")
        page.get_by_label("Why", exact=True).fill("a test")
        assert button.is_disabled()
        page.get_by_label("Type media to confirm").fill("medi")
        assert button.is_disabled()
        page.get_by_label("Type media to confirm").fill("media")
        page.get_by_role("button", name="Switch media to b").click()
        page.get_by_text("Done: b is used first.").wait_for()
        assert button.is_disabled()  # the next one is typed anew
        page.locator("#alerts").get_by_text("Switched in North: media to b, by ada").wait_for()
        now = page.locator("#now")  # beside the button: what has come of it
        now.get_by_text("media in North, South: b 100 %").wait_for()
        now.get_by_text("Switched in North: media to b, by ada: a test").wait_for()
        page.locator(".carried li", has_text="b 100 %").first.wait_for()
        page.locator("#timeline li", has_text="(because: a test)").wait_for()

        page.locator("#kind").select_option("unfreeze")
        assert page.locator("#answer").inner_text() == ""  # that was of another order
        page.get_by_text("Force: even without a controller").wait_for()
        page.locator("#service").select_option("")
        page.get_by_label("Type everything to confirm").fill("everything")
        page.get_by_role("button", name="Unfreeze everything").click()
        page.get_by_text("Not done: nothing is frozen by these names.").wait_for()
        refused = page.locator("#timeline li.refused")
        refused.get_by_text("Refused", exact=True).wait_for()
        assert refused.locator("p").inner_text().startswith("Refused unfreeze: nothing is frozen")
        assert "Nope" not in refused.inner_text()  # it named a place that there is not

        leader.shares = [["edge-south", 0.75], ["edge-north", 0.25]]
        leader.drill = DRILL | {"is_failing": True}
        stays = {"service": "media", "target": "a", "share": 0.75, "why": "frozen by bob (one)"}
        leader.kept = [stays | {"region": region} for region in REGIONS]
        page.locator("#alerts").get_by_text(
            "A drill is running: media/a is taken to fail"
        ).wait_for()
        page.get_by_text("media/a is down, but carries 75 %: frozen by bob (one).").wait_for()
        page.get_by_text("All else is as decided.").wait_for()
        leader.kept.pop()
        page.get_by_text("In North: media/a is down, but carries 75 %").wait_for()

        leader.is_leading = False
        page.get_by_text("No member leads (the store is gone).").wait_for()
        page.locator(".carried li", has_text="edge-south 75 %, edge-north 25 %").first.wait_for()
        assert "right" not in page.url
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        place = page.locator(".carried .place", has_text="North").bounding_box()
        assert place is not None
        assert place["width"] > place["height"]  # its letters stand in a line
