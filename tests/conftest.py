"""What holds for every test."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# A busy machine is no failure: laws have no deadline of their own, tests have pytest's time-out.
settings.register_profile(
    "amaro", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples at every run: whoever changes something is not told of another's rare defect.
settings.register_profile("same", settings.get_profile("amaro"), derandomize=True)
settings.load_profile("same")

# A shell has what it puts in the background ignore interrupts, which tests send to what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

WAITING = ("live", "rig", "loopback")  # for servers: these go first, so that none of them is last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the long files begin first; the many short ones then fill both workers to the end."""
    items.sort(key=lambda item: rank(item.path.relative_to(HERE).parts[0]))


def rank(directory: str) -> int:
    """Where a directory's tests come."""
    return WAITING.index(directory) if directory in WAITING else len(WAITING)
