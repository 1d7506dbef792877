"""Places at origins: whoever gives up leaves nothing taken, whenever that is."""

import asyncio

import pytest

from edge.errors import CrowdedError
from edge.places import Place, Places


async def entered(places: Places, titles: list[bytes]) -> list[asyncio.Task[Place]]:
    tasks = [asyncio.create_task(places.enter(title)) for title in titles]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("gone", [(3,), (4,), (3, 4, 5), (5, 6), (3, 4, 5, 6)])
async def test_who_gives_up_in_the_moment_of_its_turn_leaves_no_place_taken(
    gone: tuple[int, ...],
) -> None:
    places = Places(3, 60.0)
    tasks = await entered(places, [b"a", b"a", b"b", b"a", b"a", b"b", b"c"])
    holding = [task.result() for task in tasks if task.done()]
    for number in gone:
        tasks[number].cancel()
    for place in holding:  # before any of those who are gone has run again
        place.leave()
    ended = await asyncio.gather(*tasks[len(holding) :], return_exceptions=True)
    for each in ended:
        if isinstance(each, Place):
            each.leave()
        else:
            assert isinstance(each, asyncio.CancelledError)
    assert (places.share.taken, len(places)) == (0, 0)


async def test_who_waits_for_too_long_is_told_when_to_come_back() -> None:
    places = Places(1, 0.0)
    place = await places.enter(b"a")
    with pytest.raises(CrowdedError) as refused:
        await places.enter(b"a")
    assert refused.value.retry_after_s == 1
    assert len(places) == 0
    place.leave()
    place.leave()
    assert places.share.taken == 0
