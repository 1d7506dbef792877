"""What turns a vantage's vote down is heard at once: the member answers, the controller steps."""

import asyncio

import httpx
import pytest

from failover.api import Api
from failover.audit_file import AuditFile
from failover.evidence import Outcome, Report, Round
from failover.member import Member
from failover.model import Dependency, Vantage
from failover.peers import Peer, poll
from failover.wire import report_in, report_out
from tests.loopback.test_failover_orders import member_in

EVER_S = 1e9
FAILED = Round("media", "a", 1, Outcome.FAIL, "status 503, not 200", 12.0)
PEER = Vantage(name="m2", region="north", url="http://m2", needs=Dependency(provider="own"))


@pytest.fixture
def member(tmp_path) -> Member:
    return member_in(tmp_path / "m1", f"sqlite:///{tmp_path / 'lease.sqlite'}")


async def test_who_waits_is_answered_when_a_vote_turns(member):
    member._journal.add([FAILED])
    known = member.report(0, "boot").number
    waiting = asyncio.create_task(member.urgency(known, "boot", EVER_S))
    stepping = asyncio.create_task(member.controller._pause(EVER_S))
    await asyncio.sleep(0)
    member._journal.add([FAILED._replace(number=2)])
    await asyncio.sleep(0)
    assert not waiting.done()
    member._journal.add([FAILED._replace(number=3)], is_urgent=True)
    async with asyncio.timeout(30):
        await waiting
        await stepping
        await member.urgency(known, "boot", EVER_S)  # it has not been heard yet
        await member.urgency(known, "another start", EVER_S)
        await member.urgency(known + 2, "boot", 0.01)  # nothing is urgent until then
    report = member.report(known, "boot")
    assert report.is_urgent
    assert report_in(report_out(report), "m1").is_urgent
    assert [each.number for each in report.rounds] == [2, 3]


@pytest.mark.parametrize(
    ("wait", "status"),
    [("0", 200), ("0.01", 200), ("6", 400), ("-1", 400), ("nan", 400), ("x", 400)],
)
async def test_nobody_waits_for_ever(member, tmp_path, wait, status):
    app = Api(member, AuditFile(tmp_path / "audit.jsonl"), "token").app()
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://m1", headers=headers
    ) as client:
        answer = await client.get("/report", params={"after": 0, "boot": "boot", "wait": wait})
    assert answer.status_code == status


async def test_what_is_urgent_is_asked_on_from_and_the_rest_is_not_hurried(member):
    """A member that waits for nobody is asked no more often than one that does."""
    heard: list[Report] = []
    asked: list[str] = []
    enough = asyncio.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["wait"])
        number = len(asked)
        report = Report(
            vantage="m2", boot="b", number=number, controls_ok=True, is_urgent=number < 3
        )
        if number == 4:
            enough.set()
        return httpx.Response(200, content=report_out(report), headers={"Amaro-Decision": "0,0,"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        polling = asyncio.create_task(
            poll(Peer(PEER, client), lambda: 1, heard.append, every_s=0.25)
        )
        async with asyncio.timeout(30):
            await enough.wait()
        polling.cancel()
    assert [each.is_urgent for each in heard[:3]] == [True, True, False]
    assert set(asked) == {"0.25"}
