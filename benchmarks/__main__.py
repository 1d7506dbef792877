"""List the benchmarks, or run them all: `python -m benchmarks [--list] [--quick] [--json]`."""

import argparse
import subprocess
import sys

BENCHMARKS = {
    "audience": "what a hit, a sample and the supervisor pay for knowing what is watched",
    "limits": "what limits add to a hit, and what all does that a hit can have on",
    "access": "what a token adds to a hit: remembered, and at first sight",
    "disk": "hits from disk beside nginx, memory hits while a disk hangs, a restart",
    "failover": "from a provider's fault to steering, routes and DNS; gdnsd and PowerDNS beside",
    "failover_scale": "CPU of a controller that hears of 1 000 targets from 20 vantages",
    "hit_path": "hits a second of one worker on one core, beside nginx and Varnish",
    "hit_ratio": "eviction: the tournament beside every policy, FIFO, Belady and libcachesim",
    "memory": "bytes an object costs beside its own, budgets under churn, loop stalls, readers",
    "miss_path": "crowds on one cold object, streams of cold ones, first bytes, beside nginx",
    "providers": "hits of 1 000 viewers at a CDN in front, with signed URLs and without",
    "purge": "from an order to the last of eight edges that acknowledges it",
    "realtime": "one message to 10 000 pages, memory of idle ones, a stuck one, hits meanwhile",
    "region": "what eight edges ask of their origin when a crowd comes to a new video",
    "simulate": "a thousand edges and ten million objects in virtual time",
    "upload_to_play": "from an upload's last bytes to a decoded frame through an edge",
}


def main() -> int:
    """Return 0 when every benchmark ran to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name them and what they measure")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter turns; not kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    if options.list:
        for name, purpose in BENCHMARKS.items():
            sys.stdout.write(f"{name:<16} {purpose}\n")
        return 0
    passed_on = [f"--{flag}" for flag in ("quick", "json") if getattr(options, flag)]
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *passed_on], check=False
        ).returncode
    ]
    if failed:
        sys.stderr.write(f"not finished: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
