"""Edges that read one stream at their own pace, and pages that move between them: none is lost."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.realtime.hub import Hub
from edge.realtime.limits import HubLimits
from edge.realtime.marks import Mark
from edge.realtime.messages import Lasting
from tests.support.pages import Page, hub_of, settle

TOPICS = ("story:a", "feed:north")
LIMITS = HubLimits(history_topic_max=6, says_per_s=50.0, queue_lasting_max=4)


@dataclass
class Edge:
    """A hub, and how far it has read."""

    hub: Hub
    read: int = 0


@dataclass
class Browser:
    """It asks the origin where a hub cannot tell it everything, and drops what it knows."""

    page: Page | None = None
    edge: Edge | None = None
    marks: dict[str, str] = field(default_factory=dict)
    known: dict[str, set[str]] = field(default_factory=lambda: {topic: set() for topic in TOPICS})
    shown: Counter[str] = field(default_factory=Counter)

    def hear(self, said: dict[str, Any], published: dict[str, list[str]]) -> None:
        topic = said.get("topic", "")
        if said["t"] == "joined":
            if said["gap"] or topic not in self.marks:
                self.known[topic].update(published[topic])
            self.marks[topic] = said["since"]
        elif said["t"] == "signal":
            self.marks[topic] = said.get("mark", self.marks[topic])
            if said["key"] not in self.known[topic]:
                self.known[topic].add(said["key"])
                self.shown[said["key"]] += 1


class Region:
    """Two edges, a stream, and people."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stream: list[tuple[Mark, Lasting]] = []
        self.edges = [Edge(hub_of(LIMITS)) for _ in range(2)]
        self.browsers = [Browser() for _ in range(6)]
        self.published: dict[str, list[str]] = {topic: [] for topic in TOPICS}
        self.now = 0.0

    def step(self) -> None:
        acts = (self.publish, self.read, self.move, self.vanish, self.slow, self.look, self.restart)
        self.now += self.chance.random() * 0.3
        self.chance.choices(acts, weights=(4, 6, 4, 2, 1, 6, 0.2))[0]()
        for edge in self.edges:
            edge.hub.fanouts.step(self.chance.randint(1, 3))

    def publish(self) -> None:
        """Said to the stream once or twice, as when an answer was lost; perhaps told early."""
        topic = self.chance.choice(TOPICS)
        key = f"{topic}-{len(self.published[topic])}"
        signal = Lasting(topic, "watchable", key, {})
        self.published[topic].append(key)
        if self.chance.random() < 0.2:
            self.chance.choice(self.edges).hub.tell_at_once(signal)
        for _ in range(self.chance.choice((1, 1, 2))):
            last = self.stream[-1][0] if self.stream else Mark(0, 0)
            self.stream.append((last.next_at(self.now), signal))

    def read(self) -> None:
        edge = self.chance.choice(self.edges)
        for mark, signal in self.stream[edge.read : edge.read + self.chance.randint(1, 4)]:
            edge.hub.publish(signal, mark)
            edge.read += 1

    def move(self) -> None:
        browser = self.chance.choice(self.browsers)
        self.part(browser)
        browser.edge = self.chance.choice(self.edges)
        self.join(browser)

    def join(self, browser: Browser) -> None:
        assert browser.edge is not None
        browser.page = Page(browser.edge.hub, self.now)
        browser.page.greet("ada", self.now)
        for topic in TOPICS:
            browser.page.say(self.now, t="join", topic=topic, after=browser.marks.get(topic))

    def part(self, browser: Browser) -> None:
        if browser.page is not None and browser.edge is not None:
            browser.edge.hub.gone(browser.page.client, self.now)
            browser.page = None

    def vanish(self) -> None:
        self.part(self.chance.choice(self.browsers))

    def slow(self) -> None:
        browser = self.chance.choice(self.browsers)
        if browser.page is not None:
            browser.page.slow = True

    def look(self) -> None:
        self.take(self.chance.choice(self.browsers))

    def take(self, browser: Browser) -> None:
        if browser.page is None:
            return
        browser.page.read_on()
        for said in browser.page.take():
            browser.hear(said, self.published)
        if browser.page.closed is not None:
            self.part(browser)

    def restart(self) -> None:
        """A hub dies; the next one reads what the stream still holds."""
        edge = self.chance.choice(self.edges)
        for browser in self.browsers:
            if browser.edge is edge:
                browser.page = None
        kept = max(0, len(self.stream) - 10)
        edge.hub, edge.read = hub_of(LIMITS), kept
        if kept:
            edge.hub.history.begin(self.stream[kept][0].before())

    def end(self) -> None:
        for edge in self.edges:
            for mark, signal in self.stream[edge.read :]:
                edge.hub.publish(signal, mark)
            settle(edge.hub)
        for browser in self.browsers:
            self.take(browser)
            while browser.page is None:
                browser.edge = browser.edge or self.edges[0]
                self.join(browser)
                self.take(browser)


@pytest.mark.parametrize("seed", range(150))
def test_everybody_knows_everything_and_is_shown_nothing_twice(seed: int) -> None:
    region = Region(seed)
    for _ in range(200):
        region.step()
    region.end()
    for browser in region.browsers:
        for topic in TOPICS:
            assert browser.known[topic] == set(region.published[topic]), (seed, topic)
        assert set(browser.shown.values()) <= {1}, seed
