"""The hub's promises, one at a time."""

import pytest

from cache_policies.signal_access import Claims
from edge.realtime.abroad import Here, Said
from edge.realtime.client import Client
from edge.realtime.hub import Hub
from edge.realtime.limits import HubLimits
from edge.realtime.marks import Mark
from edge.realtime.messages import Close, Lasting, Say
from tests.support.pages import Page, hub_of, settle


def watchable(key: str = "a") -> Lasting:
    return Lasting("story:a", "watchable", key, {})


def here(page: Page, topic: str = "story:a", **more: object) -> Page:
    """A page that has said hello and joined a topic, and has read what it was told."""
    page.greet()
    page.say(t="join", topic=topic, **more)
    page.take()
    return page


def test_who_says_no_hello_gets_nothing_and_goes() -> None:
    hub = hub_of()
    page = Page(hub)
    page.say(t="join", topic="story:a")
    assert page.take() == [{"t": "refused", "why": "token"}]
    hub.beat(hub.limits.hello_s - 1.0, 0.0)
    assert page.closed is None
    hub.beat(hub.limits.hello_s, 0.0)
    assert page.closed is Close.HELLO_LATE


@pytest.mark.parametrize("token", ["forged", "ada@5"])
def test_who_says_hello_with_a_bad_token_goes(token: str) -> None:
    page = Page(hub_of())
    page.greet(token, now=5.0)
    assert (page.closed, page.heard) == (Close.TOKEN, [])


def test_topics_of_no_token_are_refused() -> None:
    page = Page(hub_of())
    page.greet()
    page.say(t="join", topic="feed:south")
    page.say(t="say", topic="story:a", kind="typing")
    assert [said.get("why") for said in page.take()] == [None, "topic", "not-joined"]


def test_a_signal_reaches_the_members_of_its_topic_only() -> None:
    hub = hub_of()
    ada, ben = here(Page(hub)), here(Page(hub), "story:b")
    ada.say(t="say", topic="story:a", kind="reaction", value="❤")
    settle(hub)
    assert [said["value"] for said in ada.take()] == ["❤"]
    assert ben.take() == []
    assert hub.outward == [Said(Say("story:a", "reaction", "❤"), "ada")]


def test_who_has_a_token_that_expires_goes_when_it_does() -> None:
    hub = hub_of()
    page, other = Page(hub), Page(hub)
    page.greet("ada@60")
    other.greet("ada@60")
    other.greet("ada@90")  # renewed
    for second in range(1, 60):
        hub.beat(float(second), float(second))
        page.client.unanswered = other.client.unanswered = 0
    assert page.closed is None
    hub.beat(60.0, 60.0)
    assert (page.closed, other.closed) == (Close.TOKEN, None)
    hub.gone(other.client, 61.0)
    assert len(hub._expiries) == 0


def test_a_crowd_says_no_more_than_its_members_can_hear() -> None:
    hub = hub_of(HubLimits(topic_sends_per_s=6.0, says_burst=2.0))
    ada, ben = here(Page(hub)), here(Page(hub))
    assert hub.limits.topic_says_per_s(2) == 3.0
    assert hub.limits.topic_says_per_s(0) == 6.0
    for page in (ada, ben):
        for _ in range(2):
            page.say(t="say", topic="story:a", kind="typing", now=10.0)
    settle(hub)
    assert [len(ada.take()), len(ben.take())] == [2, 2]
    assert (hub.counted["topic-lost"], len(hub.outward)) == (2, 2)
    assert (ada.client.refusals, ben.client.refusals) == (0, 0)
    ada.say(t="say", topic="story:a", kind="typing", now=10.5)
    hub.hear_abroad("south", Said(Say("story:a", "typing", ""), "cleo"), 10.5)
    settle(hub)
    assert len(ben.take()) == 1  # half a second brings one more, whoever says it


