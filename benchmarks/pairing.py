"""The arithmetic of a fair comparison: interleaved turns, paired ratios, refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

FOREIGN_CORES_MAX = 0.15
"""A round in which others used more of the machine than this is run again, a bounded time."""

CONNECTIONS = 32
HEAD_BYTES_MAX = 1024
"""Of an answer; more bytes than that beside the expected body are another body."""


class RunRefusedError(Exception):
    """The run proves nothing: somebody answered wrongly, or complained. Says who and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One turn of one server under load."""

    requests: int
    seconds: float
    errors: int  # connect, read, write and time-out errors, and answers other than 200
    origin_requests: int  # how many requests reached the origin meanwhile: a hit sends none
    complaints: tuple[str, ...] = ()  # what the server wrote to its error log
    p50_us: int = 0  # latency as wrk saw it
    p99_us: int = 0
    cpu_s: float = 0.0  # of the server's processes
    answer_bytes: float = 0.0  # heads included, of one answer on average
    foreign_cores: float = 0.0  # how many cores others kept busy meanwhile: 0 on a quiet machine

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Spread:
    """A median between the extremes that were seen."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of at least one value."""
        return cls(median(values), min(values), max(values))


def turns(names: Sequence[str], rounds: int) -> list[list[str]]:
    """Return who runs when: each once a round, every other round backwards (ABC CBA ABC …).

    A drift of the machine's speed within a pair of rounds thus falls on all alike.
    """
    return [list(names) if number % 2 == 0 else list(reversed(names)) for number in range(rounds)]


def is_quiet(one_round: Mapping[str, Sample]) -> bool:
    """Say whether others left the machine alone in every turn of a round."""
    return all(sample.foreign_cores <= FOREIGN_CORES_MAX for sample in one_round.values())


def quietest(rounds: Sequence[Mapping[str, Sample]], wanted: int) -> list[Mapping[str, Sample]]:
    """Return the `wanted` rounds that others disturbed least, in the order they ran."""
    worst = [max(sample.foreign_cores for sample in one.values()) for one in rounds]
    kept = sorted(sorted(range(len(rounds)), key=worst.__getitem__)[:wanted])
    return [rounds[number] for number in kept]


def refuse_unless_hits(name: str, sample: Sample, body_bytes: int = 0) -> None:
    """Raise RunRefusedError when a turn was anything but hits answered without complaint.

    Answers are counted by their bytes, too: a whole object instead of a part, or instead of a 304,
    is no error to wrk.
    """
    if sample.requests == 0:
        raise RunRefusedError(f"{name} answered nothing")
    if sample.errors:
        raise RunRefusedError(f"{name}: {sample.errors} errors or answers other than 200")
    if sample.origin_requests:
        raise RunRefusedError(f"{name} sent {sample.origin_requests} requests on to the origin")
    unfinished_bytes = CONNECTIONS * body_bytes / sample.requests  # when the turn ended
    if not body_bytes < sample.answer_bytes < body_bytes + HEAD_BYTES_MAX + unfinished_bytes:
        raise RunRefusedError(f"{name}: {sample.answer_bytes:.0f} bytes an answer")
    if sample.complaints:
        raise RunRefusedError(f"{name} logged an error: {sample.complaints[0]}")


def paired_ratios(subject: Sequence[Sample], peer: Sequence[Sample]) -> Spread:
    """Return the spread of subject's rate over peer's, round by round."""
    return Spread.of([ours.rate / theirs.rate for ours, theirs in zip(subject, peer, strict=True)])


def rates(samples: Sequence[Sample]) -> Spread:
    """Return the spread of requests per second."""
    return Spread.of([sample.rate for sample in samples])


def cpu_us_per_request(samples: Sequence[Sample]) -> float:
    """Return the median CPU time a request took of the server, in microseconds."""
    return median(1e6 * sample.cpu_s / sample.requests for sample in samples)
