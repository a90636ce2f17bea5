"""One embedded PostgreSQL for the whole run, a database of its own for each test that asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from review import store
from review.database import API, WORKER, Database, migrate
from review.embedded_postgres import EmbeddedPostgres

_number = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("server") / "postgres") as running:
        yield running


@pytest.fixture
def empty_dsn(server: EmbeddedPostgres) -> str:
    """A database with nothing in it."""
    name = f"test_{next(_number)}"
    with psycopg.connect(server.dsn, autocommit=True) as db:
        db.execute(f"create database {name}".encode())
    return server.dsn.replace("/postgres", f"/{name}")


@pytest.fixture
def dsn(empty_dsn: str) -> str:
    """A migrated database with the tenants "local" and "other"."""
    migrate(empty_dsn)
    with owner(empty_dsn) as db:
        for tenant in ("local", "other"):
            db.execute("insert into tenant (id, name) values (%s, %s)", (tenant, tenant))
    return empty_dsn


def owner(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that sees everything, for looking from outside."""
    return psycopg.connect(dsn, autocommit=True, options="-c search_path=dramagate")


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


def new_submission(sha256: str = "a" * 64) -> store.NewSubmission:
    from datetime import UTC, datetime

    return store.NewSubmission(
        sha256=sha256,
        media_type="video/mp4",
        kind="episode",
        file_name="one.mp4",
        papers=None,
        territories=(),
        rulebooks=(),
        gate="publish",
        planned_publish_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
