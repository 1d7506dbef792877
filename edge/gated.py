"""A player's connection, as far as limits decide what is answered on it."""

from time import monotonic

from edge.answering import Answering
from edge.entry import Entry
from edge.gates import Gate, ProxyGate, Refusal
from edge.heads import Facts
from edge.limiting import admit
from edge.ticket import Ticket


class Gated(Answering):
    """One connection. Where nothing is limited there is no gate."""

    gate: Gate | ProxyGate | None = None
    hit_gate: Gate | ProxyGate | None = None  # the same, if plain hits are limited, too
    is_counted = False  # the request that is being read, by its rates

    def take_gate(self) -> None:
        """Ask at the gate of the limits in force from now on."""
        gates = self.shared.gates
        self.gate = self.hit_gate = None
        if gates is not None:
            self.gate = gates.at(self.address)
            self.hit_gate = self.gate if gates.counts_hits else None

    def ask_gate(
        self, gate: Gate | ProxyGate, target: bytes, facts: Facts, entry: Entry
    ) -> bool | None:
        """Whether a plain hit was answered by a refusal; None when it passes.

        False when another way has to answer it, because its body has to be paced.
        """
        if self.is_counted:
            return False
        said = gate.hit(facts, target, entry, monotonic())
        if said is True:
            return None
        if said is False:
            self.is_counted = True
            return False
        self.refuse_for_now(said, target, facts)
        return True

    def is_held_up(self, target: bytes, facts: Facts) -> bool | None:
        """The same for a request that could follow a fill: False when it has to hold something."""
        gate = None if self.gate is None else self.gate.of(facts)
        if gate is None:
            return None
        if not self.is_counted:
            refusal = gate.step(facts, target, monotonic())
            if refusal is not None:
                self.refuse_for_now(refusal, target, facts)
                return True
            self.is_counted = True
        return False if gate.holds(facts, target) else None

    def admit(self, target: bytes, facts: Facts) -> Refusal | Ticket | None:
        """What a request that the app answers is told, or holds; None for neither."""
        counted, self.is_counted = self.is_counted, False
        gate = None if self.gate is None else self.gate.of(facts)
        return None if gate is None else admit(gate, facts, target, counted=counted)

    def refuse_for_now(self, refusal: Refusal, target: bytes, facts: Facts) -> None:
        """Say that a plain request was too much; the connection goes on."""
        self._quiet_since = monotonic()
        self.transport.write(refusal.answer(head_only=facts.method == b"HEAD"))
        self.shared.accounts.limited(self.address, target, facts, refusal)
