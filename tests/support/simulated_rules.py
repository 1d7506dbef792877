"""Rules of an operator, and in plain numbers what they mean for players."""

from dataclasses import dataclass
from typing import Any

from tests.support.rules import rules


@dataclass(frozen=True)
class Rules:
    """One policy file. The simulation never reads its text."""

    text: str = "rules: []"
    lifetime_max_s: float = float("inf")
    never_stale: bool = False
    bypasses: bool = False
    tag: bytes | None = None  # that all responses have

    def to_mapping(self) -> dict[str, Any]:
        return rules(self.text)


ALL_RULES = (
    Rules(),
    Rules("rules: [{name: t, set: {tags: [of-rule]}}]", tag=b"of-rule"),
    Rules("rules: [{name: t, set: {tags: [of-rule], ttl_max: 20s}}]", 20, tag=b"of-rule"),
    Rules("rules: [{name: c, set: {ttl_max: 4s}}]", 4),
    Rules(
        "rules: [{name: n, set: {stale_while_revalidate: 0s, stale_if_error: 0s}}]",
        never_stale=True,
    ),
    Rules("rules: [{name: w, match: {path: /a/*}, set: {slices: false, tiers: memory}}]"),
    Rules("rules: [{name: d, match: {path: /b/*}, set: {tiers: disk}}]"),
    Rules("rules: [{name: b, match: {path: /a/*}, set: {bypass: true}}]", bypasses=True),
)
