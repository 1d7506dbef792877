"""What it costs to know what is watched: a hit, a sample, the supervisor's work and memory.

Rows: `hit` what the hit path does for it; `sample` to read one, and the worst junk; `supervisor`
its adding, telling and memory when all places are taken; `accuracy` of the leading stories.
All in this process, in processor time, the best of several turns.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import quote

from iptocc import country_code

from benchmarks.command import arguments, run
from benchmarks.report import Report
from edge.audience import Audience, Gatherer, Sample
from edge.clients import TrustedProxies
from edge.cmcd import REPORT_BYTES_MAX, parse_fields
from edge.frequent import Frequent
from edge.heads import Context, read_facts
from edge.popularity import PopularityPolicy
from edge.sampling import PER_S, Sampler
from edge.whereabouts import Whereabouts

HITS_PER_S = 60_000.0  # of a busy worker
HIT_MAX_NS = 200.0
TURNS = 7
REGIONS = 40  # more than are counted
PATH = "/v/k3jd72lqafh5xz7a/0123456789abcdef0123456789abcdef.m4s"
AGENT = b"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0 Mobile Safari"
SESSION = 'sid="2e016ae9-fa6c-4488-8ccd-f4a3e4cc95be"'
REPORTS = {  # as hls.js writes them
    "1": f'bl=4000,br=300,cid="a",d=2000,dl=4000,mtp=9000,nor="3.m4s",ot=v,rtp=1500,sf=h,{SESSION}',
    "2": f"bl=(4000),br=(300),d=2000,mtp=(9000),ot=v,pb=(300),sf=h,{SESSION},sn=4,st=v,sta=p,v=2",
}


def best_us(work: Callable[[], object], times: int) -> float:
    """Return the processor time of one call in us, the least of several turns."""
    turns = []
    for _ in range(TURNS):
        began_s = process_time()
        for _ in range(times):
            work()
        turns.append((process_time() - began_s) / times)
    return min(turns) * 1e6


def hit(times: int) -> dict[str, Any]:
    """Measure the number that a hit counts down, and the sample that it seldom takes."""

    class Shared:
        sampler: Any = Sampler()  # its number is never reached

    shared = Shared()

    def counted() -> None:
        for _ in range(1000):
            sampler = shared.sampler
            sampler.left -= 1
            if not sampler.left:
                sampler.take(b"", None, b"", 200)

    def not_counted() -> None:
        for _ in range(1000):
            pass

    facts = read_facts(b"", ((b"host", b"a"),), Context(b"GET", b"1.1", b"http", b"a"))
    taken: list[Sample] = []
    taking = Sampler(taken.append)
    taking.weight = int(HITS_PER_S / PER_S)
    countdown_ns = best_us(counted, times) - best_us(not_counted, times)
    take_us = best_us(lambda: taking.take(b"/", facts, b"192.0.2.1", 200), times)
    return {
        "countdown_ns": countdown_ns,
        "take_us": take_us,
        "hit_ns": countdown_ns + take_us * 1e3 * PER_S / HITS_PER_S,
    }


def sample(times: int) -> dict[str, Any]:
    """Measure how long a sample takes to be read, by the version of CMCD, and of a lookup."""
    gatherer = Gatherer(Whereabouts("north", TrustedProxies()))
    gatherer.take("salt")
    found = {}
    for version, text in REPORTS.items():
        target = f"{PATH}?CMCD={quote(text, safe='')}".encode()
        fields = ((b"user-agent", AGENT), (b"accept", b"*/*"))
        one = Sample(target, b"http://edge.example", fields, b"192.0.2.1", 1.0)
        found[f"cmcd_{version}_us"] = best_us(partial(gatherer.gather, one), times // 10)
    worst = max(best_us(partial(parse_fields, [text]), 3) for text in junk(times // 10))
    return found | {
        "share_of_a_core": max(found.values()) * 1e-6 * PER_S,
        "worst_junk_ms": worst / 1e3,
        "country_ns": best_us(lambda: country_code("91.198.174.192"), times) * 1e3,
    }


def junk(number: int) -> Iterator[bytes]:
    """Yield reports that are hard to read."""
    chance = random.Random(1)
    pieces = ('"', "\\", "(", ")", ",", ";", "=", "a", "1", " ", "bl", "?1", '="\\', "bl=(1 2 3),")
    for piece in pieces:
        yield (piece * REPORT_BYTES_MAX).encode()[:REPORT_BYTES_MAX]
    for _ in range(number):
        yield "".join(chance.choices(pieces, k=REPORT_BYTES_MAX)).encode()[:REPORT_BYTES_MAX]


def supervisor(names: int) -> dict[str, Any]:
    """Take all places there are in more regions than are counted."""
    audience, before_bytes = Audience(), resident_bytes()
    began_s = process_time()
    for region in range(REGIONS):
        for number in range(names):
            story = f"story{number:011d}"
            key = f"http://edge.example/v/{story}/{number:032x}.m4s"
            audience.stories.add(f"r{region}", story, 1.0, number * 0.01)
            audience.objects.add(f"r{region}", key, 1.0, number * 0.01)
    added = 2 * REGIONS * names
    return {
        "add_us": (process_time() - began_s) / added * 1e6,
        "memory_mb": (resident_bytes() - before_bytes) / 1e6,
        "tell_everywhere_ms": best_us(lambda: audience.told(None, 20, 30.0), 1) / 1e3,
        "tell_region_ms": best_us(lambda: audience.told("r1", 20, 30.0), 1) / 1e3,
    }


def accuracy(requests: int) -> dict[str, Any]:
    """Count a seeded Zipf trace over 100 000 names without decay, and compare."""
    chance, capacity = random.Random(4), PopularityPolicy().names_max
    names = [f"n{rank}" for rank in range(100_000)]
    trace = chance.choices(names, [1.0 / (rank + 1) for rank in range(len(names))], k=requests)
    frequent, exact = Frequent(capacity, 1e12), Counter(trace)
    for name in trace:
        frequent.add(name, 1.0, 0.0)
    best = [name for name, _ in exact.most_common(100)]
    leading = frequent.leading(100, 0.0)
    off = max(abs(count.value - exact[name]) for name, count in leading)
    return {
        "found_of_100": len({name for name, _ in leading} & set(best)),
        "off_at_most": off,
        "bound": requests / capacity,
    }


def resident_bytes() -> int:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


ROWS: dict[str, Callable[[bool], dict[str, Any]]] = {  # by whether the run is a quick one
    "hit": lambda quick: hit(50 if quick else 1000),
    "sample": lambda quick: sample(200 if quick else 5000),
    "supervisor": lambda quick: supervisor(200 if quick else 2600),
    "accuracy": lambda quick: accuracy(20_000 if quick else 1_000_000),
}


def measure(*, quick: bool, rows: tuple[str, ...]) -> Report:
    """Return what each row found, and whether a hit keeps its limit."""
    figures = {name: ROWS[name](quick) for name in rows}
    ratios = {}
    if "hit" in figures:
        found = figures["hit"]["hit_ns"]
        ratios["hit hit_ns"] = {
            "found": found,
            "limit": HIT_MAX_NS,
            "reached": found <= HIT_MAX_NS,
        }
    return Report(name="audience", runs=TURNS, figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__, needs=(), rows=list(ROWS))
    run(lambda: measure(quick=options.quick, rows=tuple(options.row or ROWS)), options)
