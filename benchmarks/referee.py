"""An independent judge of our policies: libcachesim, on the same requests."""

from typing import Any, Final

from benchmarks.replay import replay
from benchmarks.traces import Trace
from cache_policies.shadow import POLICIES

try:
    import libcachesim
except ImportError:  # an optional package: pip install '.[bench]'
    libcachesim = None

THEIRS: Final = {"lru": "Clock", "sieve": "Sieve", "s3fifo": "S3FIFO", "gdsf": "GDSF"}
"""By the name of ours. Our LRU promotes lazily, which is what they call Clock."""

SIZE_BYTES: Final = 4096  # of every object, so that only the order of requests matters
SHARE: Final = 0.1  # of all objects fit


def referee(trace: Trace) -> dict[str, dict[str, float]] | None:
    """Return {policy: ours, theirs and difference in points}; None without libcachesim."""
    if libcachesim is None:
        return None
    equal = Trace(trace.name, trace.times_s, trace.objects, [SIZE_BYTES] * len(trace))
    budget_bytes = int(equal.footprint_bytes * SHARE) // SIZE_BYTES * SIZE_BYTES
    found = {}
    for name, policy in POLICIES.items():
        make: Any = policy
        ours = 100 * replay(equal, make(budget_bytes)).objects
        theirs = 100 * _their_ratio(THEIRS[name], equal, budget_bytes)
        found[name] = {"ours": ours, "theirs": theirs, "difference": ours - theirs}
    return found


def _their_ratio(name: str, trace: Trace, budget_bytes: int) -> float:
    cache = getattr(libcachesim, name)(budget_bytes)
    request = libcachesim.Request()
    request.obj_size = SIZE_BYTES
    numbers: dict[int, int] = {}
    hits = 0
    for number in trace.objects:
        request.obj_id = numbers.setdefault(number, len(numbers) + 1)
        hits += cache.get(request)
    return hits / len(trace)
