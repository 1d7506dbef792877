"""A provider is asked until it has confirmed everything, and not before the edges have."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from origin.cloudflare import Cloudflare
from origin.fastly import Fastly
from origin.provider_calls import Adapter, Answer, Call, Item, Kind, Site, Verdict
from origin.provider_turn import (
    DENIED_PAUSE_S,
    EDGES_POLL_S,
    EDGES_WAIT_S,
    LATE_EDGES_S,
    RETRY_MAX_S,
    Turn,
    Wait,
)

SITES = (Site("https", "video.example"),)
CLOUDFLARE = Cloudflare(zone="z" * 8, sites=SITES)
FASTLY = Fastly(service="s" * 8, sites=SITES)
CONFIRMED, REFUSED = Answer(Verdict.CONFIRMED), Answer(Verdict.REFUSED, "400: no")
LATER, DENIED = Answer(Verdict.LATER, "503: down"), Answer(Verdict.DENIED, "401: who?")


def tags(adapter: Adapter, count: int) -> list[Item]:
    return [
        item
        for number in range(1, count + 1)
        for item in adapter.items(number, Kind.TAG, f"tag-{number}", soft=False)
    ]


def begun(adapter: Adapter = CLOUDFLARE, count: int = 1) -> Turn:
    turn = Turn(adapter)
    turn.begin(tags(adapter, count), count, now_mono=0.0)
    return turn


def asked(step: Call | Wait | None) -> list[str]:
    assert isinstance(step, Call)
    return [item.value for item in step.items]


def test_a_purge_is_settled_when_it_is_confirmed():
    turn = begun()
    assert asked(turn.step(edges_behind=False, now_mono=0.0)) == ["tag-1"]
    turn.fold(CONFIRMED, now_mono=0.1)
    assert (turn.done, turn.number) == (0, 1)
    assert turn.step(edges_behind=False, now_mono=0.1) is None
    assert (turn.done, turn.number) == (1, None)


def test_edges_come_first():
    turn = begun()
    wait = turn.step(edges_behind=True, now_mono=0.0)
    assert isinstance(wait, Wait)
    assert wait.pause_s == EDGES_POLL_S
    assert asked(turn.step(edges_behind=False, now_mono=0.1)) == ["tag-1"]


def test_an_edge_that_is_late_does_not_keep_others_waiting_but_has_it_purged_again():
    turn = begun()
    turn.step(edges_behind=True, now_mono=0.0)
    assert asked(turn.step(edges_behind=True, now_mono=EDGES_WAIT_S)) == ["tag-1"]
    turn.fold(CONFIRMED, now_mono=EDGES_WAIT_S)
    wait = turn.step(edges_behind=True, now_mono=EDGES_WAIT_S)
    assert isinstance(wait, Wait)
    assert "once more" in wait.reason
    assert asked(turn.step(edges_behind=False, now_mono=20.0)) == ["tag-1"]
    turn.fold(CONFIRMED, now_mono=20.0)
    assert turn.step(edges_behind=True, now_mono=20.0) is None  # the next orders' business


def test_an_edge_that_is_gone_is_waited_for_until_it_serves_nothing_unchecked():
    turn = begun()
    turn.step(edges_behind=True, now_mono=EDGES_WAIT_S)
    turn.fold(CONFIRMED, now_mono=EDGES_WAIT_S)
    assert isinstance(turn.step(edges_behind=True, now_mono=LATE_EDGES_S - 1.0), Wait)
    assert asked(turn.step(edges_behind=True, now_mono=LATE_EDGES_S)) == ["tag-1"]
    turn.fold(CONFIRMED, now_mono=LATE_EDGES_S)
    assert turn.step(edges_behind=True, now_mono=LATE_EDGES_S) is None


def test_an_outage_is_waited_out_longer_each_time():
    turn = begun()
    now, pauses = 0.0, []
    for _ in range(9):
        assert asked(turn.step(edges_behind=False, now_mono=now)) == ["tag-1"]
        turn.fold(LATER, now_mono=now)
        wait = turn.step(edges_behind=False, now_mono=now)
        assert isinstance(wait, Wait)
        assert wait.reason == "503: down"
        pauses.append(wait.pause_s)
        now += wait.pause_s
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 16, RETRY_MAX_S, RETRY_MAX_S, RETRY_MAX_S])


def test_a_rate_limit_is_kept_to_the_second():
    turn = begun()
    turn.step(edges_behind=False, now_mono=0.0)
    turn.fold(Answer(Verdict.LATER, "429: slow down", pause_s=300.0), now_mono=0.0)
    assert turn.step(edges_behind=False, now_mono=299.0) == Wait("429: slow down", 1.0)
    assert asked(turn.step(edges_behind=False, now_mono=300.0)) == ["tag-1"]
    turn.fold(Answer(Verdict.CONFIRMED, pause_s=5.0), now_mono=300.0)
    turn.begin(tags(CLOUDFLARE, 2), 2, now_mono=301.0)
    assert turn.step(edges_behind=False, now_mono=301.0) == Wait("its rate limit is reached", 4.0)


def test_a_wrong_token_waits_for_an_operator():
    turn = begun()
    turn.step(edges_behind=False, now_mono=0.0)
    assert turn.fold(DENIED, now_mono=0.0) is None
    assert turn.step(edges_behind=False, now_mono=0.0) == Wait("401: who?", DENIED_PAUSE_S)


def test_what_a_provider_refuses_does_not_hold_up_the_rest():
    turn = begun(CLOUDFLARE, 30)
    refusals, confirmed, calls = [], set(), 0
    while isinstance(step := turn.step(edges_behind=False, now_mono=0.0), Call):
        calls += 1
        is_bad = "tag-17" in asked(step)
        if not is_bad:
            confirmed.update(asked(step))
        refusal = turn.fold(REFUSED if is_bad else CONFIRMED, now_mono=0.0)
        refusals += [refusal] if refusal else []
    assert [(each.number, each.what) for each in refusals] == [(17, "tag tag-17")]
    assert confirmed == {f"tag-{no}" for no in range(1, 31)} - {"tag-17"}
    assert calls <= 11
    assert turn.done == 30


@dataclass
class World:
    """Orders, edges that follow them, and a provider that refills from what edges have."""

    draw: random.Random
    adapter: Adapter
    last: int = 0
    edges: list[int] = field(default_factory=lambda: [0, 0])
    purged_by: dict[int, int] = field(default_factory=dict)  # the slowest edge's place, by order
    bad: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)

    def answer(self, call: Call) -> Answer:
        if self.draw.random() < 0.25:
            pause_s = self.draw.choice([None, 0.0, 3.0])
            return Answer(self.draw.choice([Verdict.LATER, Verdict.DENIED]), "x", pause_s)
        if self.bad & {item.number for item in call.items}:
            return REFUSED
        for item in call.items:
            self.purged_by[item.number] = min(self.edges)
        return CONFIRMED


@pytest.mark.parametrize("seed", range(200))
def test_any_order_of_events_ends_with_everything_purged_after_the_edges(seed):
    draw = random.Random(seed)
    world = World(draw, draw.choice([CLOUDFLARE, FASTLY]))
    turn, now, began = Turn(world.adapter), 0.0, 0.0
    for _ in range(400):
        if draw.random() < 0.1 and world.last < 60:
            world.last += draw.randint(1, 20)
            world.bad |= {world.last} if draw.random() < 0.2 else set()
        if draw.random() < 0.2:
            world.edges[draw.randrange(2)] = world.last
        if turn.number is None and world.last > turn.done:
            fresh = range(turn.done + 1, world.last + 1)
            items = [
                item
                for no in fresh
                for item in world.adapter.items(no, Kind.TAG, f"t{no}", soft=no % 2 == 0)
            ]
            turn.begin(items, world.last, now_mono=now)
            began = now
        if turn.number is None:
            continue
        number = turn.number
        step = turn.step(edges_behind=min(world.edges) < number, now_mono=now)
        if isinstance(step, Call):
            refusal = turn.fold(world.answer(step), now_mono=now)
            world.refused |= {refusal.number} if refusal else set()
            now += 0.01
        else:
            now += step.pause_s if step else 0.0
        for no in range(1, turn.done + 1):
            late = now - began >= LATE_EDGES_S
            assert no in world.refused or late or world.purged_by[no] >= no, f"seed {seed}"
    assert world.refused <= world.bad
