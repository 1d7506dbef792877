"""Players of a region: paced, each answer judged by byte, each wait noted."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from tests.rig.meter import Meter, Sample, result_of
from tests.support.soak_judge import Ask, Heard
from tests.support.soak_player import Crowd, Http1Player
from tests.support.soak_world import GROUPS, PATHS

SMALL = "0156"  # last digits of clips of 300 to 70 000 bytes; others have up to 2.6 MB
COLD = tuple(
    f"/clip/{group}/{number}"
    for number in range(100, 8_100)
    for group in GROUPS
    if str(number)[-1] in SMALL or number % 7 == 0
)
LIGHT = tuple(path for path in PATHS if not path.startswith("/film/"))
HOT = tuple(path for path in PATHS if path.startswith(("/clip/", "/tongue/")))
AGAIN = 400  # of the latest cold ones, what is asked for again


@dataclass
class EdgeCrowd(Crowd):
    """The players of one edge."""

    name: str = ""
    meter: Meter = field(default_factory=Meter)
    began_mono: float = 0.0
    asked_for: tuple[str, ...] = ()  # if it is not the usual
    _cold: list[str] = field(default_factory=list)
    _asked: int = 0  # of them

    def __post_init__(self) -> None:
        self._cold = random.Random(f"{self.seed} cold").sample(COLD, len(COLD))  # as everywhere

    def choose(self, draw: random.Random) -> str:
        """Most often something hot; sometimes what nobody had asked for, or only once."""
        if self.asked_for:
            return draw.choice(self.asked_for)
        chance = draw.random()
        if chance < 0.65:
            return draw.choice(HOT)
        if chance < 0.75:
            return draw.choice(LIGHT if draw.random() < 0.95 else PATHS)
        if chance < 0.88:
            self._asked = (self._asked + 1) % len(COLD)
            return self._cold[self._asked]
        return self._cold[draw.randrange(max(0, self._asked - AGAIN), self._asked + 1)]

    def hear(self, ask: Ask, heard: Heard, etags: dict[str, str]) -> None:
        super().hear(ask, heard, etags)
        waited_s = (heard.began_mono or heard.ended_mono) - ask.asked_mono
        failed = heard.status == 0 or heard.status >= 500
        failed = failed and "only-if-cached" not in str(ask.fields)
        failed |= not heard.whole and ask.hurried  # who reads slowly may be cut
        result = result_of(heard.fields.get("cache-status", ""))
        asked_s = ask.asked_mono - self.began_mono
        self.meter.samples.append(Sample(self.name, asked_s, result, waited_s, failed))

    def begin(self) -> None:
        self.began_mono = time.monotonic()


class PacedPlayer(Http1Player):
    """Asks about five times a second."""

    pauses_s = (0.1, 0.15, 0.2, 0.25, 0.3)
    at_once = (1,)
