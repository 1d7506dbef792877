"""CMCD as the load's viewers send it (CTA-5004 §3.2)."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from locustfiles.cmcd import cmcd_query


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "CMCD="),
        ({"br": 500, "bl": 0}, "CMCD=bl=0,br=500"),
        ({"sid": "a b", "ot": "v"}, 'CMCD=ot=v,sid="a b"'),
        ({"cid": 'say "hi" \\'}, 'CMCD=cid="say \\"hi\\" \\\\"'),
        ({"bs": True, "su": False, "d": None}, "CMCD=bs"),
    ],
)
def test_query(values, said):
    query = cmcd_query(values)
    assert unquote(query) == said
    assert not set(query.removeprefix("CMCD=")) & set('",= &?')
