"""How long a stored response has lain in a place that outlives processes (RFC 9111 §4.2.3)."""

from dataclasses import dataclass
from typing import Final

from cache_policies.stored import Times

FUTURE_MAX_S: Final = 2.0  # by which clocks may disagree before nothing is believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One reading of every clock. `boot_s` counts from the machine's start, sleep included."""

    wall: float
    mono: float
    boot_s: float
    boot_id: bytes  # names that start


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """When a response came, for a process that reads it later."""

    wall: float
    delay_s: float
    boot_s: float
    boot_id: bytes


def mark(times: Times, now: Now) -> Mark:
    """What to write down about a response that came at `times`."""
    return Mark(
        wall=times.response_wall,
        delay_s=times.response_delay_s,
        boot_s=now.boot_s - (now.mono - times.response_mono),
        boot_id=now.boot_id,
    )


def times_at(mark: Mark, now: Now) -> tuple[Times, bool]:
    """The times of a marked response on this process's clocks, and whether they can be trusted.

    Within one uptime the machine's own clock tells, whatever the wall clock was set to; across two
    only the wall clock can. The longer stay of both counts, so no step makes anything younger.
    """
    by_wall_s = now.wall - mark.wall
    trusted = by_wall_s >= -FUTURE_MAX_S
    by_boot_s = now.boot_s - mark.boot_s if now.boot_id == mark.boot_id else 0.0
    residence_s = max(0.0, by_wall_s, by_boot_s)
    times = Times(
        response_wall=mark.wall,
        response_mono=now.mono - residence_s,
        response_delay_s=mark.delay_s,
    )
    return times, trusted
