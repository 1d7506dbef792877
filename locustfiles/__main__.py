"""`python -m locustfiles`: load the running stack for a minute and write a report.

Locust patches the standard library, so it runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from locustfiles.targets import TargetError, Targets, check

HERE = Path(__file__).parent
BEHAVIOURS = ("vod_viewer", "feed_reader", "uploader")
USERS_MAX = 500
SECONDS_MAX = 3600
GRACE_S = 120  # on a busy machine
EXAMPLE = "example: python -m locustfiles --users 40 --seconds 60"


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, 1 (something failed under load) or 2 (there was nothing to load)."""
    options = parse(argv)
    try:
        targets = given(options) if options.edge else running(options.data)
        check(targets, allow_remote=options.allow_remote)
    except TargetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.report.parent.mkdir(parents=True, exist_ok=True)
    print(f"loading {', '.join(targets.edges.values())} for {options.seconds} s …", flush=True)
    status = run_locust(targets, options)
    print(f"report: {options.report}" if options.report.exists() else "no report was written")
    return 1 if status else 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line; leaves with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="locustfiles", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--data", type=Path, default=Path(".amaro"), help="of amaro up")
    parser.add_argument("--edge", action="append", metavar="NAME=URL", help="instead of --data")
    parser.add_argument("--origin", metavar="URL", help="with --edge: where uploads go")
    parser.add_argument("--users", type=at_most(USERS_MAX), default=40)
    parser.add_argument("--seconds", type=at_most(SECONDS_MAX), default=60)
    parser.add_argument("--report", type=Path, default=Path("reports/load.html"))
    parser.add_argument("--allow-remote", action="store_true", help="targets beyond loopback")
    return parser.parse_args(argv)


def at_most(limit: int) -> type[int]:
    """A number from 1 to `limit` on a command line."""

    class Bounded(int):
        def __new__(cls, text: str) -> Bounded:
            number = super().__new__(cls, text)
            if not 1 <= number <= limit:
                raise ValueError(text)
            return number

    Bounded.__name__ = f"number from 1 to {limit}"
    return Bounded


def given(options: argparse.Namespace) -> Targets:
    """The targets that were named on the command line."""
    pairs = [text.partition("=") for text in options.edge]
    if not all(name and url for name, _, url in pairs):
        raise TargetError("--edge needs NAME=URL such as north=http://127.0.0.1:8080")
    return Targets(edges={name: url for name, _, url in pairs}, origin=options.origin)


def running(data: Path) -> Targets:
    """The targets of the stack that runs on this data directory; raises TargetError."""
    path = data / "run" / "stack.json"
    try:
        services = json.loads(path.read_bytes())["services"]
    except FileNotFoundError:
        raise TargetError(
            f"no stack runs on {data}. Start one with make up, or name its directory with --data"
        ) from None
    edges = [service for service in services if service["kind"] == "edge"]
    origins = [service["url"] for service in services if service["kind"] == "origin"]
    return Targets(
        edges={edge.get("region") or edge["name"]: edge["url"] for edge in edges},
        origin=origins[0] if origins else None,
    )


def run_locust(targets: Targets, options: argparse.Namespace) -> int:
    """Run locust to its end; its exit status."""
    files = ",".join(str(HERE / f"{name}.py") for name in (*BEHAVIOURS, "verdict"))
    argv = [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary"]
    argv += ["--users", str(options.users), "--spawn-rate", str(max(1, options.users // 5))]
    argv += ["--run-time", f"{options.seconds}s", "--stop-timeout", "3"]
    argv += ["--html", str(options.report), "--loglevel", "WARNING", "--exit-code-on-error", "1"]
    environment = os.environ | targets.environment(allow_remote=options.allow_remote)
    paths = [str(HERE.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with subprocess.Popen(argv, env=environment) as locust:
        try:
            return locust.wait(timeout=options.seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            print("error: locust did not end in time", file=sys.stderr)
        except KeyboardInterrupt:
            print("stopping …", file=sys.stderr)
        return end(locust)


def end(locust: subprocess.Popen[bytes]) -> int:
    """Stop locust, by force when it does not listen; a status that is never 0."""
    locust.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while locust.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    locust.kill()
    return locust.wait() or 1


if __name__ == "__main__":
    sys.exit(main())
