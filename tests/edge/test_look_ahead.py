"""What follows in a playlist, for one player and for many that will come."""

from hypothesis import given
from hypothesis import strategies as st

from edge.look_ahead import (
    KEYS_MAX,
    NEXT,
    SEQUENCES_MAX,
    SWITCHED_S,
    LookAhead,
    LookAheadPolicy,
)
from edge.playlists import MediaPlaylist, MultivariantPlaylist, Rendition, Segment
from edge.retention import Retention


def film(name, length, *, sections=1, has_ended=True, is_part=False):
    return MediaPlaylist(
        segments=tuple(Segment(f"{name}/{number}", 2.0, is_part) for number in range(length)),
        sections=tuple(f"{name}/init{number}" for number in range(sections)),
        has_ended=has_ended,
    )


def keys(wanted):
    return [each.key for each in wanted]


def leaving(share):
    """What all workers know, when that share leaves at each segment."""
    known = Retention()
    for position in range(10):
        known.add(position, 1000.0 * (1.0 - share) ** position, is_last=False)
    return known.to_list()


def test_a_film_from_its_beginning():
    ahead = LookAhead(LookAheadPolicy(depth_max=4))
    ahead.heard(leaving(0.05))
    assert keys(ahead.learn("f", film("f", 6), 0.0)) == ["f/init0", "f/0", "f/1", "f/2", "f/3"]
    wanted = ahead.asked("f/3", 1.0)
    assert keys(wanted) == ["f/4", "f/5"]
    assert {each.reason for each in wanted} == {NEXT}
    assert ahead.asked("f/5", 2.0) == []
    assert ahead.asked("nobody", 2.0) == []
    assert ahead.begun("nobody", 2.0) == []
    assert ahead.knows("f")


def test_the_very_next_segment_is_always_wanted_others_when_most_go_on():
    ahead = LookAhead(LookAheadPolicy(depth_max=4))
    ahead.heard(leaving(0.5))
    ahead.learn("f", film("f", 6), 0.0)
    assert keys(ahead.asked("f/0", 0.0)) == ["f/1"]
    ahead.heard(leaving(0.01))
    assert keys(ahead.asked("f/0", 0.0)) == ["f/1", "f/2", "f/3", "f/4"]
    for _ in range(200):  # this one is left early
        ahead.count("f/0", 1.0)
    assert keys(ahead.asked("f/0", 0.0)) == ["f/1"]
    assert ahead.retention.to_list()[0][0] == 200.0


def test_another_rendition_goes_on_where_the_first_was():
    ahead = LookAhead()
    both = MultivariantPlaylist(renditions=(Rendition("low", 1), Rendition("high", 2)))
    assert ahead.learn("main", both, 0.0) == []
    ahead.learn("low", film("low", 9), 0.0)
    ahead.asked("low/3", 10.0)
    assert keys(ahead.learn("high", film("high", 9), 12.0))[:2] == ["high/init0", "high/4"]
    assert keys(ahead.begun("high", 10.0 + SWITCHED_S))[:2] == ["high/init0", "high/0"]
    ahead.asked("low/8", 50.0)
    assert keys(ahead.begun("high", 51.0)) == ["high/init0"]


def test_live_is_watched_at_its_end():
    ahead = LookAhead()
    assert keys(ahead.learn("l", film("l", 5, has_ended=False), 0.0)) == ["l/init0", "l/4"]
    assert keys(ahead.learn("l", film("l", 6, has_ended=False), 2.0)) == ["l/init0", "l/5"]
    ahead.count("l/5", 1.0)
    assert ahead.retention.curve() == []
    parts = film("p", 2, has_ended=False, is_part=True)
    assert keys(ahead.learn("p", parts, 0.0)) == ["p/init0"]
    ahead.count("p/0", 1.0)
    assert ahead.asked("p/0", 0.0) == []
    assert keys(ahead.learn("q", film("q", 2, is_part=True), 0.0)) == ["q/init0"]


def test_heads_of_many_tails_of_few():
    ahead = LookAhead(LookAheadPolicy(chance_min=0.7))
    ahead.heard(leaving(0.3))
    ahead.know("f", film("f", 30))
    ahead.know("g", film("g", 3, sections=0, is_part=True))
    depths = [len(ahead.heads("f", starts, "warm")) for starts in (0.5, 1.5, 5.0, 50.0, 1e9)]
    assert depths == sorted(depths)
    assert depths[0] == 1  # nobody is expected: nothing but what costs little
    assert depths[2] > 2
    assert depths[-1] == 31
    assert ahead.heads("g", 50.0, "warm") == []
    assert ahead.heads("nobody", 50.0, "warm") == []


def test_playlists_are_forgotten():
    ahead = LookAhead()
    for number in range(SEQUENCES_MAX + 1):
        ahead.learn(f"p{number}", film(f"p{number}", 1), 0.0)
    assert not ahead.knows("p0")
    assert ahead.asked("p0/0", 0.0) == []
    assert len(ahead) == SEQUENCES_MAX
    for number in range(40):
        ahead.learn(f"long{number}", film(f"long{number}", 4000), 0.0)
    assert len(ahead) <= KEYS_MAX
    renditions = tuple(Rendition(f"r{number}", 1) for number in range(SEQUENCES_MAX + 5))
    ahead.learn("main", MultivariantPlaylist(renditions=renditions), 0.0)
    assert len(ahead._groups) == SEQUENCES_MAX


def test_a_playlist_that_is_read_again():
    ahead = LookAhead()
    ahead.learn("f", film("f", 3), 0.0)
    for _ in range(100):
        ahead.count("f/0", 1.0)
    ahead.learn("g", MediaPlaylist(segments=(Segment("f/1", 1.0),)), 0.0)  # of two playlists
    ahead.learn("f", film("f", 2), 1.0)
    assert len(ahead) == 2
    assert keys(ahead.asked("f/0", 1.0)) == ["f/1"]
    assert ahead._known["f"].retention.to_list()[0][0] == 100.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11), st.booleans()), max_size=40))
def test_only_what_follows_is_wanted(steps):
    ahead = LookAhead()
    for number, (name, position, learns) in enumerate(steps):
        if learns:
            ahead.learn(f"{name}", film(f"{name}", 10), number)
        wanted = ahead.asked(f"{name}/{position}", number)
        ahead.count(f"{name}/{position}", 1.0)
        places = [int(each.key.partition("/")[2]) for each in wanted]
        assert places == list(range(position + 1, position + 1 + len(wanted)))
        chances = [each.chance for each in wanted]
        assert chances == sorted(chances, reverse=True)
        assert all(0.0 <= chance <= 1.0 for chance in chances)
