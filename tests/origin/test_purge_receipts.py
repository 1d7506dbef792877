"""A receipt names everybody: how fast it was, or why not."""

from origin.distribution import Acknowledged, Standing
from origin.provider_calls import Ability
from origin.purge_receipts import PurgeReceipt


def standing(address: str, place: int, *, is_edge: bool = True, reason: str = "") -> Standing:
    heard = Acknowledged(place, 10.004, "push", 2) if address == "http://a" else None
    return Standing(
        address=address,
        is_edge=is_edge,
        name=None,
        region="north",
        place=place,
        acknowledged=heard,
        reason=reason,
    )


def said(*standings: Standing) -> dict[str, object]:
    receipt = PurgeReceipt(
        log="l", number=7, purges=1, began_mono=10.0, ended_mono=12.0, standings=standings
    )
    return receipt.to_mapping()


def test_edges_that_acknowledged_and_those_that_did_not() -> None:
    of_all = said(
        standing("http://a", 7),
        standing("http://told-by-another-process", 8),
        standing("http://refused", 6, reason="connection refused"),
        standing("http://silent", 6),
    )
    assert {key: of_all[key] for key in ("log", "number", "purges", "took_ms")} == {
        "log": "l",
        "number": 7,
        "purges": 1,
        "took_ms": 2000.0,
    }
    assert of_all["acknowledged"] is False
    assert "providers" not in of_all
    a, other, refused, silent = of_all["edges"]
    assert (a["acknowledged"], a["took_ms"], a["by"], a["workers"]) == (True, 4.0, "push", 2)
    assert (other["acknowledged"], other["took_ms"], other["by"]) == (True, 0.0, None)
    assert (refused["error"], refused["place"]) == ("connection refused", 6)
    assert silent["error"] == "no answer within 2.0 s"


def test_providers_are_apart_and_may_be_pending() -> None:
    of_all = said(standing("http://a", 7), standing("cloudflare", 6, is_edge=False))
    assert of_all["acknowledged"] is True
    (row,) = of_all["providers"]
    assert (row["address"], row["acknowledged"], row["error"]) == ("cloudflare", False, "pending")


def test_what_a_provider_does_otherwise_is_told() -> None:
    receipt = PurgeReceipt(
        log="l",
        number=7,
        purges=1,
        began_mono=10.0,
        ended_mono=12.0,
        standings=[
            standing(name, place, is_edge=False) for name, place in {"a": 7, "b": 6}.items()
        ],
        abilities={
            "a": Ability(can=False, note="unsupported: no"),
            "b": Ability(True, "done hard"),
        },
    )
    a, b = receipt.to_mapping()["providers"]
    assert (a["acknowledged"], a["error"]) == (False, "unsupported: no")
    assert (b["acknowledged"], b["error"], b["note"]) == (False, "pending", "done hard")
