"""A benchmark's result: one JSON object, a table for people, a file in benchmarks/results/."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found; `figures` and `ratios` map names to numbers or to maps of numbers."""

    name: str
    runs: int
    figures: dict[str, Any]
    ratios: dict[str, Any]


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, kernel, Python and the load."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "real_time": is_real_time(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def is_real_time() -> bool:
    """Say whether the run has real-time priority, so that other processes hardly disturb it."""
    return os.sched_getscheduler(0) == os.SCHED_RR


def commit() -> str:
    """Return the commit that was measured, with a mark when sources differ from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    sources = (":(top)", ":(top,exclude)benchmarks/results")  # a run before this one left its own
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *sources)
    return (f"{head}-dirty" if changed else head) or "unknown"


def _git(*argv: str) -> str:
    """Return what a git command prints, "" where there is no repository."""
    answer = subprocess.run(
        ["git", *argv], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as the one object that a run prints."""
    return {
        "name": report.name,
        "commit": commit(),
        "machine": machine(),
        "runs": report.runs,
        "figures": plain(report.figures),
        "ratios": plain(report.ratios),
        "measured": dict.fromkeys(report.figures, commit()),
    }


def plain(value: Any) -> Any:
    """Return value with dataclasses as maps and floats at four significant digits."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value


def publish(report: Report, *, quick: bool, json_only: bool, part: bool = False) -> None:
    """Print the report, and keep it in benchmarks/results/NAME.json, unless it is a quick one's.

    A `part` of a benchmark's rows takes their place there; the others stay as they were measured.
    """
    found = as_json(report)
    text = json.dumps(found, indent=None if json_only else 2)
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{report.name}.json"
        before = json.loads(path.read_text()) if part and path.exists() else {}
        path.write_text(json.dumps(kept(before, found), indent=2) + "\n")
    if json_only:
        sys.stdout.write(text + "\n")
        return
    sys.stdout.write(f"{report.name} at {found['commit']}, {report.runs} runs\n")
    for title in ("figures", "ratios"):
        sys.stdout.write(f"\n{title}\n")
        for line in rows(found[title]):
            sys.stdout.write(f"  {line}\n")


def kept(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return a result file with the rows of a run among those that it did not measure."""
    together = {part: before.get(part, {}) | found[part] for part in ("figures", "ratios")}
    measured = before.get("measured", {}) | found["measured"]
    return found | together | {"measured": measured}


def rows(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Return one aligned line for each innermost map or number."""
    lines = []
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
            lines += rows(value, f"{label} ")
        elif isinstance(value, dict):
            told = ", ".join(f"{key} {shown(item)}" for key, item in value.items())
            lines.append(f"{label:<44} {told}")
        else:
            lines.append(f"{label:<44} {shown(value)}")
    return lines


def shown(value: Any) -> str:
    """Return a number as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)
