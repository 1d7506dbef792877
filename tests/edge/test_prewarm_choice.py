"""What one worker fetches next: in virtual time, with a memory that is a dict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.look_ahead import LookAhead
from edge.playlists import MediaPlaylist, Segment
from edge.prewarm_budget import FILLS, MEMORY, SHED, Budget, Pressure, PrewarmPolicy
from edge.prewarm_choice import (
    AWAITED_MAX,
    AWAITED_S,
    ORDERS_MAX,
    REFUSED_MAX,
    REFUSED_S,
    URGENT_MAX,
    URGENT_S,
    Chooser,
    Fetched,
    Outcome,
)
from edge.prewarm_plan import WARM, Order
from edge.prewarmed import SOON_S
from edge.shedding import Load, Priority, Shedder

CALM, BUSY = Pressure(), Pressure(waiting=99)
MEMORY_BYTES = 1_000_000
SIZE = 1000
DRAW = 0.5


class Stored:
    """What a worker has: hits by key, and playlists."""

    def __init__(self):
        self.marks = {}
        self.playlists = {}
        self.favoured = set()

    def hits(self, key):
        return self.marks.get(key)

    def favour(self, key):
        self.favoured.add(key)

    def end_favour(self, key):
        self.favoured.discard(key)

    def playlist(self, key):
        return self.playlists.get(key) if key in self.marks else None


def film(name, length):
    return MediaPlaylist(segments=tuple(Segment(f"{name}/{n}", 2.0) for n in range(length)))


def chooser(**policy):
    return Chooser(LookAhead(), Budget(PrewarmPolicy(**policy), MEMORY_BYTES, 0.0))


def fetch(choosing, stored, now_s, pressure=CALM):
    """Carry out what is chosen, until nothing more is."""
    found = []
    while wanted := choosing.look(stored, pressure, now_s):
        for each in wanted:
            found.append(each.key)
            stored.marks[each.key] = 0
            choosing.fetched(each, Fetched(Outcome.STORED, SIZE), stored, now_s)
    return found


def test_a_player_is_always_one_segment_behind():
    choosing, stored = chooser(), Stored()
    stored.playlists["f.m3u8"] = film("f", 6)
    choosing.asked("f.m3u8", stored, 0.0)
    assert fetch(choosing, stored, 0.1) == []  # it is still on its way
    stored.marks["f.m3u8"] = 1
    assert fetch(choosing, stored, 0.2)[0] == "f/0"
    for number in range(5):
        assert f"f/{number}" in stored.marks
        stored.marks[f"f/{number}"] += 1  # a plain hit: nobody else tells
        fetch(choosing, stored, 1.0 + number)
    assert f"f/{5}" in stored.marks
    assert choosing.ledger.objects[("next", "used")] == 5


def test_what_is_expected_is_not_evicted_meanwhile():
    choosing, stored = chooser(), Stored()
    choosing.ahead.know("f.m3u8", film("f", 6))
    choosing.asked("f/0", stored, 0.0)
    assert fetch(choosing, stored, 0.0) == ["f/1"]
    assert stored.favoured == {"f/1"}
    stored.marks["f/1"] = 1
    assert fetch(choosing, stored, 2.0) == ["f/2"]
    assert stored.favoured == {"f/2"}
    assert fetch(choosing, stored, 1.0 + SOON_S) == []
    assert stored.favoured == {"f/2"}
    assert fetch(choosing, stored, 2.0 + SOON_S) == []
    assert stored.favoured == set()  # the player has left
    stored.marks |= {"g/1": 3}  # was asked for before, and may be on its way out
    choosing.told(["g/1"], 40.0)
    assert fetch(choosing, stored, 40.0) == []
    assert stored.favoured == {"g/1"}


def test_one_that_came_too_late_is_used_at_once():
    choosing, stored = chooser(), Stored()
    choosing.ahead.know("f.m3u8", film("f", 4))
    choosing.asked("f/0", stored, 0.0)
    (wanted,) = choosing.look(stored, CALM, 0.0)
    stored.marks[wanted.key] = 0
    choosing.fetched(wanted, Fetched(Outcome.STORED, SIZE, is_used=True), stored, 0.1)
    assert [each.key for each in choosing.look(stored, CALM, 0.1)] == ["f/2"]


def test_players_who_wait_go_first():
    choosing, stored = chooser(), Stored()
    choosing.told(["a"], 0.0)
    assert choosing.look(stored, BUSY, 0.0) == []
    assert choosing.waits == {FILLS: 1}
    assert fetch(choosing, stored, 1.0) == ["a"]
    choosing.told(["b"], 1.0)
    assert choosing.look(stored, BUSY, 1.0) == []
    assert fetch(choosing, stored, 2.0 + 2 * URGENT_S) == []  # whoever wanted it has it


def test_orders_wait_for_what_players_need_now():
    choosing, stored = chooser(at_once=1), Stored()
    choosing.order([Order("later", WARM, 3.0)])
    choosing.told(["now"], 0.0)
    assert choosing.ordered == 1
    assert choosing.look(stored, BUSY, 0.0) == []
    assert fetch(choosing, stored, 0.0) == ["now", "later"]
    choosing.order([Order("again", WARM, 3.0)])
    assert choosing.look(stored, BUSY, 0.0) == []
    assert fetch(choosing, stored, 1.0) == ["again"]


def test_a_playlist_that_is_ordered_leads_to_its_head():
    choosing, stored = chooser(), Stored()
    stored.playlists |= {"f.m3u8": film("f", 3), "g.m3u8": film("g", 3)}
    stored.marks["g.m3u8"] = 7  # is here
    choosing.order([Order("f.m3u8", WARM, 50.0), Order("g.m3u8", WARM, 50.0)])
    assert fetch(choosing, stored, 0.0) == ["f.m3u8"]
    keys = [order.key for order in choosing.expanded]
    assert sorted(keys) == ["f/0", "f/1", "f/2", "g/0", "g/1", "g/2"]
    assert choosing.ordered == 0


def test_what_cannot_be_stored_is_not_fetched_again():
    choosing, stored = chooser(), Stored()
    for now_s, count in ((0.0, 1), (1.0, 0), (REFUSED_S, 1)):
        choosing.told(["a"], now_s)
        wanted = choosing.look(stored, CALM, now_s)
        assert len(wanted) == count
        for each in wanted:
            choosing.fetched(each, Fetched(Outcome.REFUSED, 9), stored, now_s)
    for number in range(REFUSED_MAX + 1):
        choosing.told([f"{number}"], now_s + number)
        for each in choosing.look(stored, CALM, now_s + number):
            choosing.fetched(each, Fetched(Outcome.REFUSED), stored, now_s)
    assert len(choosing._refused) == REFUSED_MAX


def test_memory_for_what_nobody_asked_for_is_bounded():
    choosing, stored = chooser(memory_share=0.005, at_once=1, requests_per_s=1e9), Stored()
    choosing.told([f"{number}" for number in range(9)], 0.0)
    assert len(fetch(choosing, stored, 0.0)) == 5
    assert choosing.waits[MEMORY] == 1
    stored.marks["0"] = 1
    assert len(fetch(choosing, stored, 0.1)) == 1
    warm, stored = chooser(memory_share=0.005, at_once=1, requests_per_s=1e9), Stored()
    warm.is_warming = True
    warm.order([Order(f"w{number}", WARM, 3.0) for number in range(9)])
    assert len(fetch(warm, stored, 0.0)) == 5
    warm.is_warming = False  # what is there from then on does not count
    warm.told([f"{number}" for number in range(9)], 0.0)
    assert len(fetch(warm, stored, 0.0)) == 5


def test_queues_are_bounded():
    choosing, stored = chooser(), Stored()
    choosing.told([f"{number}" for number in range(URGENT_MAX + 9)], 0.0)
    assert len(choosing._urgent) == URGENT_MAX
    choosing.order(Order(f"{number}", WARM, 1.0) for number in range(ORDERS_MAX + 9))
    assert choosing.ordered == ORDERS_MAX
    for number in range(AWAITED_MAX + 9):
        choosing.asked(f"{number}.m3u8", stored, 0.0)
    assert len(choosing._awaited) == AWAITED_MAX
    choosing.look(stored, BUSY, AWAITED_S)
    assert not choosing._awaited


KEYS = st.sampled_from([f"{name}/{number}" for name in "fg" for number in range(6)])
STEPS = st.lists(
    st.tuples(st.sampled_from(["asked", "told", "hit", "evict", "order", "busy", "wait"]), KEYS),
    max_size=60,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_happens_budgets_hold_and_nothing_is_fetched_twice(steps):
    choosing, stored = chooser(at_once=3, requests_per_s=5.0, uplink_bps=40_000.0), Stored()
    for name in "fg":
        choosing.ahead.know(f"{name}.m3u8", film(name, 6))
    now_s, asked = 0.0, 0
    for what, key in steps:
        match what:
            case "asked":
                choosing.asked(key, stored, now_s)
            case "told":
                choosing.told([key], now_s)
            case "hit":
                stored.marks.update({key: stored.marks[key] + 1} if key in stored.marks else {})
            case "evict":
                stored.marks.pop(key, None)
            case "order":
                choosing.order([Order(key, WARM, 2.0)])
            case "busy":
                assert choosing.look(stored, BUSY, now_s) == []
            case _:
                now_s += 1.0
        before = set(stored.marks)
        wanted = choosing.look(stored, CALM, now_s)
        asked += len(wanted)
        assert len(choosing.running) <= 3
        assert not before & {each.key for each in wanted}
        assert asked <= 5.0 * (now_s + 1.0)
        for each in wanted[:2]:
            stored.marks[each.key] = 0
            choosing.fetched(each, Fetched(Outcome.STORED, SIZE), stored, now_s)


def test_under_pressure_it_is_the_first_to_stop_and_the_last_to_go_on():
    shedder, choosing, stored = Shedder(), chooser(requests_per_s=1e9), Stored()
    stopped, began = [], []
    for tick in range(600):
        now_s = tick * 0.1
        too_much = 5.0 <= now_s < 20.0
        shedder.see(Load(late_s=0.5 if too_much else 0.0, busy=1.0, fills=0.0), now_s)
        admitted = {each.name for each in Priority if shedder.admits(each, DRAW)}
        choosing.told([f"{tick}"], now_s)
        pressure = Pressure(is_shed=not shedder.admits(Priority.PREWARMING, DRAW))
        if fetch(choosing, stored, now_s, pressure):
            admitted.add("fetched ahead")
        (stopped if too_much else began).append(admitted)
    order = [len(each) for each in stopped if "fetched ahead" not in each]
    everything = {each.name for each in Priority} | {"fetched ahead"}
    assert stopped[0] == everything
    assert max(order) == len(everything) - 2  # PREWARMING itself, and what that means
    assert order == sorted(order, reverse=True)
    assert stopped[-1] == {"PLAYBACK"}
    assert began[-1] == everything
    assert all(len(each) == len(everything) for each in began if "fetched ahead" in each)
    assert choosing.waits[SHED] > 100
