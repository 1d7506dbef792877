"""What is told stays in the memory until it has arrived, and no longer."""

from collections.abc import Callable
from dataclasses import replace

from failover.audit_file import AuditFile
from failover.events import Event, Happening
from failover.memory import Memory
from failover.messages import Message
from failover.notifying import Notifier
from failover.telling import Teller


class Slow(Notifier):
    """Channels that have a message when the test says so."""

    def __init__(self) -> None:
        super().__init__({})
        self.sending: list[Callable[[], object]] = []

    def tell(self, message: Message, done: Callable[[], object] | None = None) -> None:
        del message
        assert done is not None
        self.sending.append(done)


def event(number: int, happening: Happening = Happening.MOVED) -> Event:
    return Event(happening=happening, text=f"event {number}", name=f"1.{number}")


def test_an_event_is_kept_until_people_have_it(tmp_path):
    audit, notifier = AuditFile(tmp_path / "log"), Slow()
    teller = Teller(audit, notifier)
    events = (event(1), event(2), event(3, Happening.CLEARED))
    memory = Memory(untold=events)
    for each in events:
        teller.tell(each)
    memory = teller.less_told(memory)
    assert memory.untold == events[:2]  # of the third nobody is woken
    assert teller.less_told(memory) is memory
    notifier.sending[0]()
    memory = teller.less_told(memory)
    assert memory.untold == events[1:2]
    notifier.sending[1]()
    assert teller.less_told(memory).untold == ()


def test_what_is_on_its_way_is_not_told_twice_by_the_same_process(tmp_path):
    audit, notifier = AuditFile(tmp_path / "log"), Slow()
    for teller, told in ((Teller(audit, notifier), 1), (Teller(audit, notifier), 2)):
        for _ in range(2):
            teller.tell(event(1))
        assert len(notifier.sending) == told
    assert [each["event"] for each in audit.last(9)] == ["1.1", "1.1"]


def test_another_event_of_a_name_is_told(tmp_path):
    """What had the first was not kept: whoever leads again counts from before it."""
    audit, notifier = AuditFile(tmp_path / "log"), Slow()
    teller = Teller(audit, notifier)
    teller.tell(event(1))
    other = replace(event(1), text="another event 1")
    teller.tell(other)
    assert [each["text"] for each in audit.last(9)] == ["event 1", "another event 1"]
    notifier.sending[0]()
    assert teller.less_told(Memory(untold=(other,))).untold == (other,)


async def test_a_message_has_ended_when_each_channel_is_through_with_it():
    ended: list[str] = []
    silent = Notifier({})
    silent.tell(Message(title="a", body="b"), lambda: ended.append("no channel"))
    two = Notifier({"one": "json://127.0.0.1:1/", "two": "json://127.0.0.1:1/"})
    for number in range(101):  # the first is given up, in both queues
        two.tell(Message(title="a", body="b"), lambda number=number: ended.append(str(number)))
    assert ended == ["no channel", "0"]
