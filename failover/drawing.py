"""The states of a target as a diagram, drawn from the table that decides."""

from __future__ import annotations

from typing import Final

from failover.quorum import Verdict
from failover.target_state import TRANSITIONS, Clock, State

MEANINGS: Final = {
    State.UP: "carries traffic",
    State.SUSPECT: "keeps what it carries",
    State.DOWN: "carries none",
    State.HELD: "works, not used yet",
}
SAID: Final = {
    Verdict.UP: "enough say up",
    Verdict.DOWN: "enough say down",
    Verdict.UNKNOWN: "too few agree",
}
WAITS: Final = {  # for what a state's clock runs
    State.UP: "falls are forgotten",
    State.SUSPECT: "for the dwell",
    State.HELD: "for the hold-off",
}


def mermaid() -> str:
    """Return the diagram in Mermaid's language, one line for each way from state to state."""
    lines = ["stateDiagram-v2", "    [*] --> up"]
    lines += [f"    {state.value}: {state.value} ({MEANINGS[state]})" for state in State]
    for (state, verdict), (clock, meanwhile, then) in TRANSITIONS.items():
        if then is not state:
            how = SAID[verdict]
            if then is not meanwhile and clock is Clock.RUNS:
                how += f" {WAITS[state]}"
            lines.append(f"    {state.value} --> {then.value}: {how}")
    return "\n".join(lines) + "\n"


def table() -> str:
    """Return the whole table in Markdown: what each verdict makes of each state, and its clock."""
    lines = [
        "| state | " + " | ".join(SAID[verdict] for verdict in Verdict) + " |",
        "|---" * (len(Verdict) + 1) + "|",
    ]
    for state in State:
        cells = [state.value]
        for verdict in Verdict:
            clock, meanwhile, then = TRANSITIONS[state, verdict]
            waits = f", then {then.value}" if then is not meanwhile else ""
            cells.append(f"{meanwhile.value}{waits}; clock {clock.value}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return docs/failover-states.md, the whole of it."""
    return (
        "# The states of a target\n\n"
        "Drawn from `TRANSITIONS` in `failover/target_state.py` by `failover/drawing.py`; a test\n"
        "holds this page to it. Verdicts come from a quorum of vantages. A state's clock counts\n"
        "the seconds for which the target was seen to be good: in `held` until the hold-off is\n"
        "over, in `suspect` until the dwell is, in `up` until falls are forgotten.\n\n"
        f"```mermaid\n{mermaid()}```\n\n{table()}"
    )
