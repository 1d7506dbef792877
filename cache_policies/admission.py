"""Which responses were asked for before: a count by name that is never too low, in fixed space."""

from typing import Final

ROWS: Final = 4
_HALVED: Final = bytes(value >> 1 for value in range(256))


class AskedBefore:
    """A count-min sketch of recent requests, halved when it has seen as much as it can tell apart.

    It takes 4 bytes a counter, `counters` (a power of two, at most 65 536) of them in each row.
    """

    def __init__(self, counters: int = 65_536) -> None:
        if counters & (counters - 1) or not 0 < counters <= 65_536:
            raise ValueError("counters is a power of two up to 65 536")
        self._mask = counters - 1
        self._rows = [bytearray(counters) for _ in range(ROWS)]
        self._until_halved = self._every = 2 * counters

    def count(self, name: bytes) -> int:
        """Note one more request for `name`; return how many there were lately, this one included.

        Others may share its counters, so it may return more; up to 255.
        """
        number = hash(name)
        places = [(row, (number >> 16 * at) & self._mask) for at, row in enumerate(self._rows)]
        seen = min(row[place] for row, place in places)
        if seen < 255:
            for row, place in places:
                row[place] = max(row[place], seen + 1)  # the others' counts stay as they are
        self._until_halved -= 1
        if not self._until_halved:
            self._rows = [bytearray(row.translate(_HALVED)) for row in self._rows]
            self._until_halved = self._every
        return min(seen + 1, 255)
