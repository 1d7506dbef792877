"""What makes an edge one of a region's, and what is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from amaro.region_options import REGION_VARIABLE, RegionOptions
from edge.settings import Address, EdgeSettings

TOKEN = "a-region-for-tests"
SETTINGS = EdgeSettings(listen=Address("127.0.0.1", 0), origin="http://o:1")
OURS = "http://10.0.0.1:8090"


def options(**others: object) -> RegionOptions:
    told: dict[str, object] = {
        **dict.fromkeys(("shield", "peer", "advertise", "token_file")),
        "has_log": True,
        "has_redis": False,
    }
    return RegionOptions(**(told | others))


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REGION_VARIABLE, TOKEN)


def test_without_any_there_is_no_region() -> None:
    assert options(has_log=False).onto(SETTINGS) is SETTINGS


def test_one_that_only_asks() -> None:
    settings = options(shield=f" {OURS}/, http://10.0.0.2:8090 ").onto(SETTINGS)
    assert settings.shield == (OURS, "http://10.0.0.2:8090")
    assert (settings.peer, settings.advertise, settings.region_token) == (None, "", TOKEN)


def test_one_that_is_asked_too(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("another-token-of-a-region\n")
    settings = options(shield=OURS, peer="0.0.0.0:8090", advertise=OURS, token_file=file).onto(
        SETTINGS
    )
    assert settings.peer == Address("0.0.0.0", 8090)
    assert (settings.advertise, settings.region_token) == (OURS, "another-token-of-a-region")
    assert EdgeSettings.from_json(settings.to_json()) == settings
    assert "another" not in repr(settings)


@pytest.mark.parametrize("has_redis", [True, False])
def test_one_that_is_asked_is_in_the_list_or_announces_itself(has_redis: bool) -> None:
    address = "10.0.0.9:8090" if has_redis else "10.0.0.1:8090"
    settings = options(shield=OURS, peer=address, has_redis=has_redis).onto(SETTINGS)
    assert str(settings.peer) == address


def test_one_that_announces_itself_needs_no_list() -> None:
    settings = options(peer="127.0.0.1:0", has_redis=True).onto(SETTINGS)
    assert (settings.shield, settings.advertise) == ((), "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shield": OURS, "has_log": False}, "--shield needs --purge-log URL: edges that count"),
        ({"peer": "127.0.0.1:0", "has_log": False}, "--peer needs --purge-log URL"),
        ({"peer": "127.0.0.1:0"}, "--peer needs --shield URL,… with the edges of the region, or"),
        (
            {"shield": OURS, "peer": "10.0.0.9:8090"},
            "--peer 10.0.0.9:8090: no edge would ask this one, because http://10.0.0.9:8090 is not",
        ),
        (
            {"shield": OURS, "peer": "10.0.0.1:8090", "advertise": "http://edge.example:8090"},
            "no edge would ask this one, because http://edge.example:8090 is not in --shield",
        ),
        ({"advertise": OURS}, "--advertise means nothing without --peer or --shield"),
        ({"shield": OURS, "advertise": OURS}, "--advertise means nothing without --peer HOST"),
        ({"shield": "nobody"}, "--shield: 'nobody' is no edge of a region"),
        ({"shield": OURS, "peer": "8090"}, "--peer: '8090' is not HOST:PORT"),
        ({"shield": OURS, "peer": "0.0.0.0:1"}, "needs --advertise http://HOST:PORT"),
        (
            {"shield": OURS, "peer": "127.0.0.1:1", "advertise": "me"},
            "--advertise: 'me' is no edge of a region",
        ),
        ({"shield": OURS, "token_file": Path("/nowhere")}, "--region-token-file /nowhere: No such"),
        ({"token_file": Path("/nowhere")}, "--region-token-file means nothing without --peer or"),
    ],
)
def test_what_makes_no_region(
    given: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_:
        options(**given).onto(SETTINGS)
    assert exit_.value.exit_code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("token", "says"),
    [("", "--shield needs the region's token: set"), ("short", "want at least 16 plain")],
)
def test_a_token_that_is_none(
    token: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REGION_VARIABLE, token)
    with pytest.raises(typer.Exit):
        options(shield=OURS).onto(SETTINGS)
    assert says in capsys.readouterr().err


def test_a_token_file_with_anything_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_bytes(bytes(range(120, 250)))
    with pytest.raises(typer.Exit):
        options(shield=OURS, token_file=file).onto(SETTINGS)
    assert f"--region-token-file {file}: want at least 16 plain" in capsys.readouterr().err
