"""Which policy would do best: shadows take the same requests, and their hits are compared."""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Final

from cache_policies.shadow import POLICIES, Shadow, is_sampled

SAMPLE_MAX: Final = 4096  # names in one shadow; with more, half of them are no longer looked at
SAMPLE_MIN: Final = SAMPLE_MAX // 8  # with fewer, twice as many are
_MOVED_PER_STEP: Final = 256  # names of each shadow, when it goes on with another sample
_CERTAINTY: Final = 4.0  # standard deviations by which a lead must stand out of chance
_LEAD_MIN: Final = 0.003  # of all requests, or bytes: smaller gains are not worth a switch
_HALF_LIFE_S: Final = 1200.0  # after which what was seen counts half


class Objective(StrEnum):
    """What a tier is to be good at."""

    BYTES = "bytes"  # share of bytes that upstreams need not send
    OBJECTS = "objects"  # share of requests that upstreams need not answer


@dataclass(slots=True)
class Score:
    """One policy's account, fading with time. `lead` and `doubt` are against the running one."""

    hits: float = 0.0
    hit_bytes: float = 0.0
    lead: float = 0.0
    doubt: float = 0.0  # variance of the lead: each decisive request adds its square


class Contest:
    """Takes a stream of requests, samples it, and knows who leads."""

    def __init__(self, budget_bytes: int, objective: Objective, running: str) -> None:
        self.running = running
        self.halvings = 0
        self.scores = {name: Score() for name in POLICIES}
        self.requests = 0.0
        self.request_bytes = 0.0
        self._budget_bytes = budget_bytes
        self._objective = objective
        self._shadows = {name: Shadow(name, budget_bytes) for name in POLICIES}
        self._faded_mono = 0.0
        self._is_rescaling = False  # shadows take no requests meanwhile

    def samples(self, name_hash: int) -> bool:
        """Whether requests for this name are wanted."""
        return is_sampled(name_hash, self.halvings) and not self._is_rescaling

    def take(self, name_hash: int, size_bytes: int, times: int = 1) -> None:
        """Take `times` requests for one sampled name, with none for another in between."""
        value = size_bytes if self._objective is Objective.BYTES else 1
        self.requests += times
        self.request_bytes += times * size_bytes
        found = {
            name: shadow.ask(name_hash, size_bytes, times) for name, shadow in self._shadows.items()
        }
        here = found[self.running]
        for name, hit in found.items():
            score = self.scores[name]
            score.hits += times - 1 + hit
            score.hit_bytes += (times - 1 + hit) * size_bytes
            if hit is not here:
                score.lead += value if hit else -value
                score.doubt += value * value

    def leader(self) -> str:
        """The policy that should run now: the running one unless another's lead is beyond doubt."""
        total = self.request_bytes if self._objective is Objective.BYTES else self.requests
        best = max(self.scores, key=lambda name: self.scores[name].lead)
        score = self.scores[best]
        needed = max(_LEAD_MIN * total, _CERTAINTY * sqrt(score.doubt))
        return best if score.lead > needed else self.running

    def run(self, name: str) -> None:
        """From now on leads are against `name`."""
        self.running = name
        for score in self.scores.values():
            score.lead = score.doubt = 0.0

    def fade(self, now_mono: float) -> None:
        """Let what was seen fade, and adapt the sample; call it each second."""
        keep = 0.5 ** ((now_mono - self._faded_mono) / _HALF_LIFE_S) if self._faded_mono else 1.0
        self._faded_mono = now_mono
        self.requests *= keep
        self.request_bytes *= keep
        for score in self.scores.values():
            score.hits *= keep
            score.hit_bytes *= keep
            score.lead *= keep
            score.doubt *= keep * keep
        if self._is_rescaling:
            return
        most = max(map(len, self._shadows.values()))
        if most > SAMPLE_MAX:
            self._rescale(self.halvings + 1)
        elif most < SAMPLE_MIN and self.halvings:
            self._rescale(self.halvings - 1)

    def _rescale(self, halvings: int) -> None:
        self.halvings = halvings
        self._is_rescaling = True
        for shadow in self._shadows.values():
            shadow.rescale(self._budget_bytes >> halvings, halvings)

    def step(self) -> None:
        """Do a bounded piece of the work of another sample."""
        if self._is_rescaling:
            moved = [shadow.move(_MOVED_PER_STEP) for shadow in self._shadows.values()]
            self._is_rescaling = not all(moved)
