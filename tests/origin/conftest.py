"""Databases that the origin's tests share: each runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from origin.database import open_engine, sqlite_url
from tests.support.postgres import postgres


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        engine = open_engine(sqlite_url(folder / "catalog.sqlite"))
        yield engine
        engine.dispose()
        return
    with postgres() as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()
