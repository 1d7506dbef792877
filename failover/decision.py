"""What is to be: for every service and region the targets in use, as it travels and is kept.

The controller publishes one whole `Decision`; edges, name servers and DNS providers are brought to
it by idempotent effects. A newer `(epoch, number)` replaces an older one, never the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which targets serve a service in one region (EVERYWHERE for DNS)."""

    service: str
    region: str
    order: tuple[str, ...]  # all targets, the best first; those that fail come last
    shares: tuple[tuple[str, float], ...]  # (target, share of new players), sums to 1, best first
    suspect: bool = False  # something is in doubt: short TTLs
    fails_open: bool = False  # every target fails its probes: the order is the operator's
    why: str = ""  # for people: what led to it

    @property
    def first(self) -> str:
        """The target that most are sent to."""
        return max(self.shares, key=lambda share: share[1])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All choices at one time, by one controller."""

    epoch: int  # of the controller's lease: fencing
    number: int  # rises with every change within an epoch
    choices: tuple[Choice, ...]

    @property
    def version(self) -> tuple[int, int]:
        """What orders decisions."""
        return self.epoch, self.number

    def choice(self, service: str, region: str) -> Choice | None:
        """The choice for a service in a region, if there is one."""
        return next(
            (each for each in self.choices if (each.service, each.region) == (service, region)),
            None,
        )
