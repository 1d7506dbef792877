"""What a hit of 1 KiB costs with everything on, over sockets: `python -m benchmarks.everything`.

Edges of one worker on one core, in turns. `bare` is asked as in `hit_path`; `bare-told` is the
same edge, asked with CMCD in the query, which is another one each time; `everything` is an edge
that demands signed paths, limits the rate of every client, and samples what is watched; it is asked
with a token and with CMCD.
"""

import base64
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.command import arguments, run
from benchmarks.hit_path import figures_of, tmpfs
from benchmarks.hit_rows import BY_LABEL, Row
from benchmarks.load import turn
from benchmarks.origin_client import origin, refuse_unless_alike, warm
from benchmarks.pairing import Sample, is_quiet, paired_ratios, quietest, refuse_unless_hits, turns
from benchmarks.peers import EDGE, SERVER_CORE, Place, started
from benchmarks.processes import Server, free_port, running
from benchmarks.report import Report, is_real_time
from cache_policies.access import Grant, mint
from cache_policies.access_ring import parse_ring

NEEDS: Final = ("taskset", "wrk")
ROUNDS: Final = 11
SHARE_MIN: Final = 0.9  # of the rate of an edge that has none of it on
PREFIX: Final = b"/fast/"
RING: Final = f"key k1 {base64.b64encode(bytes(32)).decode()}\n"
RULES: Final = """
limits:
  - { name: clients, rate: 1000000/s, burst: 1000000 }
rules:
  - name: signed
    match: { path: /fast/* }
    set: { access: signed }
"""

PLAIN: Final = replace(BY_LABEL["1KiB"], script="alike.lua")
TOLD: Final = replace(PLAIN, script="told.lua")


def signed() -> Row:
    """The row of requests with CMCD and a token that lasts longer than the run."""
    token = mint(parse_ring(RING), Grant(PREFIX, int(time.time()) + 36_000), 0.0)
    return replace(TOLD, prefix=f"/~{token.decode()}")


@contextmanager
def with_everything(directory: Path, origin_port: int) -> Iterator[Server]:
    """Run an edge that demands tokens, limits rates and samples what is watched."""
    directory.mkdir()
    ring, rules = directory / "keys", directory / "rules.yaml"
    ring.write_text(RING)
    ring.chmod(0o600)
    rules.write_text(RULES)
    os.environ["AMARO_ADMIN_TOKEN"] = secrets.token_hex(16)
    port, admin = free_port(), free_port()
    command = [sys.executable, "-m", "amaro", "edge", "serve", "--memory", "1GiB"]
    command += ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"]
    command += ["--origin", f"http://127.0.0.1:{origin_port}", "--region", "north"]
    command += ["--policies", str(rules), "--access-keys", str(ring)]
    log = directory / "edge.log"
    with running(EDGE, command, port=port, cores=str(SERVER_CORE), log=log) as server:
        yield server


def measure(*, quick: bool) -> Report:
    """Measure the three in turns and set them beside the limit."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=tmpfs())))
        source = stack.enter_context(origin(directory))
        place = Place(directory=directory / "bare", origin_port=source.port, port=free_port())
        bare = stack.enter_context(started(EDGE, place))
        everything = stack.enter_context(with_everything(directory / "everything", source.port))
        asked = {
            "bare": (bare, PLAIN),
            "bare-told": (bare, TOLD),
            "everything": (everything, signed()),
        }
        for server, row in asked.values():
            warm(server, row.path, row.size)
            refuse_unless_alike(server, row)
            turn(server, source, row, 1)
        rounds = rounds_of(asked, source, 3 if quick else ROUNDS)
    return summary(rounds)


def rounds_of(
    asked: Mapping[str, tuple[Server, Row]], source: Server, wanted: int
) -> list[Mapping[str, Sample]]:
    """Return the quietest rounds of three times as many as are wanted."""
    done: list[Mapping[str, Sample]] = []
    for order in turns(list(asked), wanted if is_real_time() else 3 * wanted):
        one_round = {}
        for name in order:
            server, row = asked[name]
            one_round[name] = turn(server, source, row, 1)
            refuse_unless_hits(name, one_round[name], row.body_bytes)
            if is_real_time():
                time.sleep(1)
        done.append(one_round)
        if sum(map(is_quiet, done)) == wanted:
            break
    return quietest(done, wanted)


def summary(rounds: list[Mapping[str, Sample]]) -> Report:
    """Return the report of rounds of {name: sample}."""
    samples = {name: [one[name] for one in rounds] for name in rounds[0]}
    ratios: dict[str, Any] = {}
    for name in ("bare", "bare-told"):
        ratio = paired_ratios(samples["everything"], samples[name])
        ratios[f"everything/{name}"] = {
            "median": ratio.median,
            "low": ratio.low,
            "high": ratio.high,
            "target": SHARE_MIN,
            "reached": ratio.median >= SHARE_MIN,
        }
    figures = {name: figures_of(PLAIN, each) for name, each in samples.items()}
    return Report(name="everything", runs=len(rounds), figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__, needs=NEEDS)
    run(lambda: measure(quick=options.quick), options)
