"""What RFC 9111 asks of a shared cache, seen from outside: an origin, an edge, a few requests."""

import asyncio

import pytest

from edge.purges import PurgeKind
from edge.settings import MIB
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


STALE = "Cache-Control: max-age=0, stale-while-revalidate=0"
AUTHORIZED = "Authorization: Basic eDp5"


async def test_what_validates_for_one_user_updates_nothing_for_others() -> None:
    script = Script(
        response(b"body", STALE, 'ETag: "a"', "X: all"),
        response(b"", FRESH, 'ETag: "a"', "X: mine", status="304 Not Modified"),
        response(b"", FRESH, 'ETag: "a"', "X: ours", status="304 Not Modified"),
        response(b"", FRESH + ", public", 'ETag: "a"', "X: public", status="304 Not Modified"),
    )
    async with edge_and_origin(script) as (edge, origin):
        assert (await edge.get("/a")).get("x") == b"all"
        mine = await edge.get("/a", AUTHORIZED)
        assert (mine.body, mine.get("x")) == (b"body", b"mine")
        ours = await edge.get("/a")
        assert (ours.body, ours.get("x")) == (b"body", b"ours")
        again = await edge.get("/a", AUTHORIZED, "Cache-Control: no-cache")
        assert again.get("x") == b"public"
        assert (await edge.get("/a")).get("x") == b"public"
        assert [asked.get("if-none-match") for asked in origin.asked] == [None, *[b'"a"'] * 3]


async def test_what_a_request_forbids_to_store_updates_nothing() -> None:
    script = Script(
        response(b"body", STALE, 'ETag: "a"', "X: 1"),
        response(b"", FRESH, 'ETag: "a"', "X: 2", status="304 Not Modified"),
        response(b"", FRESH, 'ETag: "a"', "X: 3", length=4),
        response(b"", FRESH, 'ETag: "a"', "X: 4", status="304 Not Modified"),
    )
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        unstored = await edge.get("/a", "Cache-Control: no-store")
        assert (unstored.body, unstored.get("x")) == (b"body", b"2")
        head = await edge.get("/a", "Cache-Control: no-store", method="HEAD")
        assert head.get("x") == b"3"
        assert (await edge.get("/a")).get("x") == b"4"
        assert "hit" in (await edge.get("/a")).says
        assert len(origin.asked) == 4


async def test_head_asks_the_origin_and_updates_what_is_stored() -> None:
    script = Script(
        response(b"body", STALE, 'ETag: "a"', "X: 1", "Y: 1"),
        response(b"", FRESH, 'ETag: "a"', "X: 2", length=4),
    )
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        head = await edge.get("/a", method="HEAD")
        assert (head.status, head.get("x"), head.get("y")) == (200, b"2", b"1")
        got = await edge.get("/a")
        assert (got.body, got.get("x"), got.get("y")) == (b"body", b"2", b"1")
        assert "hit" in got.says
        assert [asked.method for asked in origin.asked] == ["GET", "HEAD"]
        assert origin.asked[1].get("if-none-match") is None


async def test_head_that_tells_of_another_makes_what_is_stored_stale() -> None:
    script = Script(
        response(b"old", FRESH, 'ETag: "a"'),
        response(b"", FRESH, 'ETag: "b"', length=3),
        response(b"new", FRESH, 'ETag: "b"'),
    )
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        head = await edge.get("/a", "Cache-Control: no-cache", method="HEAD")
        assert head.get("etag") == b'"b"'
        assert (await edge.get("/a")).body == b"new"
        assert origin.asked[2].get("if-none-match") == b'"a"'


@pytest.mark.parametrize("broken", ["500 Oops", ""])
async def test_head_takes_a_stale_answer_in_place_of_an_error(broken: str) -> None:
    error = response(b"", status=broken, length=0) if broken else b"HTTP/1.1 what\r\n\r\n"
    stale = "Cache-Control: max-age=0, stale-if-error=60"
    async with edge_and_origin(Script(response(b"body", stale), error)) as (edge, origin):
        await edge.get("/a")
        head = await edge.get("/a", method="HEAD")
        assert (head.status, head.get("content-length")) == (200, b"4")
        assert "stale-if-error" in head.says
        assert origin.asked[1].method == "HEAD"


async def test_an_answer_to_post_that_names_its_target_answers_get() -> None:
    found = response(b"found", FRESH, "Content-Location: /search?q=1")
    async with edge_and_origin(Script(response(b"old", FRESH), found)) as (edge, origin):
        await edge.get("/search?q=1")
        posted = await edge.get("/search?q=1", "Content-Length: 0", method="POST")
        assert (posted.status, posted.body) == (200, b"found")
        assert "stored" in posted.says
        got = await edge.get("/search?q=1")
        assert got.body == b"found"
        assert "hit" in got.says
        assert len(origin.asked) == 2


