"""Turns of one process that alternate, so that what disturbs it disturbs all rows alike."""

import asyncio
import gc
from collections.abc import Callable, Mapping
from statistics import median


async def alternating(rows: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of what each row's turns say, without a garbage collection in between."""
    gc.collect()
    gc.disable()  # as a worker does
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, turn in rows.items():
            found[name].append(turn())
        await asyncio.sleep(0)
    gc.enable()
    return {name: median(each) for name, each in found.items()}
