"""A minute's worth of faults in a few seconds; `python -m tests.rig.faults` has the others."""

from __future__ import annotations

import asyncio

from tests.rig.region import region
from tests.rig.strikes import FAULTS, HURT, upsetting
from tests.support.edges import until

SECONDS = 1.0  # of each fault; a busy machine does less in it
STRUCK = ("valkey-paused", "edge-cut-off")


async def test_players_get_right_bytes_whatever_happens_to_valkey_or_an_edge() -> None:
    async with region(seed=1, edges=("north", "south")) as stage:

        async def story() -> None:
            await until(lambda: stage.judged > 50)
            for name in STRUCK:
                async with upsetting(stage, FAULTS[name]):
                    await asyncio.sleep(SECONDS)  # the schedule, not a wait
            judged = stage.judged
            await until(lambda: stage.judged > judged + 50)

        await stage.play(story)
        assert not stage.complaints, "\n".join(stage.complaints[:3])
        assert not stage.net.impaired
        failed = [each.edge for each in stage.meter.samples if each.failed]
        assert {*failed} <= {HURT}
