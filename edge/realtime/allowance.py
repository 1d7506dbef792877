"""How much somebody may say: so much a second, and a little more at once."""


class Allowance:
    """A token bucket, full at first."""

    __slots__ = ("_at_mono", "_left")

    def __init__(self, burst: float, now_mono: float) -> None:
        self._left, self._at_mono = burst, now_mono

    def take(self, *, per_s: float, burst: float, now_mono: float) -> bool:
        """Take one, if there is one."""
        gained = (now_mono - self._at_mono) * per_s
        self._left, self._at_mono = min(burst, self._left + gained), now_mono
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