def test_members_are_listed_anew_only_when_they_are_others() -> None:
    hub, lists = hub_of(), []
    pages = [here(Page(hub)) for _ in range(3)]
    add = hub.fanouts.add

    def seen(topic: str, frame: bytes, to: list[Client], mark: Mark | None = None) -> None:
        lists.append(to)
        add(topic, frame, to, mark)

    hub.fanouts.add = seen  # type: ignore[method-assign]
    for number in range(3):
        hub.publish(watchable(str(number)), Mark(1, number))
    pages[0].say(t="leave", topic="story:a")
    hub.publish(watchable("3"), Mark(1, 3))
    assert [len(each) for each in lists] == [3, 3, 3, 2]
    assert len(set(map(id, lists))) == 2


def test_a_frame_is_rendered_once() -> None:
    hub, frames = hub_of(), []
    for page in [here(Page(hub)) for _ in range(3)]:
        page.send = lambda frame, lasting: frames.append(frame)  # type: ignore[method-assign]
    hub.publish(watchable(), Mark(1, 0))
    settle(hub)
    assert len(frames) == 3
    assert len(set(map(id, frames))) == 1


def test_who_comes_back_hears_what_they_missed() -> None:
    hub = hub_of()
    hub.publish(watchable("one"), Mark(1, 0))
    hub.publish(watchable("two"), Mark(2, 0))
    page = Page(hub)
    page.greet()
    page.say(t="join", topic="story:a", after="1-0")
    _, joined, signal = page.take()
    assert (joined["since"], joined["gap"], signal["key"]) == ("1-0", False, "two")
    page.say(t="join", topic="story:a", after="1-0")  # again: it has them all
    assert [said["t"] for said in page.take()] == ["joined"]


def test_who_comes_for_the_first_time_hears_what_comes() -> None:
    hub = hub_of()
    hub.publish(watchable("one"), Mark(1, 0))
    page = here(Page(hub))
    hub.publish(watchable("two"), Mark(2, 0))
    settle(hub)
    assert [said["key"] for said in page.take()] == ["two"]


def test_what_is_published_twice_is_told_once() -> None:
    hub = hub_of()
    page = here(Page(hub))
    assert hub.publish(watchable(), Mark(1, 0))
    assert not hub.publish(watchable(), Mark(2, 0))
    settle(hub)
    assert len(page.take()) == 1


def test_who_joins_while_a_signal_is_on_its_way_gets_it_once() -> None:
    hub = hub_of()
    first, second = here(Page(hub)), here(Page(hub))
    hub.publish(watchable(), Mark(1, 0))
    hub.fanouts.step(1)
    second.say(t="leave", topic="story:a")
    second.say(t="join", topic="story:a", after="0-0")
    settle(hub)
    assert [len([s for s in page.take() if s["t"] == "signal"]) for page in (first, second)] == [
        1,
        1,
    ]


def test_who_left_hears_nothing_more() -> None:
    hub = hub_of()
    page = here(Page(hub))
    hub.hear_elsewhere(Say("story:a", "typing", ""), "ben", 0.0)
    page.say(t="leave", topic="story:a")
    settle(hub)
    assert page.take() == []


def test_people_are_counted_after_their_grace() -> None:
    hub = hub_of()
    ada = here(Page(hub))
    ben = Page(hub)
    ben.greet("ben")
    ben.say(t="join", topic="story:a")
    hub.beat(1.0, 0.0)
    settle(hub)
    assert [said["here"] for said in ada.take()] == [2]
    assert hub.outward == [Here({"story:a": 2})]
    hub.gone(ben.client, 2.0)
    hub.beat(3.0, 0.0)
    settle(hub)
    assert ada.take() == []
    hub.beat(2.0 + hub.limits.presence_grace_s, 0.0)
    settle(hub)
    assert [said["here"] for said in ada.take()] == [1]


