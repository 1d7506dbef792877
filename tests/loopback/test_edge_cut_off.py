"""An edge that may miss purges: in time it reuses nothing but what is immutable, until it knows."""

from __future__ import annotations

import asyncio

import pytest

from cache_policies.policies import UNSYNCED
from edge.log_page import Place, read_carried
from edge.region_follower import RegionFollower
from tests.loopback.test_purge_replay import Supervisor, supervisor
from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.purge_log import LOG, served_log
from tests.support.rules import rules

SHORT = "rules: [{name: a, set: {ttl: 90s}}]"
TARGETS = ("/fixed", "/changing", "/unmarked")
_SAID = {
    b"/fixed": ("Cache-Control: max-age=600, immutable", 'ETag: "f"'),
    b"/changing": ("Cache-Control: max-age=600, stale-if-error=600", 'ETag: "c"'),
    b"/unmarked": ("Cache-Control: max-age=600, stale-while-revalidate=600",),
}


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    lines = _SAID[asked.target]
    if asked.get("if-none-match") is not None:
        writer.write(b"HTTP/1.1 304 Not Modified\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n")
        return
    writer.write(response(asked.target, *lines))


def toggle(edge: Edge) -> None:
    """As the supervisor does it; the worker learns of it with its next request."""
    edge.page.switch(edge.page.policy_epoch() ^ UNSYNCED)


async def says(edge: Edge) -> list[str]:
    return [(await edge.get(target)).says for target in TARGETS]


async def test_what_is_held_is_validated_unless_it_is_immutable() -> None:
    async with edge_and_origin(script) as (edge, origin):
        await says(edge)
        toggle(edge)
        for _ in range(2):
            fixed, changing, unmarked = await says(edge)
            assert fixed.startswith("amaro-edge; hit")
            assert "fwd=stale; fwd-status=304" in changing
            assert "fwd=" in unmarked
            assert "fwd-status=200" in unmarked
        assert len(origin.asked) == 3 + 4
        toggle(edge)
        await says(edge)  # of what was not kept it has nothing
        assert all(each.startswith("amaro-edge; hit") for each in await says(edge))
        assert len(origin.asked) == 3 + 4 + 1


async def test_nothing_else_is_served_while_the_origin_is_gone_too() -> None:
    async with edge_and_origin(script) as (edge, origin):
        await says(edge)
        toggle(edge)
        await origin.stop()
        statuses = [(await edge.get(target)).status for target in TARGETS]
        assert statuses[0] == 200
        assert all(status in (502, 504) for status in statuses[1:])


async def test_other_rules_meanwhile_change_nothing_of_it() -> None:
    async with edge_and_origin(script) as (edge, _):
        await says(edge)
        toggle(edge)
        await says(edge)
        edge.page.switch(edge.worker.in_force.prepare(rules(SHORT)) | UNSYNCED)
        assert "fwd=stale" in (await edge.get("/changing")).says
        assert (await edge.get("/fixed")).says.startswith("amaro-edge; hit")
        toggle(edge)
        assert (await edge.get("/changing")).says.startswith("amaro-edge; hit")


def is_cut_off(node: Supervisor) -> bool:
    return bool(node.publishing.page.policy_epoch() & UNSYNCED)


@pytest.mark.parametrize("how", ["read", "heard"])
async def test_it_ends_once_the_log_is_followed_again(how: str) -> None:
    with served_log() as log:
        async with supervisor(log, unsynced_max_s=0.2) as node:
            follower: RegionFollower = node.follower
            log.status = 503
            following = asyncio.create_task(follower.run())
            await until(lambda: is_cut_off(node))
            assert follower.unsynced_s() >= 0.2
            log.tag("a")
            if how == "read":
                log.status = 200
                await until(lambda: not is_cut_off(node))
            else:
                following.cancel()
                await asyncio.wait([following])
                await follower.hear(read_carried(log.message(0)))
                assert not is_cut_off(node)
            assert (follower.place, node.values()[-1]) == (Place(LOG, 1), b"a")
            following.cancel()
