"""What a controller begins with: what was kept, and what members act on that nobody kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from failover.decision import Decision
from failover.keeping import read
from failover.lease import LeaseStore, LeaseStoreError
from failover.memory import Memory
from failover.orders import Ordered

log = logging.getLogger("failover.controller")


async def remembered(
    store: LeaseStore, known: Sequence[tuple[Decision, Ordered]], now_mono: float
) -> Memory:
    """Return what the last controller kept, else what is in force; `known`: what members act on.

    An order that a member carried out while nobody held the lease is newer than what was kept. So
    is what was decided under the same epoch while the store was silent, by a controller or alone.
    """
    memory = Memory(at_mono=now_mono)
    try:
        kept = await store.kept()
        memory = read(kept.text, now_mono) if kept else memory
    except LeaseStoreError as error:
        log.error("what the last controller kept is not known: %s", error)
    except ValueError as error:
        log.error("%s", error)
    for newest in sorted(known, key=lambda each: each[0].version)[-1:]:
        if memory.decision is None or newest[0].epoch > memory.decision.epoch:
            memory = memory.after(*newest)
    return memory.met(decision for decision, _ in known)
