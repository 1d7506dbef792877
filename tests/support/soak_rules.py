"""Which rules of an operator may have been in force when, and what they mean in plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.simulated_rules import Rules

TAG = b"of-rule"
BYPASSED = "/clip/"
SOAK_RULES = (
    Rules(),
    Rules("rules: [{name: c, set: {ttl_max: 3s}}]", 3),
    Rules(
        "rules: [{name: n, set: {stale_while_revalidate: 0s, stale_if_error: 0s}}]",
        never_stale=True,
    ),
    Rules("rules: [{name: b, match: {path: /clip/*}, set: {bypass: true}}]", bypasses=True),
    Rules("rules: [{name: t, set: {tags: [of-rule]}}]", tag=TAG),
    Rules("rules: [{name: t, set: {tags: [of-rule], disk_after: 1}}]", tag=TAG),
    Rules("rules: [{name: s, match: {path: /film/*}, set: {slices: false}}]"),
    Rules("rules: [{name: m, match: {path: /clip/*}, set: {tiers: memory}}]"),
    Rules("rules: [{name: d, match: {path: /tongue/*}, set: {tiers: disk, disk_after: 1}}]"),
)


@dataclass
class Force:
    """Rules, and between when they may have been in force."""

    rules: Rules
    from_mono: float
    until_mono: float = float("inf")


class InForce:
    """What was put in force so far: several at once where nobody can know."""

    def __init__(self) -> None:
        self._forces = [Force(SOAK_RULES[0], 0.0)]

    def asked(self, rules: Rules, now_mono: float) -> Force:
        """Somebody tries to put them in force."""
        force = Force(rules, now_mono)
        self._forces.append(force)
        return force

    def acknowledged(self, force: Force, now_mono: float) -> None:
        """They are: all that was before is not, from now on."""
        for each in self._forces:
            if each is not force:
                each.until_mono = min(each.until_mono, now_mono)

    def since(self, mono: float) -> Iterator[Rules]:
        return (each.rules for each in self._forces if each.until_mono >= mono)
