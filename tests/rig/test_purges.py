"""One schedule of purges and faults; `python -m tests.rig.purges` has as many as you like."""

from __future__ import annotations

from tests.rig.purges import play

SECONDS = 1.5  # a busy machine does less in it


async def test_nothing_purged_is_served_whatever_happens_meanwhile() -> None:
    outcome = await play(1, SECONDS, edges=("north", "south"))
    assert not outcome.complaints, "\n".join(outcome.complaints[:3])
    assert outcome.acknowledged
