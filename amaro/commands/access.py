"""`amaro access`: keys of signed paths, and what a URL's token opens."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from urllib.parse import urlsplit

import typer

from amaro.ring_text import new_ring, new_secret, revoked, rotated
from amaro.stack import write_secret
from amaro.terminal import give_up, out, print_json
from cache_policies.access import Denial, Grant, bucket_end, mint, verify
from cache_policies.access_ring import Ring, RingError, parse_ring
from cache_policies.durations import parse_duration
from cache_policies.key import split_token

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MEANINGS: Final = {
    Denial.MISSING: "there is no token in it",
    Denial.MALFORMED: "it is no token, or two",
    Denial.KEY: "no key of the ring has signed it",
    Denial.FORGED: "its signature is wrong",
    Denial.EXPIRED: "its time is over",
    Denial.REVOKED: "it was revoked",
    Denial.PATH: "an origin might read the path as another one",
    Denial.PREFIX: "it opens something else",
    Denial.REGION: "it is for another region",
    Denial.CLIENT: "it is for other clients",
}

app = typer.Typer(help="Keys of signed paths, and what a token opens.", no_args_is_help=True)

KeysArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The ring of keys.", show_default=False)
]
PrefixArgument = Annotated[
    str, typer.Argument(metavar="PREFIX", help="As /v/ASSET/.", show_default=False)
]


@app.command("new")
def new(file: KeysArgument) -> None:
    """Make a ring with one key, for its owner's eyes only.

    Example: amaro access new keys
    """
    if file.exists():
        give_up(f"{file} is there already; amaro access rotate {file} adds a key")
    _write(file, new_ring(new_secret()))
    out.print(f"{file} has key k1", soft_wrap=True)


@app.command()
def rotate(
    file: KeysArgument,
    after: Annotated[
        str, typer.Option("--in", metavar="DURATION", help="When the new key begins to sign.")
    ] = "1m",
) -> None:
    """Add a key; it opens at once, and signs when every edge has had time to read the file.

    Example: amaro access rotate keys --in 5m
    """
    after_s = _read("--in", parse_duration, after)
    ring = _change(file, lambda text: rotated(text, new_secret(), time.time() + after_s))
    key = [*ring.keys.values()][-1]
    out.print(f"key {key.id.decode()} signs from {_instant(key.from_wall)} on", soft_wrap=True)
    out.print("remove the old one's line when its last token has expired", soft_wrap=True)


@app.command()
def revoke(file: KeysArgument, prefix: PrefixArgument) -> None:
    """End every token for a prefix that was signed until now; those minted later open.

    Example: amaro access revoke keys /v/abcdefghijklmnop/
    """
    ring = _change(file, lambda text: revoked(text, prefix))
    out.print(f"{prefix} is revoked under {ring.revoked[prefix.encode()]}", soft_wrap=True)


@app.command("mint")
def mint_(
    file: KeysArgument,
    prefix: PrefixArgument,
    region: Annotated[str, typer.Option(metavar="NAME", help="Only at its edges.")] = "",
    network: Annotated[str, typer.Option(metavar="CIDR", help="Only for its clients.")] = "",
    lasts: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Default: until the next hour is over."),
    ] = None,
) -> None:
    """Print the path of a prefix with the token that opens it.

    Example: amaro access mint keys /v/abcdefghijklmnop/ --for 10m
    """
    ring = _ring(_text(file))
    now_wall = time.time()
    until = bucket_end(now_wall)
    if lasts is not None:
        until = int(now_wall + _read("--for", parse_duration, lasts))
    try:
        grant = Grant(prefix.encode(), until, region.encode(), network.encode())
        token = mint(ring, grant, now_wall).decode()
    except ValueError as error:
        give_up(f"{error}", status=2)
    typer.echo(f"/~{token}{prefix}")


@app.command()
def check(
    file: KeysArgument,
    url: Annotated[str, typer.Argument(metavar="URL", help="Or a path.", show_default=False)],
    region: Annotated[str, typer.Option(metavar="NAME", help="The edge's.")] = "",
    client: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The player's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what the token in a URL opens, or why it opens nothing: exit status 1.

    Example: amaro access check keys https://edge.example/~TOKEN/v/abcdefghijklmnop/main.m3u8
    """
    token, target = split_token(urlsplit(url).path.encode())
    found = verify(_ring(_text(file)), token, time.time()) if token else Denial.MISSING
    denial = found if isinstance(found, Denial) else found.denial(target, region.encode())
    if denial is None and client is not None and isinstance(found, Grant):
        denial = None if found.is_for(client.encode()) else Denial.CLIENT
    said: dict[str, object] = {"opens": denial is None, "why": denial and denial.value}
    if isinstance(found, Grant):
        said |= {
            "prefix": found.prefix.decode(),
            "expires": found.expires_wall,
            "region": found.region.decode() or None,
            "network": found.network.decode() or None,
        }
    if as_json:
        print_json(said)
    elif denial is None and isinstance(found, Grant):
        until = _instant(found.expires_wall)
        out.print(f"it opens {said['prefix']} until {until}", soft_wrap=True)
    elif denial is not None:
        out.print(f"{denial.value}: {MEANINGS[denial]}", soft_wrap=True)
    if denial is not None:
        raise typer.Exit(1)


def _change(file: Path, change: Callable[[str], str]) -> Ring:
    """Replace the file as a whole, so that who looks at it sees the old text or the new one."""
    try:
        text = change(_text(file))
    except RingError as error:
        give_up(f"{file}: {error}", status=2)
    _write(file, text)
    return _ring(text)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        give_up(f"Cannot read {file}: {error.strerror}", status=2)


def _ring(text: str) -> Ring:
    try:
        return parse_ring(text)
    except RingError as error:
        give_up(str(error), status=2)


def _write(file: Path, text: str) -> None:
    try:
        write_secret(file, text.encode())
    except OSError as error:
        give_up(f"Cannot write {file}: {error.strerror}")


def _instant(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _read(option: str, parse: Callable[[object], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        give_up(f"{option}: {error}", status=2)