def test_a_full_topic_is_counted_less_often() -> None:
    hub = hub_of(HubLimits(presence_member_s=1.0))
    pages = [here(Page(hub)) for _ in range(10)]
    hub.beat(1.0, 0.0)
    hub.presence.hear("story:a", "south", 5, 1.5)
    hub.beat(2.0, 0.0)
    settle(hub)
    assert [said["here"] for said in pages[0].take()] == [1]
    hub.beat(11.0, 0.0)
    settle(hub)
    assert [said["here"] for said in pages[0].take()] == [6]


def test_who_talks_too_much_is_told_and_then_goes() -> None:
    hub = hub_of(HubLimits(says_burst=3.0, refusals_max=2))
    page = Page(hub)
    page.greet()
    for _ in range(4):
        page.say(t="leave", topic="story:a")
    assert [said.get("why") for said in page.take()] == [None, "rate", "rate"]
    assert page.closed is None
    page.say(t="leave", topic="story:a")
    assert page.closed is Close.TOO_MANY


def test_lines_of_text_are_fewer_than_other_signals() -> None:
    hub = hub_of(HubLimits(lines_per_s=0.5, lines_burst=2.0))
    ada, ben = here(Page(hub)), here(Page(hub))

    def say(kind: str, value: str, now: float) -> None:
        ada.say(t="say", topic="story:a", kind=kind, value=value, now=now)
        settle(hub)

    for value in "abc":
        say("line", value, 10.0)
    say("reaction", "❤", 10.0)
    say("line", "d", 12.0)
    assert [said["value"] for said in ben.take()] == ["a", "b", "❤", "d"]
    assert [said["why"] for said in ada.take() if said["t"] == "refused"] == ["rate"]
    ben.say(t="say", topic="story:a", kind="line", value="e", now=12.0)  # another one's are its own
    assert hub.outward[-1] == Said(Say("story:a", "line", "e"), "ada")


def test_lines_are_kept_for_nobody() -> None:
    hub = hub_of()
    here(Page(hub)).say(t="say", topic="story:a", kind="line", value="gone")
    settle(hub)
    late = Page(hub)
    late.greet()
    late.say(t="join", topic="story:a", after="0-0")
    assert [said["t"] for said in late.take()] == ["welcome", "joined"]
    assert len(hub.history) == 0


def test_topics_of_one_client_are_bounded() -> None:
    page = Page(hub_of(HubLimits(topics_max=2)))
    page.greet()
    for each in "abc":
        page.say(t="join", topic=f"story:{each}")
    assert [said.get("why") for said in page.take()] == [None, None, None, "topics-max"]


def test_a_token_for_less_leaves_the_rest() -> None:
    def verify(token: str, _now_wall: float, _client: bytes) -> Claims:
        return Claims("ada", tuple(token.split(",")), 1e12)

    hub = Hub(HubLimits(), verify)
    page = Page(hub)
    page.greet("story:a,story:b")
    for topic in ("story:a", "story:b"):
        page.say(t="join", topic=topic)
    page.greet("story:b")
    assert list(page.client.topics) == ["story:b"]
    assert hub.gauges()["topics"] == 1


def test_what_is_said_at_other_edges_is_heard_here() -> None:
    hub = hub_of()
    page = here(Page(hub))
    hub.hear_abroad("south", Said(Say("story:a", "typing", ""), "ben"), 0.0)
    hub.hear_abroad("south", Here({"story:a": 4}), 0.0)
    hub.beat(1.0, 0.0)
    settle(hub)
    heard = page.take()
    assert [said.get("from") or said["here"] for said in heard] == ["ben", 5]
    assert not any(isinstance(said, Said) for said in hub.outward)  # it is not told on


def test_topics_of_all_are_bounded() -> None:
    hub = hub_of(HubLimits(topics_all_max=2))
    ada, ben = here(Page(hub)), here(Page(hub), "story:b")
    ada.say(t="join", topic="story:c")
    ada.say(t="join", topic="story:b")
    ben.say(t="leave", topic="story:b")
    ben.say(t="join", topic="story:c")
    assert [said.get("why") for said in ada.take()] == ["topics-max", None]
    assert [said.get("why") for said in ben.take()] == ["topics-max"]


