"""The stored responses of a resource, as an index has them under one key."""

from dataclasses import dataclass, field

from edge.entry import Entry


@dataclass(slots=True)
class Variants:
    """Those of a resource whose responses vary."""

    vary: tuple[bytes, ...]
    entries: dict[bytes, Entry] = field(default_factory=dict)


def entries_of(found: Entry | Variants | None) -> list[Entry]:
    """All of them, the oldest first."""
    if found is None:
        return []
    return [found] if isinstance(found, Entry) else list(found.entries.values())
