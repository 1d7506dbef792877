"""Asks a target all that its probes ask, once: a round."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Sequence
from typing import Final

import httpx

from failover.answer import Answer, ProbeFailedError
from failover.evidence import Outcome, Round
from failover.model import Probe, ProbeKind
from failover.probe_http import ask_page, ask_segment
from failover.probe_network import ask_certificate, ask_connection, ask_names

WHY_CHARACTERS_MAX: Final = 160
ODD: Final = (OSError, EOFError, ValueError, ArithmeticError, ExceptionGroup)
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

    Never raises for what a target does: a failure is an answer.
    """
    began = time.monotonic()
    why = ""
    try:
        async with asyncio.timeout(probe.timeout_s):
            await _asking(probe, number)
    except (TimeoutError, httpx.TimeoutException):
        why = f"no answer within {probe.timeout_s:g} s"
    except ProbeFailedError as failure:
        why = str(failure)
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
    except ConnectionRefusedError:
        why = "refused"
    except (*ODD, httpx.HTTPError, httpx.InvalidURL) as error:
        why = _root_of(error)
    return Answer(why, (time.monotonic() - began) * 1e3)


def _root_of(error: BaseException) -> str:
    """What a library's error goes back to, in a few words."""
    while True:
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        cause = inner or error.__cause__ or error.__context__
        if cause is None:
            break
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return (str(error) or type(error).__name__)[:WHY_CHARACTERS_MAX]


async def ask_all(probes: Sequence[Probe], number: int) -> Answer:
    """Ask everything at once; what fails first in the order of the probes is the reason."""
    answers = await asyncio.gather(*(ask(each, number) for each in probes))
    took_ms = max(each.took_ms for each in answers)
    for probe, answer in zip(probes, answers, strict=True):
        if not answer.is_good:
            return Answer(f"{probe.name}: {answer.why}"[:WHY_CHARACTERS_MAX], took_ms)
    return Answer("", took_ms)


async def ask_target(service: str, target: str, probes: Sequence[Probe], number: int) -> Round:
    """One round of a target."""
    answer = await ask_all(probes, number)
    return Round(
        service=service,
        target=target,
        number=number,
        outcome=Outcome.OK if answer.is_good else Outcome.FAIL,
        why=answer.why,
        took_ms=round(answer.took_ms, 3),
    )
