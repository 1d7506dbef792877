"""A stall is how late a timer comes; the longest is told once."""

import pytest

from edge.loop_watch import EVERY_S, LoopWatch


class Loop:
    """A loop whose time stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, object]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, look, *args) -> "Loop":
        self.timers.append((when, look))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def run(self, late_s: float) -> None:
        """Let the one timer come, that much after its time."""
        ((due, look),) = self.timers
        self.timers.clear()
        self.now = due + late_s
        look(self)


def test_lateness_is_counted_and_the_longest_told_once() -> None:
    loop, watch = Loop(), LoopWatch()
    watch.start(loop)
    for late_s in (0.0, 0.0005, 0.03, 0.004):
        loop.run(late_s)
    assert watch.longest_s() == pytest.approx(0.03)
    assert watch.longest_s() == 0.0
    loop.run(0.25)
    assert watch.longest_s() == pytest.approx(0.25)
    said = dict(watch.lateness.said("late"))
    assert [said[f"late {bound}"] for bound in ("0.001", "0.005", "0.05")] == [2, 1, 1]
    assert loop.timers[0][0] == pytest.approx(loop.now + EVERY_S)
    watch.stop()
    assert not loop.timers


def test_what_others_did_to_the_core_is_told_apart() -> None:
    watch = LoopWatch()
    watch.see(0.5, 0.02)  # half a second late, most of it without a core
    watch.see(0.004, 0.03)
    assert watch.longest_s() == 0.5
    assert watch.busiest_s() == 0.02
    assert watch.busiest_s() == 0.0
