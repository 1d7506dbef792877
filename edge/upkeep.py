"""What hits, stores and purges leave to be done in memory: a little at a time, between answers."""

import asyncio
from time import monotonic
from typing import Final

from edge.memory import Memory

STEP_S: Final = 0.05
SETTLE_S: Final = 0.002  # at once, of what a large purge has set aside
SETTLE_PAUSE_S: Final = 0.008  # before the next of these: a fifth of the time, for a while


async def look_after(memory: Memory) -> None:
    """Do it until cancelled."""
    due_mono = 0.0
    while True:
        now_mono = monotonic()
        if now_mono >= due_mono:
            memory.step(now_mono)
            due_mono = now_mono + STEP_S
        settling_until = now_mono + SETTLE_S
        while (is_more := memory.settle()) and monotonic() < settling_until:
            pass
        await asyncio.sleep(SETTLE_PAUSE_S if is_more else STEP_S)
