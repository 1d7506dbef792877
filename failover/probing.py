"""Asks a target all that its probes ask, once: a round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Final

import httpx

from failover.answer import Answer, LackError, ProbeFailedError
from failover.evidence import Outcome, Round
from failover.model import Probe, ProbeKind
from failover.probe_errors import WHY_CHARACTERS_MAX, can_open, is_lack, said
from failover.probe_http import ask_page, ask_segment
from failover.probe_network import ask_certificate, ask_connection, ask_names

ODD: Final = (OSError, EOFError, ValueError, ArithmeticError, MemoryError, ExceptionGroup)
"""What libraries raise for names, ports and answers that nobody thought of."""


def _asking(probe: Probe, number: int) -> Awaitable[None]:
    match probe.kind:
        case ProbeKind.DNS:
            return ask_names(probe)
        case ProbeKind.TCP:
            return ask_connection(probe)
        case ProbeKind.TLS:
            return ask_certificate(probe)
        case ProbeKind.HTTP:
            return ask_page(probe)
        case ProbeKind.SEGMENT:
            return ask_segment(probe, number)


async def ask(probe: Probe, number: int) -> Answer:
    """Ask one thing, for as long as the probe allows and no longer; `number` varies what is asked.

    Never raises for what a target does: a failure is an answer. So is what this machine lacks.
    """
    began = time.monotonic()
    why, lacks = "", False
    try:
        async with asyncio.timeout(probe.timeout_s):
            await _asking(probe, number)
    except (TimeoutError, httpx.TimeoutException):
        why = f"no answer within {probe.timeout_s:g} s"
    except ProbeFailedError as failure:
        why = str(failure)
    except (*ODD, httpx.HTTPError, httpx.InvalidURL) as error:
        why, lacks = said(error), is_lack(error)
    took_ms = (time.monotonic() - began) * 1e3
    return Answer(why, took_ms, bool(why) and (lacks or not can_open()))


async def ask_all(probes: Sequence[Probe], number: int) -> Answer:
    """Ask everything at once; what fails first in the order of the probes is the reason.

    What this machine lacks is a reason before all others.
    """
    answers = await asyncio.gather(*(ask(each, number) for each in probes))
    took_ms = max((each.took_ms for each in answers), default=0.0)
    failed = [pair for pair in zip(probes, answers, strict=True) if not pair[1].is_good]
    if not failed:
        return Answer("", took_ms)
    probe, answer = max(failed, key=lambda pair: pair[1].is_lack)  # the first of them
    return Answer(f"{probe.name}: {answer.why}"[:WHY_CHARACTERS_MAX], took_ms, answer.is_lack)


async def ask_target(service: str, target: str, probes: Sequence[Probe], number: int) -> Round:
    """One round of a target. Raises LackError."""
    answer = await ask_all(probes, number)
    if answer.is_lack:
        raise LackError(f"{service}/{target} cannot be asked: {answer.why}")
    return Round(
        service=service,
        target=target,
        number=number,
        outcome=Outcome.OK if answer.is_good else Outcome.FAIL,
        why=answer.why,
        took_ms=round(answer.took_ms, 3),
    )
