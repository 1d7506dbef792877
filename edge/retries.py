"""Retries stay a share of the traffic: what fails under load is not asked twice as often."""


class RetryBudget:
    """A bucket of tokens: each request earns `ratio` of one, each retry spends one."""

    __slots__ = ("_burst", "_ratio", "_tokens")

    def __init__(self, ratio: float, burst: float) -> None:
        self._ratio = ratio
        self._burst = burst
        self._tokens = burst

    def earn(self) -> None:
        """A request is asked upstream for the first time."""
        self._tokens = min(self._burst, self._tokens + self._ratio)

    def spend(self) -> bool:
        """Whether a retry may be made now; it is paid for when it may."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
