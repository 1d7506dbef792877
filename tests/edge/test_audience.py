"""From requests to what is told: a node of two workers, without any I/O."""

import json

import pytest

from edge.audience import AT_ONCE, NAMES_MAX, Audience, Gatherer, Sample
from edge.clients import TrustedProxies
from edge.quality import PEOPLE_MIN
from edge.whereabouts import Whereabouts

PREFIX = b"http://edge.example"
PHONE = (b"user-agent", b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148")
PROXIES = TrustedProxies(["10.0.0.0/8"])


def gatherer():
    made = Gatherer(Whereabouts("north", PROXIES, b"x-region"))
    made.take("salt")
    return made


def sample(path="/v/k3jd72lqafh5xz7a/1.m4s", *, told="", region="", weight=1.0):
    fields = [PHONE]
    if told:
        fields.append((b"cmcd-status", told.encode()))
    if region:
        fields.append((b"x-region", region.encode()))
    return Sample(path.encode(), PREFIX, tuple(fields), b"10.0.0.1", weight)


def told(*gatherers, region=None, limit=5):
    audience = Audience()
    for each in gatherers:
        for _ in audience.adding(json.loads(json.dumps(each.take("salt"))), 0.0, 7):
            pass
    return audience.told(region, limit, 0.0)


def test_what_two_workers_heard():
    one, other = gatherer(), gatherer()
    for session in range(PEOPLE_MIN):
        one.gather(sample(told=f'bs,sid="{session}"'))
        other.gather(sample(told=f'sid="{session}"', weight=2.0))
    other.gather(sample("/v/aaaaaaaaaaaaaaaa/main.m3u8", region="DE", weight=4.0))
    said = told(one, other)
    assert said["regions"] == ["north", "de"]
    assert [each["story"] for each in said["top"]] == ["k3jd72lqafh5xz7a", "aaaaaaaaaaaaaaaa"]
    assert said["top"][0]["share"] == round(15 / 19, 4)
    assert said["objects"][0]["object"] == "http://edge.example/v/k3jd72lqafh5xz7a/1.m4s"
    assert said["hours"][0]["reports"] == 15
    assert said["hours"][0]["starved_share"] == round(5 / 15, 4)
    assert [*said["devices"]] == ["phone"]


def test_one_region():
    one = gatherer()
    one.gather(sample(region="de"))
    one.gather(sample("/v/aaaaaaaaaaaaaaaa/main.m3u8"))
    said = told(one, region="de")
    assert [each["story"] for each in said["top"]] == ["k3jd72lqafh5xz7a"]
    assert told(one, region="nowhere")["top"] == []


def test_sessions_of_one_person_over_two_workers_are_one():
    one, other = gatherer(), gatherer()
    for _ in range(PEOPLE_MIN):
        one.gather(sample(told='bs,sid="a"'))
        other.gather(sample(told='bs,sid="a"'))
    assert told(one, other)["hours"] == []


def test_nothing_of_a_person_leaves_a_worker():
    one = gatherer()
    secret = "/v/k3jd72lqafh5xz7a/1.m4s?session=hunter2&CMCD=sid%3D%22somebody%22%2Cbs"
    one.gather(sample(secret))
    taken = json.dumps(one.take("salt"))
    assert "k3jd72lqafh5xz7a" in taken
    for word in ("hunter2", "somebody", "10.0.0.1", "iPhone", "1.m4s"):
        assert word not in taken


def test_what_is_no_media_is_no_story_but_may_tell():
    one = gatherer()
    one.gather(sample("/feed/north", told='bs,sid="a"'))
    taken = one.take("salt")
    assert (taken["stories"], taken["objects"]) == ([], [])
    assert len(taken["quality"]) == 1


def test_names_are_bounded_until_they_are_taken():
    one = gatherer()
    for number in range(NAMES_MAX + 9):
        one.gather(sample(f"/{number}/1.m4s"))
    taken = one.take("salt")
    assert len(taken["stories"]) == len(taken["objects"]) == NAMES_MAX
    assert one.take("salt")["stories"] == []
    audience = Audience()
    turns = sum(1 for _ in audience.adding(taken, 0.0, 7))
    assert turns == 2 * NAMES_MAX // AT_ONCE


@pytest.mark.parametrize("what", ["m", "i", "k", "c", "v", "a", "av"])
def test_playlists_tell_nothing_of_how_it_plays(what):
    one = gatherer()
    one.gather(sample(told=f'ot={what},sid="a"'))
    assert len(one.take("salt")["quality"]) == (what in ("v", "a", "av"))


def test_no_salt_no_session():
    one = Gatherer(Whereabouts("north", PROXIES))
    one.gather(sample(told='bs,sid="a"'))
    [[_, _, cell]] = one.take("salt")["quality"]
    assert cell["sessions"] == []


def test_what_is_asked_for_once_does_not_push_out_what_comes_again():
    audience = Audience()
    for number in range(28_000):
        audience.objects.add("here", f"http://e.example/v/{number:016d}/0.m4s", 1.0, number / 20.0)
        if number % 9000 == 0:
            audience.objects.add("here", "http://e.example/v/again/0.m4s", 1.0, number / 20.0)
    (leading, *_) = audience.warm_list(8192, 1400.0)
    assert leading[0] == "http://e.example/v/again/0.m4s"
