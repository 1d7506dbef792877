"""What players show by asking: how many that were told a pathway are on it, or on another."""

from collections.abc import Mapping
from typing import Any, Final

ROW: Final = "steering_asked"


def steering_evidence(counted: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return counts since the node's start, by service and pathways, of `Counters.snapshot`."""
    rows = [(name.split(" "), int(count)) for name, count in counted.items()]
    return [
        {"service": of[1], "told": of[2], "on": of[3], "count": count}
        for of, count in sorted(rows)
        if of[0] == ROW
    ]
