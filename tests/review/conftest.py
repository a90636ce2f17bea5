"""One embedded PostgreSQL for the whole run, a database of its own for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from review import store
from review.database import API, WORKER, Database, migrate
from review.embedded_postgres import EmbeddedPostgres
from tests.review.served import new_submission, owner


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("server") / "postgres") as running:
        yield running


@pytest.fixture
def empty_dsn(server: EmbeddedPostgres) -> str:
    """A database with nothing of ours in it. Emptied rather than made anew: each new one adds a second to the end."""
    with psycopg.connect(server.dsn, autocommit=True) as db:
        db.execute("drop schema if exists dramagate cascade")
    return server.dsn


@pytest.fixture
def dsn(empty_dsn: str) -> str:
    """A migrated database with the tenants "local" and "other"."""
    migrate(empty_dsn)
    with owner(empty_dsn) as db:
        for tenant in ("local", "other"):
            db.execute("insert into tenant (id, name) values (%s, %s)", (tenant, tenant))
    return empty_dsn


@pytest.fixture
def api(dsn: str) -> Iterator[Database]:
    database = Database(dsn, API, most=8)
    database.open()
    yield database
    database.close()


@pytest.fixture
def workers(dsn: str) -> Iterator[Database]:
    database = Database(dsn, WORKER, most=8)
    database.open()
    yield database
    database.close()


@pytest.fixture
def received(api: Database) -> str:
    """Id of a submission nobody has begun."""
    with api.as_tenant("local") as db:
        return str(store.create(db, "local", "test", new_submission())["id"])
