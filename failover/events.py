"""What happened, in words: for the audit log, for those who are called, and for the console."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Any, Final


@unique
class Happening(Enum):
    """What an event tells of."""

    SUSPECTED = "suspected"
    CLEARED = "cleared"
    FELL = "fell"
    WORKS = "works"
    RETURNED = "returned"
    MOVED = "moved"
    FAILS_OPEN = "fails-open"
    OVERLOADED = "overloaded"
    ORDERED = "ordered"
    REFUSED = "refused"
    PIN_ENDED = "pin-ended"
    WITHDRAWN = "withdrawn"
    COUNTED = "counted"
    BLIND = "blind"


WAKES: Final = frozenset(
    {
        Happening.FELL,
        Happening.RETURNED,
        Happening.MOVED,
        Happening.FAILS_OPEN,
        Happening.OVERLOADED,
        Happening.ORDERED,
        Happening.PIN_ENDED,
        Happening.BLIND,
    }
)
"""What people are told of; the rest is for the log."""

CHECKS: Final = {  # what to look at
    Happening.FELL: "is it the provider's fault, or that of what is behind it? See its status page",
    Happening.MOVED: "that players follow, in what is left and in `amaro failover status`",
    Happening.RETURNED: "that it carries its part again: it gets its traffic back in steps",
    Happening.ORDERED: "that it does what was meant; `revert` and `unfreeze` take orders back",
    Happening.BLIND: "members and their networks: `amaro failover status` says who has no vote",
    Happening.FAILS_OPEN: "what all targets have in common: the origin, the probes, the network",
    Happening.OVERLOADED: "capacity of what is left; load can be shed, or more targets be added",
    Happening.PIN_ENDED: "whether the target may be pinned again once it works",
    Happening.WITHDRAWN: "the vantage's own network: what it must always reach, it does not",
}


RUNBOOKS: Final = {  # docs/runbooks/NAME.md
    Happening.SUSPECTED: "flapping",
    Happening.FELL: "provider-down",
    Happening.WORKS: "flapping",
    Happening.MOVED: "provider-down",
    Happening.RETURNED: "flapping",
    Happening.BLIND: "vantage-without-vote",
    Happening.FAILS_OPEN: "fails-open",
    Happening.OVERLOADED: "overloaded",
    Happening.ORDERED: "switch-by-hand",
    Happening.REFUSED: "switch-by-hand",
    Happening.PIN_ENDED: "switch-by-hand",
    Happening.WITHDRAWN: "vantage-without-vote",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, in one or several scopes at the same time."""

    happening: Happening
    text: str
    service: str = ""
    target: str = ""
    regions: tuple[str, ...] = ()
    who: str = "amaro"
    name: str = ""  # EPOCH.NUMBER: whoever hears of it twice knows

    @property
    def check(self) -> str:
        """What to look at now; empty: nothing."""
        return CHECKS.get(self.happening, "")

    @property
    def runbook(self) -> str:
        """The runbook that says more: `docs/runbooks/NAME.md`; empty: none."""
        if self.happening is Happening.FELL and "certificate" in self.text:
            return "certificate-ends"
        if self.happening is Happening.ORDERED and self.text.startswith("freeze"):
            return "frozen"
        return RUNBOOKS.get(self.happening, "")

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept and shown."""
        return {
            "happening": self.happening.value,
            "text": self.text,
            "service": self.service,
            "target": self.target,
            "regions": list(self.regions),
            "who": self.who,
            "check": self.check,
            "runbook": self.runbook,
        } | ({"event": self.name} if self.name else {})


def named(events: Iterable[Event], epoch: int, happened: int) -> tuple[Event, ...]:
    """Return events with names, after so many that happened before."""
    return tuple(
        replace(each, name=f"{epoch}.{number}") for number, each in enumerate(events, happened + 1)
    )


def merged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return events with those that say the same of several scopes as one."""
    places: dict[tuple[Happening, str, str, str, str], list[str]] = {}
    for each in events:
        name = (each.happening, each.text, each.service, each.target, each.who)
        places.setdefault(name, []).extend(each.regions)
    return tuple(
        Event(
            happening=happening,
            text=text,
            service=service,
            target=target,
            who=who,
            regions=tuple(dict.fromkeys(regions)),
        )
        for (happening, text, service, target, who), regions in places.items()
    )
