"""Two workers under a seeded Zipf load: what few samples tell is what happened, within chance."""

import random
from collections import Counter
from math import sqrt

import pytest

from edge.audience import Audience, Gatherer
from edge.clients import TrustedProxies
from edge.heads import Context, read_facts
from edge.sampling import PER_S, Sampler
from edge.whereabouts import Whereabouts

STORIES = ["".join(random.Random(n).choices("abcdefghij234567", k=16)) for n in range(500)]
WEIGHTS = [1.0 / (rank + 1) for rank in range(len(STORIES))]
FACTS = read_facts(b"", ((b"host", b"a"),), Context(b"GET", b"1.1", b"http", b"a"))
TICK_S = 0.02
SIGMAS = 5.0


class Clock:
    """A loop in virtual time with one thing to do later."""

    def __init__(self):
        self.now_mono = 0.0
        self.later = None

    def time(self):
        return self.now_mono

    def call_later(self, _seconds, call):
        self.later = call
        return self

    def tick(self):
        self.now_mono += TICK_S
        call, self.later = self.later, None
        if call is not None:
            call()


def play(seed, per_s, seconds):
    """Return the audience that a worker made of a load, what was asked, and how much was lost."""
    chance, clock = random.Random(seed), Clock()
    gatherer = Gatherer(Whereabouts("north", TrustedProxies()))
    sampler = Sampler(gatherer.gather, draw=chance.random, clock=clock.time)
    sampler.start(clock)
    audience, asked, taken = Audience(), Counter(), 0
    for tick in range(int(seconds / TICK_S)):
        for story in chance.choices(STORIES, WEIGHTS, k=int(per_s * TICK_S)):
            asked[story] += 1
            sampler.left -= 1
            if not sampler.left:
                taken += 1
                sampler.take(f"/v/{story}/1.m4s".encode(), FACTS, b"192.0.2.1", 200)
        clock.tick()
        if tick % 100 == 99:
            for _ in audience.adding(gatherer.take("salt"), clock.now_mono, 0):
                pass
    return audience, asked, sampler.lost, taken


@pytest.mark.parametrize(("per_s", "seconds"), [(100, 40), (5000, 40)])
def test_what_samples_tell_is_what_happened(per_s, seconds):
    audience, asked, lost, taken = play(per_s, per_s, seconds)
    assert taken <= PER_S * seconds * 1.5
    assert lost <= 0.05 * asked.total()
    lasting = audience.stories.to_mapping(100, seconds)["north"]["lasting"]["leading"]
    counts = {name: (value, squares) for name, value, _, squares in lasting}
    for story, true in asked.most_common(20):
        value, squares = counts[story]
        noise = SIGMAS * sqrt(squares) if per_s > PER_S else 1.0
        assert abs(value - true * (1.0 - lost / asked.total())) <= noise + 0.001 * true
    top = [each.name for each in audience.stories.ranking("north", seconds, 5).top]
    best = [story for story, _ in asked.most_common(8)]
    assert set(top) <= set(best)
    assert top[0] == best[0]
    assert audience.stories.per_minute("north", seconds) == pytest.approx(per_s * 60.0, rel=0.1)
