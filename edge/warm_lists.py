"""What other edges, or this one before its restart, say is watched: as this edge's own keys."""

from collections.abc import Mapping
from typing import Any, Final

from edge.prewarm_plan import RISING, Expected

WARM_MAX: Final = 8192  # objects of a list
SPREAD: Final = 0.5  # of the share there, what rises there is thought to gain here


class ListError(Exception):
    """Not what an edge says."""


def own_key(key: str, their_port: int, own_port: int) -> str:
    """The key that players of this edge ask for; edges on one machine differ in their ports."""
    scheme, _, rest = key.partition("://")
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if colon and port == str(their_port):
        return f"{scheme}://{host}:{own_port}{slash}{path}"
    return key


class WarmList:
    """What one edge says is watched. Raises ListError where it says something else."""

    def __init__(self, told: Mapping[str, Any], own_port: int) -> None:
        try:
            port = int(told["port"])
            self.per_minute = max(0.0, float(told["per_minute"]))
            self._rising = {str(each["story"]) for each in told["rising"]}
            self._objects = [
                (own_key(str(key), port, own_port), str(story), max(0.0, float(per_minute)))
                for key, story, per_minute in told["warm"][:WARM_MAX]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ListError(f"not what an edge says: {error!r}") from None

    def expected(self, horizon_s: float, reason: str) -> list[Expected]:
        """What to expect here, if this edge's players are as those."""
        return [
            Expected(key, per_minute / 60.0 * horizon_s, reason)
            for key, _, per_minute in self._objects
        ]

    def rising(self, own_per_minute: float, horizon_s: float) -> list[Expected]:
        """What to expect here of stories that rise there."""
        scale = SPREAD * own_per_minute / self.per_minute if self.per_minute else 0.0
        return [
            Expected(key, per_minute / 60.0 * horizon_s * scale, RISING)
            for key, story, per_minute in self._objects
            if story in self._rising
        ]
