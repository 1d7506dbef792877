"""What an operator is told of a purge: who has carried it out, how fast, and who has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from origin.distribution import Standing
from origin.provider_calls import Ability


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReceipt:
    """How everybody stands to one order."""

    log: str
    number: int  # of its last purge
    purges: int
    began_mono: float
    ended_mono: float
    standings: Sequence[Standing]
    abilities: Mapping[str, Ability] = field(default_factory=dict)  # of providers, by address

    def to_mapping(self) -> dict[str, object]:
        """Return the receipt as it is answered."""
        edges = [self._row(each) for each in self.standings if each.is_edge]
        others = [self._row(each) for each in self.standings if not each.is_edge]
        said: dict[str, object] = {
            "log": self.log,
            "number": self.number,
            "purges": self.purges,
            "acknowledged": all(row["acknowledged"] for row in edges),
            "took_ms": _ms(self.ended_mono - self.began_mono),
            "edges": edges,
        }
        return said | {"providers": others} if others else said

    def _row(self, standing: Standing) -> dict[str, object]:
        who: dict[str, object] = {
            "address": standing.address,
            "name": standing.name,
            "region": standing.region,
            "place": standing.place,
        }
        ability = self.abilities.get(standing.address)
        if ability is not None and not ability.can:
            return who | {"acknowledged": False, "error": ability.note}
        if ability is not None and ability.note:
            who["note"] = ability.note
        if standing.place < self.number:
            waited_s = self.ended_mono - self.began_mono
            why = standing.reason or (
                f"no answer within {waited_s:.1f} s" if standing.is_edge else "pending"
            )
            return who | {"acknowledged": False, "error": why}
        heard = standing.acknowledged  # None when another process was told
        at_mono = self.began_mono if heard is None else max(heard.at_mono, self.began_mono)
        return who | {
            "acknowledged": True,
            "took_ms": _ms(at_mono - self.began_mono),
            "by": None if heard is None else heard.way,
            "workers": None if heard is None else heard.workers,
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 3)
