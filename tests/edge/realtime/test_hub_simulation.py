"""Pages are slow, vanish and come back: nothing that lasts is lost, and nothing comes twice."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.realtime.hub import Hub
from edge.realtime.limits import HubLimits
from edge.realtime.marks import Mark
from edge.realtime.messages import Lasting
from tests.support.pages import Page, hub_of, settle

TOPICS = ("story:a", "story:b", "feed:north")
LIMITS = HubLimits(
    queue_fleeting_max=3,
    queue_lasting_max=3,
    fanouts_fleeting_max=3,
    history_topic_max=12,
    history_topics_max=2,
    says_per_s=50.0,
)


@dataclass
class Browser:
    """A person's browser: it keeps marks while its pages come and go."""

    name: str
    page: Page | None = None
    marks: dict[str, str] = field(default_factory=dict)
    has: dict[str, list[str]] = field(default_factory=dict)  # keys, by topic
    from_mark: dict[str, str] = field(default_factory=dict)  # after a gap, or at first

    def read(self) -> None:
        for said in self.page.take() if self.page else ():
            getattr(self, f"on_{said['t']}", lambda said: None)(said)

    def on_joined(self, said: dict[str, Any]) -> None:
        topic = said["topic"]
        if said["gap"] or topic not in self.from_mark:  # it asks the origin how things stand
            self.from_mark[topic] = said["since"]
            self.has[topic] = []
        self.marks[topic] = said["since"]

    def on_signal(self, said: dict[str, Any]) -> None:
        if "mark" in said:
            self.marks[said["topic"]] = said["mark"]
            self.has[said["topic"]].append(said["key"])


class World:
    """A hub, browsers, and what happens to them by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.hub: Hub = hub_of(LIMITS, floor=Mark(0, 0))
        self.now = 0.0
        self.last = Mark(0, 0)
        self.published: dict[str, list[tuple[Mark, str]]] = {topic: [] for topic in TOPICS}
        self.browsers = [Browser(f"b{number}") for number in range(8)]

    def step(self) -> None:
        acts = (self.publish, self.talk, self.come, self.vanish, self.slow, self.read, self.beat)
        self.now += self.chance.random() * 0.3
        self.chance.choices(acts, weights=(3, 3, 4, 2, 1, 5, 1))[0]()
        for _ in range(self.chance.randrange(3)):
            self.hub.fanouts.step(self.chance.randint(1, 4))

    def publish(self) -> None:
        topic = self.chance.choice(TOPICS)
        known = [key for _, key in self.published[topic][-5:]]
        again = known and self.chance.random() < 0.2
        key = self.chance.choice(known) if again else f"k{len(self.published[topic])}"
        self.last = self.last.next_at(self.now)
        if self.hub.publish(Lasting(topic, "watchable", key, {}), self.last):
            self.published[topic].append((self.last, key))

    def talk(self) -> None:
        browser = self.chance.choice(self.browsers)
        if browser.page is not None:
            topic = self.chance.choice(TOPICS)
            browser.page.say(self.now, t="say", topic=topic, kind="typing")

    def come(self) -> None:
        browser = self.chance.choice(self.browsers)
        if browser.page is None:
            browser.page = Page(self.hub, self.now)
            browser.page.greet(browser.name, self.now)
        for topic in TOPICS:
            browser.page.say(self.now, t="join", topic=topic, after=browser.marks.get(topic))

    def vanish(self) -> None:
        """Its connection breaks; what was on its way may be lost with it."""
        browser = self.chance.choice(self.browsers)
        if browser.page is not None:
            if self.chance.random() < 0.5:
                browser.read()
            self.hub.gone(browser.page.client, self.now)
            browser.page = None

    def slow(self) -> None:
        browser = self.chance.choice(self.browsers)
        if browser.page is not None:
            browser.page.slow = True

    def read(self) -> None:
        browser = self.chance.choice(self.browsers)
        if browser.page is not None:
            self.catch_up(browser)

    def beat(self) -> None:
        self.hub.beat(self.now, self.now)
        for browser in self.browsers:
            if browser.page is not None and not browser.page.slow:
                browser.page.client.unanswered = 0

    def catch_up(self, browser: Browser) -> None:
        assert browser.page is not None
        browser.page.read_on()
        browser.read()
        if browser.page.closed is not None:
            self.hub.gone(browser.page.client, self.now)
            browser.page = None

    def end(self) -> None:
        """Everybody comes back, and has the time to read."""
        for browser in self.browsers:
            while browser.page is None or browser.page.slow or browser.page.closed:
                if browser.page is not None:
                    self.catch_up(browser)
                    continue
                browser.page = Page(self.hub, self.now)
                browser.page.greet(browser.name, self.now)
            browser.page.client.allowance._left = 9.0
            for topic in TOPICS:
                browser.page.say(self.now, t="join", topic=topic, after=browser.marks.get(topic))
        settle(self.hub)
        for browser in self.browsers:
            browser.read()


@pytest.mark.parametrize("seed", range(200))
def test_what_lasts_comes_once(seed: int) -> None:
    world = World(seed)
    for _ in range(150):
        world.step()
    world.end()
    for browser in world.browsers:
        for topic in TOPICS:
            since = Mark.parse(browser.from_mark[topic])
            due = [key for mark, key in world.published[topic] if mark > since]
            assert browser.has[topic] == due, (seed, browser.name, topic)