def test_counts_are_announced_a_thousand_at_a_time() -> None:
    hub = hub_of(HubLimits(topics_max=2_500, says_burst=9_999.0))
    page = Page(hub)
    page.greet()
    for number in range(2_500):
        page.say(t="join", topic=f"story:{number}")
    hub.beat(1.0, 0.0)
    assert [len(said.counts) for said in hub.outward] == [1_000, 1_000, 500]


def test_another_token_renews_the_first_and_is_the_same_persons() -> None:
    hub = hub_of()
    page = Page(hub)
    page.greet("ada@30")
    page.greet("ada@90")
    page.greet("ben")
    assert [said.get("why") for said in page.take()] == [None, None, "token"]
    hub_beats(hub, page, now_wall=60.0)
    assert page.closed is None
    hub_beats(hub, page, now_wall=90.0)
    assert page.closed is Close.TOKEN


def hub_beats(hub, page: Page, now_wall: float) -> None:
    """A whole period, in which the page answers pings."""
    for _ in range(round(hub.limits.ping_s)):
        page.client.unanswered = 0
        hub.beat(1.0, now_wall)


def test_who_answers_no_ping_is_cut() -> None:
    hub = hub_of()
    page = here(Page(hub))
    for second in range(round(hub.limits.ping_s) * 2):
        hub.beat(float(second), 0.0)
    assert (page.pings, page.closed) == (2, None)
    for second in range(round(hub.limits.ping_s)):
        hub.beat(50.0 + second, 0.0)
    assert page.closed is Close.SILENT


def test_each_is_pinged_once_a_period() -> None:
    hub = hub_of()
    pages = [here(Page(hub)) for _ in range(60)]
    hub_beats(hub, pages[0], 0.0)
    assert {page.pings for page in pages} == {1}


def test_a_topic_with_many_members_delays_another_by_one_step() -> None:
    hub = hub_of()
    many = [here(Page(hub)) for _ in range(20)]
    one = here(Page(hub), "story:b")
    hub.hear_elsewhere(Say("story:a", "typing", ""), "ben", 0.0)
    hub.hear_elsewhere(Say("story:b", "typing", ""), "ben", 0.0)
    hub.fanouts.step(5)
    hub.fanouts.step(5)
    assert len(one.take()) == 1
    assert sum(len(page.heard) for page in many) == 5


def test_when_too_much_is_said_the_oldest_fleeting_signals_are_lost() -> None:
    hub = hub_of(HubLimits(fanouts_fleeting_max=3))
    page = here(Page(hub))
    hub.publish(watchable(), Mark(1, 0))
    for number in range(6):
        hub.hear_elsewhere(Say("story:a", "reaction", str(number)), "ben", 0.0)
    settle(hub)
    assert [said["value"] for said in page.take()] == [{}, "3", "4", "5"]
    assert hub.fanouts.lost == 3


def test_who_is_too_slow_for_what_lasts_is_cut() -> None:
    hub = hub_of(HubLimits(queue_lasting_max=2))
    page = here(Page(hub))
    page.slow = True
    for number in range(3):
        hub.publish(watchable(str(number)), Mark(1, number))
    settle(hub)
    assert page.closed is Close.TOO_SLOW


def test_what_other_edges_do_not_take_is_bounded() -> None:
    hub = hub_of(HubLimits(says_burst=9_999.0))
    page = here(Page(hub))
    for _ in range(4_200):
        page.say(t="say", topic="story:a", kind="typing")
    assert len(hub.outward) == 4_096
    assert hub.counted["outward-lost"] == 104


def test_gauges_count_what_is_there() -> None:
    hub = hub_of()
    page = here(Page(hub))
    hub.publish(watchable(), Mark(1, 0))
    assert hub.gauges() == {"clients": 1, "topics": 1, "kept": 1}
    hub.gone(page.client, 0.0)
    assert hub.gauges() == {"clients": 0, "topics": 0, "kept": 1}
    assert list(hub.clients) == []
