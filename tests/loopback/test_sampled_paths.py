"""Every request that is answered is heard once, by whichever path, with what its player tells."""

import asyncio
from collections import Counter

import pytest

from tests.support.edges import edge_and_origin, response, until
from tests.support.http2 import Http2Client
from tests.support.rules import rules
from tests.support.tls import EDGE

STORY = "/v/k3jd72lqafh5xz7a/"
TOLD = "CMCD=bl%3D3000%2Csid%3D%22a%22"
SLICE = 1 << 20
BIG = bytes(3 * SLICE)
PATHS = {  # what is asked: how often it is to be heard, and how often with a report
    ("1.m4s", ()): (1, 0),  # a miss, followed
    (f"1.m4s?{TOLD}", ()): (1, 1),  # a plain hit
    ("1.m4s", ("CMCD-Request: bl=3000", "CMCD-Session: sid=a")): (1, 1),
    ("1.m4s", ("Range: bytes=0-1",)): (1, 0),
    ("1.m4s", ("Authorization: x",)): (1, 0),  # the slow way, from memory
    (f"pass.m4s?{TOLD}", ("Cache-Control: no-cache",)): (1, 1),
    (f"big.mp4?{TOLD}", ("Range: bytes=5-9",)): (1, 1),  # a fill of slices
    (f"big.mp4?a=1&{TOLD}", ("Range: bytes=7-8",)): (1, 1),
    ("missing.m4s", ()): (0, 0),
    (f"missing.m4s?{TOLD}", ()): (0, 0),
}


async def script(asked, writer):
    assert b"CMCD" not in asked.target
    path = asked.target.partition(b"?")[0]
    if path.endswith(b"missing.m4s"):
        writer.write(response(b"no", "Cache-Control: max-age=60", status="404 Not Found"))
    elif path.endswith(b"big.mp4") and (wish := asked.get("range")):
        first, last = map(int, wish.partition(b"=")[2].split(b"-"))
        last = min(last, len(BIG) - 1)
        place = f"Content-Range: bytes {first}-{last}/{len(BIG)}"
        lines = ["Cache-Control: max-age=60", 'ETag: "b"', place]
        writer.write(response(BIG[first : last + 1], *lines, status="206 Partial Content"))
    else:
        body = BIG if path.endswith(b"big.mp4") else b"segment"
        writer.write(response(body, "Cache-Control: max-age=60", 'ETag: "a"'))


class Heard:
    """What a worker has heard so far."""

    def __init__(self, worker):
        self._worker = worker
        self.stories = self.reports = 0.0
        self.objects = Counter()

    def update(self):
        taken = self._worker.gatherer.take("salt")
        self.stories += sum(weight for _, _, weight, _ in taken["stories"])
        self.reports += sum(cell["reports"] for _, _, cell in taken["quality"])
        for _, name, weight, _ in taken["objects"]:
            self.objects[name.rpartition("/")[2]] += weight
        return self

    async def until(self, stories, reports):
        await until(lambda: self.update() and (self.stories, self.reports) == (stories, reports))


async def test_over_http1():
    async with edge_and_origin(script) as (edge, _):
        heard, stories, reports = Heard(edge.worker), 0, 0
        client = await edge.client()
        for (target, lines), (asked, told) in PATHS.items():
            for _ in range(2):
                await client.get(STORY + target, *lines)
                stories, reports = stories + asked, reports + told
            await heard.until(stories, reports)
        assert heard.objects == {"1.m4s": 10, "pass.m4s": 2, "big.mp4": 2}
        await client.get(STORY + "1.m4s", method="HEAD")
        await client.get("/.amaro/ready")
        await client.get(STORY + "1.m4s")
        await heard.until(stories + 1, reports)


async def test_over_http2():
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        heard = Heard(edge.worker)
        client = await Http2Client.open(edge)
        for number in range(1, 4):  # a miss, then hits
            await client.get(f"{STORY}1.m4s?{TOLD}")
            await heard.until(number, number)
        assert edge.worker.counters.hits == 2


@pytest.mark.parametrize("target", [f"1.m4s?utm=1&{TOLD}", f"1.m4s?{TOLD}&utm=2"])
async def test_where_rules_reduce_the_query(target):
    reduced = rules("rules: [{name: all, set: {query: none}}]")
    async with edge_and_origin(script, policies=reduced) as (edge, _):
        heard = Heard(edge.worker)
        client = await edge.client()
        for number in range(1, 4):
            await client.get(STORY + target)
            await heard.until(number, number)
        assert edge.worker.counters.hits == 2


async def test_many_who_share_a_fill_are_all_heard():
    async with edge_and_origin(script) as (edge, origin):
        heard = Heard(edge.worker)
        await asyncio.gather(*(edge.get(f"{STORY}1.m4s?{TOLD}") for _ in range(20)))
        await heard.until(20, 20)
        assert len(origin.asked) == 1
