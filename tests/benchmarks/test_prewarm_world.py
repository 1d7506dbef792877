"""An edge in virtual time, short of memory: what it fetched ahead is there when it is asked for."""

from benchmarks.prewarm_world import World, ratio, waste
from benchmarks.viewers import Crowd

MB = 1_000_000


def test_memory_that_is_short_keeps_what_players_ask_for_next():
    crowd = Crowd(stories=100, per_s=2.0)
    world = World(crowd, 150 * MB, prewarms=True)
    world.counts_from_s = 30.0
    world.run(crowd.views(90.0), 90.0)
    assert world.counts.later.total() > 500
    assert ratio(world.counts.later) >= 0.995
    assert waste(world)["waste"] < 0.3
    assert not world.chooser.waits
