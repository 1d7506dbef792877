"""What RFC 9111 asks of a shared cache, seen from outside: an origin, an edge, a few requests."""

import asyncio

import pytest

from tests.support.edges import Asked, Got, edge_and_origin, response, until

FRESH = "Cache-Control: max-age=600"


def names(got: Got) -> set[str]:
    return {name for name, _ in got.fields}


class Script:
    """An origin that answers with one response after another, the last one for ever."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, _: Asked, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


async def test_a_private_field_is_for_whom_it_was_sent_to() -> None:
    mine = ('Cache-Control: max-age=600, private="set-cookie"', "Set-Cookie: a=1", "X: 1")
    script = Script(response(b"body", *mine))
    script.open.clear()
    async with edge_and_origin(script) as (edge, origin):
        waiters = [asyncio.create_task(edge.get("/a")) for _ in range(3)]
        await until(lambda: len(origin.asked) == 1)
        script.open.set()
        got = [await waiter for waiter in waiters]
        assert sorted("set-cookie" in names(each) for each in got) == [False, False, True]
        assert all("x" in names(each) for each in got)
        later = await edge.get("/a")
        assert "hit" in later.says
        assert "set-cookie" not in names(later)
        assert len(origin.asked) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "MKCOL", "LOCK"])
async def test_an_unsafe_method_that_succeeds_invalidates(method: str) -> None:
    script = Script(
        response(b"old", FRESH),
        response(b"no", status="500 Oops"),
        response(b"done", "Location: /a"),
        response(b"new", FRESH),
    )
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        assert (await edge.get("/a", method=method)).status == 500
        assert (await edge.get("/a")).body == b"old"
        assert (await edge.get("/b", method=method)).body == b"done"
        assert (await edge.get("/a")).body == b"new"
        assert [asked.method for asked in origin.asked] == ["GET", method, method, "GET"]
