"""What members tell each other, as JSON: reports are long, so their rounds are rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from failover.decision import Decision
from failover.evidence import Outcome, PlayerEvidence, Report, Round
from failover.json_object import json_object
from failover.keeping import decision_in, decision_out, ordered_in, ordered_out
from failover.orders import Ordered

ROWS_MAX: Final = 20_000
WORD_MAX: Final = 200
ODD: Final = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What Python raises for JSON that has another shape, is nested without end, or holds infinity."""


class WireError(ValueError):
    """What another member said is not understood; the message says what of it."""


def report_out(report: Report) -> bytes:
    """Return a report as it travels."""
    return json.dumps(
        {
            "vantage": report.vantage,
            "boot": report.boot,
            "number": report.number,
            "last": report.is_last,
            "controls": [report.controls_ok, report.controls_why],
            "urgent": report.is_urgent,
            "rounds": [
                [each.service, each.target, each.number, each.outcome is Outcome.OK]
                + ([each.why, each.took_ms] if each.why else [])
                for each in report.rounds
            ],
            "players": [
                [each.service, each.target, each.fetched, each.left] for each in report.players
            ],
        },
        separators=(",", ":"),
    ).encode()


def report_in(text: bytes, vantage: str) -> Report:
    """Return the report of a vantage, which nobody else may speak for. Raises WireError."""
    try:
        said = json.loads(text)
        if said["vantage"] != vantage:
            raise WireError(f"a report of {str(said['vantage'])[:WORD_MAX]}, not of {vantage}")
        if len(said["rounds"]) > ROWS_MAX or len(said["players"]) > ROWS_MAX:
            raise WireError(f"more than {ROWS_MAX} rows")
        controls_ok, controls_why = said["controls"]
        return Report(
            vantage=vantage,
            boot=str(said["boot"])[:WORD_MAX],
            number=int(said["number"]),
            is_last=said.get("last", True) is not False,
            controls_ok=controls_ok is True,
            controls_why=str(controls_why)[:WORD_MAX],
            rounds=tuple(_round_in(*row) for row in said["rounds"]),
            players=tuple(
                PlayerEvidence(
                    service=str(service), target=str(target), fetched=int(fetched), left=int(left)
                )
                for service, target, fetched, left in said["players"]
            ),
            is_urgent=said.get("urgent") is True,
        )
    except WireError:
        raise
    except ODD as error:
        raise WireError(f"no report: {error}") from None


def _round_in(service: str, target: str, number: int, is_ok: bool, *failure: Any) -> Round:
    if is_ok is True and not failure:  # as nearly always
        return Round(service, target, int(number), Outcome.OK)
    why, took_ms = failure or ("", 0.0)
    return Round(
        service=service,
        target=target,
        number=int(number),
        outcome=Outcome.OK if is_ok is True else Outcome.FAIL,
        why=str(why)[:WORD_MAX],
        took_ms=float(took_ms),
    )


def decision_to_text(
    decision: Decision, ordered: Ordered, ordered_version: tuple[int, int] = (0, 0)
) -> bytes:
    """Return a decision, and the orders that stand, as they travel and as members keep them.

    A member keeps beside them which decision of its own carried out an order.
    """
    told = decision_out(decision) | {"ordered": ordered_out(ordered)}
    if ordered_version != (0, 0):
        told["ordered_version"] = list(ordered_version)
    return json.dumps(told, separators=(",", ":")).encode()


def mark_of(decision: Decision, ordered: Ordered) -> str:
    """Return what tells apart what members act on, where versions are the same."""
    return f"{crc32(decision_to_text(decision, ordered)):08x}"


def decision_of_text(text: bytes) -> tuple[Decision, Ordered]:
    """Return the decision and the orders that stand; raises WireError."""
    try:
        said = json_object(text)
        decision, ordered = decision_in(said), ordered_in(said["ordered"])
        if not all(isinstance(each, int) for each in decision.version):
            raise WireError("no decision: its version is no pair of numbers")
        for choice in decision.choices:
            if not abs(sum(share for _, share in choice.shares) - 1.0) <= 1e-6:  # nor if it is NaN
                raise WireError(f"no decision: shares of {choice.service[:WORD_MAX]} are not 1")
    except WireError:
        raise
    except ODD as error:
        raise WireError(f"no decision: {error}") from None
    return decision, ordered


def ordered_version_in(text: bytes) -> tuple[int, int]:
    """Return which decision a member kept as its own; raises WireError."""
    try:
        epoch, number = read_object(text).get("ordered_version", (0, 0))
        return int(epoch), int(number)
    except ODD as error:
        raise WireError(f"no decision: {error}") from None


def read_object(text: bytes) -> Mapping[str, Any]:
    """Return the JSON object in a body; raises WireError."""
    try:
        return json_object(text)
    except ValueError as error:
        raise WireError(str(error)) from None
