"""One worker probes for all of a node; the next one does when it is not there."""

import asyncio
from dataclasses import replace

from edge.probes import probe_for_all
from edge.settings import Limits
from tests.support.edges import until

TWO = "http://a:1,http://b:2"
FOUND = {"http://a:1": "fail", "http://b:2": "ok"}


class Place:
    """A keeper whose worker gives `answer`, or raises it."""

    def __init__(self, answer: object, *, serves: bool = True) -> None:
        self.answer = answer
        self.heard: list[tuple[str, object]] = []
        self.serving = asyncio.Event()
        if serves:
            self.serving.set()

    async def ask(self, question: str, detail: object = None, *, limit_s: float) -> object:
        self.heard.append((question, detail))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if question == "probe" else None


LIMITS = replace(Limits(), probe_s=0.0)


async def rounds(*places: Place) -> None:
    """Probe until the last place has heard of a round."""
    probing = asyncio.create_task(probe_for_all(places, LIMITS, lambda: True))  # type: ignore[arg-type]
    await until(lambda: bool(places[-1].heard))
    probing.cancel()


async def test_the_first_worker_that_answers_tells_the_others() -> None:
    starting, dead = Place(FOUND, serves=False), Place(ConnectionResetError())
    slow, prober, last = Place(TimeoutError()), Place(FOUND), Place({})
    await rounds(starting, dead, slow, prober, last)
    assert starting.heard == []
    for place in (dead, slow):
        assert place.heard[:2] == [("probe", None), ("probed", FOUND)]
    assert prober.heard[0] == ("probe", None)
    assert set(map(str, last.heard)) == {str(("probed", FOUND))}


async def test_nothing_is_asked_where_no_origin_has_a_stand_in() -> None:
    place, looks, two = Place(FOUND), 0, False

    def several() -> bool:
        nonlocal looks
        looks += 1
        return two

    probing = asyncio.create_task(probe_for_all([place], LIMITS, several))  # type: ignore[list-item]
    await until(lambda: looks > 2)
    assert place.heard == []
    two = True  # other routes have come
    await until(lambda: bool(place.heard))
    probing.cancel()
