"""What a controller costs that hears of a thousand targets from twenty vantages, every second.

Twenty report servers answer as members do, over loopback; the controller is a process with all that
one has, its lease in SQLite. One round in a thousand fails, and what is decided is put to all. What
counts is its CPU time per second, of one core.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from benchmarks.command import arguments, run
from benchmarks.pairing import RunRefusedError
from benchmarks.peers import LOAD_CORE, SERVER_CORE
from benchmarks.processes import launched, running
from benchmarks.report import Report
from failover.decision import Decision
from failover.wire import WireError, decision_of_text
from tests.support.ports import own_ports

VANTAGES = 20
SIZES = {True: (5, 50), False: (20, 50)}  # services, targets of each, by whether it is quick
SECONDS = {True: 8, False: 60}
FAILED_SHARE = 0.001
WARM_S = 12.0  # until nobody is new, and what is kept now and then has been
START_MAX_S = 60.0
HEARD_MIN = 0.9  # of all rounds
CPU_MAX = 0.20  # of one core


def decided(path: Path) -> Decision | None:
    """Return what the controller acts on, once there is such a thing."""
    try:
        return decision_of_text(path.read_bytes())[0]
    except (OSError, WireError):
        return None


def told(ports: list[int]) -> int:
    """Return how many rounds the controller has been told of."""
    with httpx.Client(trust_env=False, timeout=30.0) as http:
        return sum(int(http.get(f"http://127.0.0.1:{port}/told").text) for port in ports)


def row(*, quick: bool) -> dict[str, Any]:
    """Measure one controller."""
    services, targets = SIZES[quick]
    sizes = [str(services), str(targets)]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = list(own_ports())[:VANTAGES]
        python, listening = sys.executable, [str(each) for each in ports]
        reporting = [
            python,
            "-m",
            "benchmarks.report_servers",
            *sizes,
            str(FAILED_SHARE),
            *listening,
        ]
        log = directory / "log"
        stack.enter_context(
            running("reports", reporting, port=ports[-1], cores=str(LOAD_CORE), log=log)
        )
        command = [python, "-m", "benchmarks.lone_controller", *sizes, str(directory), *listening]
        controller = stack.enter_context(
            launched("controller", command, port=0, cores=str(SERVER_CORE), log=log)
        )
        until_mono = time.monotonic() + START_MAX_S
        while (decision := decided(directory / "decision.json")) is None or (
            len(decision.choices) < 2 * services  # its region, and everywhere
        ):
            if time.monotonic() > until_mono or controller.process.poll() is not None:
                raise RunRefusedError(f"nothing is decided: {controller.log_lines()[-5:]}")
            time.sleep(0.1)
        time.sleep(WARM_S)
        before, cpu_s, began_mono = told(ports), controller.cpu_s(), time.monotonic()
        time.sleep(SECONDS[quick])
        passed_s = time.monotonic() - began_mono
        used = (controller.cpu_s() - cpu_s) / passed_s
        rounds = told(ports) - before
        if rounds < HEARD_MIN * services * targets * VANTAGES * passed_s:
            raise RunRefusedError(f"{rounds} rounds were heard of in {passed_s:.0f} s: too few")
        if controller.process.poll() is not None:
            raise RunRefusedError(f"the controller has ended: {controller.log_lines()[-5:]}")
        return {
            "targets": services * targets,
            "vantages": VANTAGES,
            "rounds_per_s": rounds / passed_s,
            "seconds": passed_s,
            "cores": used,
            "us_per_round": 1e6 * used * passed_s / rounds,
        }


def measure(*, quick: bool) -> Report:
    """Return what was found."""
    found = row(quick=quick)
    limit = {"found": found["cores"], "limit": CPU_MAX, "reached": found["cores"] < CPU_MAX}
    return Report(
        name="failover_scale", runs=1, figures={"controller": found}, ratios={"cores": limit}
    )


if __name__ == "__main__":
    OPTIONS = arguments(__doc__, needs=("taskset",))
    run(lambda: measure(quick=OPTIONS.quick), OPTIONS)
