"""Somebody who scrolls: pages of the feed and their posters, and back again with validators."""

from __future__ import annotations

import random
from typing import Any

from locust import between, task
from locust.contrib.fasthttp import FastHttpUser

from locustfiles import targets

PAGES_MAX = 4
REMEMBERED_MAX = 200


class FeedReader(FastHttpUser):
    """One reader of one region's feed."""

    weight = 6
    wait_time = between(0.5, 2.5)
    network_timeout = 20.0
    host = "http://unused"  # requests name their edge in full

    def on_start(self) -> None:
        """Choose a region; remember nothing yet."""
        self.region, self.edge = random.choice(list(targets.from_environment().edges.items()))
        self.validators: dict[str, str] = {}
        self.posters: set[str] = set()

    @task
    def scroll(self) -> None:
        """Read a few pages of the feed, as far as it goes."""
        region = random.choice([self.region, self.region, targets.REGION])
        path = f"/feed/{region}?limit=6"
        for _ in range(random.randint(1, PAGES_MAX)):
            page = self.page(path)
            if page is None:
                return
            for story in page["stories"]:
                self.poster(story.get("poster"))
            if page["next"] is None:
                return
            path = page["next"]

    def page(self, path: str) -> dict[str, Any] | None:
        """One page; None when it has not changed since the last time."""
        known = self.validators.get(path)
        headers = {"if-none-match": known} if known else {}
        url = f"{self.edge}{path}"
        with self.client.get(url, name="feed page", headers=headers, catch_response=True) as answer:
            if answer.status_code == 304 and known:
                answer.success()
                return None
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return None
            page = answer.json()
            if not {"region", "stories", "next"} <= page.keys():
                answer.failure(f"a page with the keys {sorted(page)}")
                return None
            if etag := (answer.headers or {}).get("etag"):
                self.validators[path] = etag
            if len(self.validators) > REMEMBERED_MAX:
                self.validators.clear()
            return dict(page)

    def poster(self, path: str | None) -> None:
        """A poster, unless this reader's browser has it already."""
        if path is None or path in self.posters:
            return
        with self.client.get(self.edge + path, name="poster", catch_response=True) as answer:
            if answer.status_code != 200 or not answer.content:
                answer.failure(f"status {answer.status_code}")
            elif len(self.posters) < REMEMBERED_MAX:
                self.posters.add(path)
