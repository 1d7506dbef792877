"""What people are told: what happened, what was done, what to check, and where to read on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from failover.events import Event
from failover.model import EVERYWHERE

TITLE_MAX: Final = 200

DNS_CHECKS: Final = {
    "failed": "what its servers answer (dig), and change the name by hand if it stays so",
    "API failed": "the credential and the provider's status page, before it is needed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What happened, what was done, what to check."""

    title: str
    body: str
    is_urgent: bool = False


def message(
    text: str, *, title: str = "", check: str = "", runbook: str = "", is_urgent: bool = True
) -> Message:
    """Return a message with what to check, and the runbook that says more."""
    lines = [text]
    if check:
        lines.append(f"Check: {check}.")
    if runbook:
        lines.append(f"Runbook: docs/runbooks/{runbook}.md")
    return Message(title=(title or text)[:TITLE_MAX], body="\n".join(lines), is_urgent=is_urgent)


def of_event(event: Event) -> Message:
    """Return what people are told of an event."""
    scopes = ["DNS" if each == EVERYWHERE else each for each in event.regions]
    where = f" ({', '.join(scopes)})" if scopes else ""
    return message(
        f"{event.text}{where}",
        title=f"{event.service or 'failover'}: {event.text}",
        check=event.check,
        runbook=event.runbook,
    )


def of_store(text: str) -> Message:
    """Return what people are told of the lease's store, without which nobody leads."""
    return message(
        f"{text}. Without it nobody leads: edges keep what they do, members decide for their own, "
        "and DNS stays as it is.",
        title=text,
        check="that store; amaro failover switch --force works without it",
        runbook="no-controller",
    )


def of_dns(
    name: str, state: str, why: str, wanted: str = "", *, is_in_force: bool = False
) -> Message:
    """Return what people are told of a name at a provider, or of the provider's interface."""
    return message(
        f"{why}\nWanted: {wanted}" if wanted else why,
        title=f"{name} {state}",
        check=DNS_CHECKS.get(state, "whether these resolvers matter; nothing can hurry them"),
        runbook="dns-api-down",
        is_urgent=not is_in_force,
    )
