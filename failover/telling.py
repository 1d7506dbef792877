"""What happened is written down and told to people: at least once, whoever is killed meanwhile.

A controller keeps what it has to tell with its memory, before it acts; it leaves there what has
reached the audit log and all channels. Whoever comes next tells what is left.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from failover.audit_file import AuditFile
from failover.drilling import Drill
from failover.events import WAKES, Event
from failover.memory import Memory
from failover.messages import Message, message, of_event
from failover.notifying import Notifier

log = logging.getLogger("failover.controller")


class Teller:
    """One member's voice."""

    def __init__(self, audit: AuditFile, notifier: Notifier) -> None:
        self._audit, self._notifier = audit, notifier
        self._begun: set[Event] = set()  # some are still on their way to people
        self._told: set[Event] = set()

    def tell(self, event: Event) -> None:
        """Write an event down and tell people of it; nothing if this process has begun that."""
        if event in self._begun:  # another of this name, if what had that one was not kept
            return
        self._begun.add(event)
        self._audit.record(event.as_json())
        log.info("%s", event.text)
        told = partial(self._told.add, event)
        if event.happening in WAKES:
            self._notifier.tell(of_event(event), told)
        else:
            told()

    def less_told(self, memory: Memory) -> Memory:
        """Return a memory without what is told; itself if there is nothing of that in it."""
        left = tuple(each for each in memory.untold if each not in self._told)
        if len(left) == len(memory.untold):
            return memory
        self._begun &= set(left)
        self._told.clear()  # not a new one: what is on its way to people comes here, too
        return replace(memory, untold=left)

    def note(self, what: str, text: str, **more: str) -> None:
        """Write down what is nobody's business to be woken for."""
        self._audit.record({"happening": what, "text": text, "who": "amaro", **more})

    def warn(self, message: Message) -> None:
        """Tell people of what is no event of deciding."""
        self._notifier.tell(message)

    def tell_of_drill(self, drill: Drill, said: str, who: str, *, must_write: bool = False) -> None:
        """Write down what becomes of a drill, and tell people. Raises AuditError if it `must`."""
        text = f"DRILL {drill.service}/{drill.target}: {said}"
        entry = {"happening": "drill", "text": text, "service": drill.service, "who": who}
        write = self._audit.append if must_write else self._audit.record
        write(entry | {"target": drill.target, "runbook": "drill"})
        self.warn(message(text, runbook="drill", is_urgent=False))
