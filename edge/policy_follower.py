"""A worker's side of a switch of policies: one instant in which everything follows."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.collapse import Fills, Uncacheable
from edge.in_force import InForce
from edge.limiting import Limiting
from edge.memory import Memory
from edge.shared import Shared

log = logging.getLogger("edge.worker")


class Connection(Protocol):
    """What a switch needs of a player's connection."""

    def forget_lines(self) -> None:
        """Read the next head anew."""


@dataclass(kw_only=True, slots=True)
class PolicyFollower:
    """Puts policies in force that were prepared before; one per worker."""

    in_force: InForce
    memory: Memory
    fills: Fills
    uncacheable: Uncacheable
    limiting: Limiting
    listeners: Sequence[Shared]  # which may still grow, as may the connections
    connections: Sequence[Iterable[Connection]]

    async def prepare(self, rules: dict[str, Any] | None) -> int:
        """Be ready for other policies; their epoch says that this worker is."""
        return self.in_force.prepare(rules)

    def switch(self, policy_epoch: int) -> None:
        """Follow the policies that were prepared under this epoch, from this instant on."""
        if not self.in_force.switch(policy_epoch):
            log.critical("policies %012x are in force and were never prepared", policy_epoch)
            signal.raise_signal(signal.SIGKILL)  # the next worker begins with them
        self.limiting.switch()
        for listener in self.listeners:
            listener.switch()
        for connection in [each for among in self.connections for each in among]:
            connection.forget_lines()
        self.fills.close_all()
        self.uncacheable.clear()
        self.memory.switch(self.in_force.policies)