async def test_an_answer_to_post_that_may_not_be_stored_is_passed_on() -> None:
    answers = (
        response(b"found", "Content-Location: /a"),
        response(b"private", FRESH + ", private", "Content-Location: /a"),
        response(b"page", FRESH),
    )
    async with edge_and_origin(Script(*answers)) as (edge, _):
        assert (await edge.get("/a", "Content-Length: 0", method="POST")).body == b"found"
        assert (await edge.get("/a", "Content-Length: 0", method="POST")).body == b"private"
        assert (await edge.get("/a")).body == b"page"
        assert "hit" in (await edge.get("/a")).says


async def test_a_request_may_take_a_stale_answer_in_place_of_an_error() -> None:
    error = response(b"", status="503 Busy")
    kept = response(b"body", "Cache-Control: max-age=0", 'ETag: "a"')
    async with edge_and_origin(Script(kept, error)) as (edge, _):
        await edge.get("/a")
        assert (await edge.get("/a")).status == 503
        got = await edge.get("/a", "Cache-Control: stale-if-error=600")
        assert (got.status, got.body) == (200, b"body")


@pytest.mark.parametrize(
    ("said", "method", "status"),
    [
        ("max-age=0", "GET", 502),
        ("max-age=0, no-cache", "GET", 502),
        ("max-age=0, must-revalidate", "GET", 504),
        ("max-age=0, must-revalidate", "HEAD", 504),
        ("max-age=0, proxy-revalidate", "GET", 504),
        ("s-maxage=0", "GET", 504),
    ],
)
async def test_what_must_be_validated_and_cannot_is_a_504(
    said: str, method: str, status: int
) -> None:
    kept = response(b"body", f"Cache-Control: {said}", 'ETag: "a"')
    async with edge_and_origin(Script(kept, b"HTTP/1.1 what\r\n\r\n")) as (edge, _):
        await edge.get("/a")
        got = await edge.get("/a", "Cache-Control: stale-if-error=600, max-age=0", method=method)
        assert got.status == (200 if said == "max-age=0" else status)
        got = await edge.get("/a", method=method)
        assert got.status == status
        assert "detail=protocol-error" in got.says


async def test_an_error_of_the_origin_s_own_is_passed_on_all_the_same() -> None:
    kept = response(b"body", "Cache-Control: max-age=0, must-revalidate", 'ETag: "a"')
    error = response(b"busy", status="503 Busy")
    async with edge_and_origin(Script(kept, error)) as (edge, _):
        await edge.get("/a")
        got = await edge.get("/a")
        assert (got.status, got.body) == (503, b"busy")


async def test_a_request_may_take_a_stale_answer() -> None:
    kept = response(b"body", "Cache-Control: max-age=0", 'ETag: "a"')
    async with edge_and_origin(Script(kept)) as (edge, origin):
        await edge.get("/a")
        got = await edge.get("/a", "Cache-Control: max-stale=600")
        assert "hit" in got.says
        assert "request-max-stale" in got.says
        assert len(origin.asked) == 1


async def test_every_miss_has_a_named_reason() -> None:
    kept = 'ETag: "a"'

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        match asked.target:
            case b"/stale":
                writer.write(response(b"body", "Cache-Control: max-age=0", kept))
            case b"/varied":
                writer.write(response(b"body", FRESH, "Vary: X"))
            case b"/mine":
                writer.write(response(b"body", "Cache-Control: private"))
            case b"/cookie":
                writer.write(response(b"body", 'Cache-Control: no-cache, private="set-cookie"'))
            case _:
                writer.write(response(b"x" * 300_000, FRESH, kept))

    async with edge_and_origin(script, memory_bytes=1 * MIB) as (edge, _):

        async def why(target: str, *lines: str) -> str:
            says = (await edge.get(target, *lines)).says
            return f"{says.split('fwd=')[1].split(';')[0]} {says.split('detail=')[1]}"

        assert await why("/a") == "uri-miss compulsory"
        assert await why("/a", "If-Match: *") == "bypass precondition"
        assert await why("/a", "Cache-Control: no-cache") == "request request-no-cache"
        assert await why("/a", "Cache-Control: max-age=0") == "request request-max-age"
        edge.purge(PurgeKind.URL, b"/a")
        assert await why("/a") == "uri-miss purged"
        for number in range(4):
            await edge.get(f"/{number}")
        assert await why("/a") == "uri-miss capacity"
        assert await why("/varied", "X: 1") == "uri-miss compulsory"
        assert await why("/varied", "X: 2") == "vary-miss vary"
        assert await why("/stale") == "uri-miss compulsory"
        assert await why("/stale") == "stale ttl"
        assert await why("/mine") == "uri-miss private"
        assert await why("/mine", "Range: bytes=0-1") == "uri-miss uncacheable"
        assert await why("/cookie") == "uri-miss no-cache"


async def test_a_stored_cookie_is_counted_and_the_first_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with edge_and_origin(Script(response(b"body", FRESH, "Set-Cookie: a=1"))) as (edge, _):
        await edge.get("/a?token=secret")
        await edge.get("/b")
        assert (await edge.get("/b")).get("set-cookie") == b"a=1"
        assert edge.worker.counters.cookies == 2
        assert [record.args for record in caplog.records] == [("http://edge.test/a?token=-",)]
