"""Connections to PostgreSQL 15-18, each seeing one tenant's rows; and the migrations that shape it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from provenance.failure import ConfigError, Unavailable

Connection = psycopg.Connection[DictRow]
SCHEMA = "dramagate"
API, WORKER = "dramagate_api", "dramagate_worker"
MIGRATION_LOCK = 0x6472616D61
"""Any constant does; this one spells "drama". Two processes never migrate at the same time."""
NAMED = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
BORROW_TIMEOUT_S = 10.0
"""Longer than the embedded server takes to come back after a crash, shorter than a client's patience."""


class Database:
    """A pool of connections in one of the two roles. Cheap to make; connects when first used."""

    def __init__(self, dsn: str, role: str, *, most: int = 8) -> None:
        self.dsn = dsn
        self._role = role
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=most,
            open=False,
            timeout=BORROW_TIMEOUT_S,
            reconnect_timeout=BORROW_TIMEOUT_S,
            configure=self._configure,
            check=ConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, "connect_timeout": 5},
        )

    def open(self) -> None:
        """Start connecting. Not before a fork: connections are not shared between processes."""
        self._pool.open()

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    @contextmanager
    def as_tenant(self, tenant: str) -> Iterator[Connection]:
        """One transaction that sees and makes rows of `tenant` only. Raises Unavailable without a database."""
        with self._borrow() as connection:
            connection.execute("select set_config('app.tenant', %s, true)", (tenant,))
            yield connection

    @contextmanager
    def across_tenants(self) -> Iterator[Connection]:
        """One transaction on what the role may see of every tenant: keys by digest; jobs, as a worker."""
        with self._borrow() as connection:
            yield connection

    @contextmanager
    def _borrow(self) -> Iterator[Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, PoolTimeout, psycopg.InterfaceError) as lost:
            raise Unavailable(f"the database does not answer: {_sentence(lost)}") from lost

    def _configure(self, connection: Connection) -> None:
        connection.execute(f"set role {self._role}")
        connection.execute(f"set search_path to {SCHEMA}")
        connection.commit()


def listener(dsn: str) -> Connection:
    """A connection of its own for LISTEN, committing every statement. Raises psycopg.OperationalError."""
    return psycopg.connect(dsn, autocommit=True, row_factory=dict_row, connect_timeout=5)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of SQL."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the file's text, which may never change once it has been applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations of this version, in order. Raises ConfigError where their numbers have a gap."""
    found = sorted((f for f in files("review.migrations").iterdir() if NAMED.fullmatch(f.name)), key=lambda f: f.name)
    migrations = [Migration(f.name, f.read_text("utf-8")) for f in found]
    for number, migration in enumerate(migrations, start=1):
        if int(migration.name[:4]) != number:
            raise ConfigError(
                f"migration {number:04} is missing: {migration.name} comes in its place; reinstall dramagate"
            )
    return migrations


def migrate(dsn: str, migrations: list[Migration] | None = None) -> list[str]:
    """Brings the database to this version's shape; the names of what was applied now.

    Each file is applied whole or not at all. Raises ConfigError where the database is not one of ours, is newer,
    or has an applied file that has changed since; Unavailable where it does not answer.
    """
    migrations = shipped() if migrations is None else migrations
    try:
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row, connect_timeout=10) as connection:
            return _migrate(connection, migrations)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidAuthorizationSpecification) as refused:
        raise ConfigError(
            f"DRAMAGATE_DATABASE_URL: the database refuses: {_sentence(refused)}; "
            f"use a role that owns the database and may create roles (alter role ... createrole)"
        ) from refused
    except psycopg.OperationalError as lost:
        raise Unavailable(f"the database does not answer: {_sentence(lost)}") from lost


def _migrate(connection: Connection, migrations: list[Migration]) -> list[str]:
    version = connection.info.server_version
    if version < 150000:
        raise ConfigError(f"the database is PostgreSQL {version // 10000}; dramagate needs 15 to 18")
    connection.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(f"set search_path to {SCHEMA}")
    connection.execute(
        "create table if not exists migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    applied = {row["name"]: row["sha256"] for row in connection.execute("select name, sha256 from migration")}
    _refuse_strangers(applied, {m.name: m.sha256 for m in migrations})
    new = [m for m in migrations if m.name not in applied]
    for migration in new:
        with connection.transaction():
            connection.execute(migration.sql.encode())
            connection.execute(
                "insert into migration (name, sha256) values (%s, %s)", (migration.name, migration.sha256)
            )
    return [m.name for m in new]


def _refuse_strangers(applied: Mapping[str, str], known: Mapping[str, str]) -> None:
    for name, sha256 in sorted(applied.items()):
        if name not in known:
            raise ConfigError(
                f"the database was migrated by a newer dramagate ({name} is unknown here): start that version, "
                f"or restore a backup from before"
            )
        if known[name] != sha256:
            raise ConfigError(
                f"migration {name} has changed since it was applied: put the released file back; "
                f"a change of the database is a new file"
            )


def _sentence(error: Exception) -> str:
    """The first line of a driver's message, which never holds the password."""
    lines: list[Any] = str(error).strip().splitlines()
    return str(lines[0]) if lines else type(error).__name__
