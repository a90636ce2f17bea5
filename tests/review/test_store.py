from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from provenance.failure import ConfigError
from review import store
from review.database import Database, Migration, migrate, shipped
from tests.review.served import new_submission, owner

pytestmark = pytest.mark.database


def decision(outcome: str, released: str | None = None) -> dict[str, Any]:
    return {"schema": "dramagate/check@1", "outcome": outcome, "duration_us": 1, "released_sha256": released}


def states(api: Database, submission: str) -> list[str]:
    with api.as_tenant("local") as db:
        return [e["data"]["state"] for e in store.events_after(db, submission, 0) if e["kind"] == "state"]


def go(api: Database, submission: str, *way: str) -> None:
    for state in way:
        with api.as_tenant("local") as db:
            store.enter(db, "local", submission, state)


# Migrations.


def test_migrations_are_applied_once_by_however_many_start_at_once(empty_dsn: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(lambda _: migrate(empty_dsn), range(6)))
    assert sorted(applied, key=len)[:5] == [[]] * 5
    assert max(applied, key=len) == [m.name for m in shipped()]


def test_a_file_that_changed_after_it_was_applied_is_refused(empty_dsn: str) -> None:
    migrate(empty_dsn, [Migration("0001_begin.sql", "create table a (n int)")])
    with pytest.raises(ConfigError, match=r"migration 0001_begin.sql has changed since it was applied"):
        migrate(empty_dsn, [Migration("0001_begin.sql", "create table b (n int)")])


def test_a_database_of_a_newer_version_is_refused(empty_dsn: str) -> None:
    one, two = Migration("0001_a.sql", "select 1"), Migration("0002_b.sql", "select 2")
    assert migrate(empty_dsn, [one, two]) == ["0001_a.sql", "0002_b.sql"]
    with pytest.raises(ConfigError, match=r"migrated by a newer dramagate \(0002_b.sql is unknown here\)"):
        migrate(empty_dsn, [one])
    assert migrate(empty_dsn, [one, two]) == []


def test_a_migration_that_fails_halfway_leaves_nothing(empty_dsn: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(empty_dsn, [Migration("0001_a.sql", "create table half (n int); select * from nowhere")])
    with owner(empty_dsn) as db:
        assert db.execute("select to_regclass('half')").fetchone() == (None,)


def test_a_database_that_refuses_us_is_the_operators_to_mend(empty_dsn: str) -> None:
    with owner(empty_dsn) as db:
        db.execute("drop role if exists poor")
        db.execute("create role poor login password 'poor'")
    poor = empty_dsn.replace(empty_dsn.partition("//")[2].partition("@")[0], "poor:poor")
    with pytest.raises(ConfigError, match=r"DRAMAGATE_DATABASE_URL: the database refuses: permission denied"):
        migrate(poor)


# Tenants.


def test_a_tenant_neither_sees_nor_changes_nor_makes_what_is_anothers(api: Database, received: str) -> None:
    with api.as_tenant("other") as db:
        assert store.submission(db, received) is None
        assert store.newest(db, 10, None) == []
        assert store.events_after(db, received, 0) == []
        assert store.withdraw(db, "other", "test", received) is None
    with pytest.raises(psycopg.errors.InsufficientPrivilege), api.as_tenant("other") as db:
        store.create(db, "local", "test", new_submission())
    with api.across_tenants() as db:
        assert store.newest(db, 10, None) == []
    with api.as_tenant("local") as db:
        assert [row["id"] for row in store.newest(db, 10, None)] == [received]


def test_a_key_opens_its_own_tenant_until_it_is_revoked_and_is_not_kept_itself(api: Database, dsn: str) -> None:
    with api.as_tenant("local") as db:
        store.add_credential(db, "local", "dgk_secret", "api_key", "mine")
    with api.across_tenants() as db:
        assert store.tenant_of(db, "dgk_secret", "api_key") == ("local", "mine")
        assert store.tenant_of(db, "dgk_secret", "session") is None
        assert store.tenant_of(db, "dgk_Secret", "api_key") is None
    with owner(dsn) as look:
        assert "dgk_secret" not in str(look.execute("select c::text from credential c").fetchall())
        look.execute("update credential set revoked_at = now()")
    with api.across_tenants() as db:
        assert store.tenant_of(db, "dgk_secret", "api_key") is None


# States.


@pytest.mark.parametrize(
    ("way", "outcome", "released", "end"),
    [
        ((), "approve", "b" * 64, ["decided", "released"]),
        ((), "approve", None, ["decided"]),
        ((), "hold", None, ["in_queue"]),
        ((), "reject", None, ["decided", "rejected"]),
        (("rendering", "rescreening"), "segment", "b" * 64, ["decided", "rendering", "rescreening", "released"]),
        (("rendering", "rescreening"), "hold", None, ["decided", "rendering", "rescreening", "in_queue"]),
    ],
)
def test_a_decision_leads_where_its_outcome_says(
    api: Database, received: str, way: tuple[str, ...], outcome: str, released: str | None, end: list[str]
) -> None:
    go(api, received, "verifying", "screening", *way)
    with api.as_tenant("local") as db:
        assert store.settle(db, "local", received, decision(outcome, released)) == end[-1]
        row = store.submission(db, received)
    assert states(api, received) == ["received", "verifying", "screening", *end]
    assert row is not None
    assert (row["state"], row["outcome"], row["released_sha256"]) == (end[-1], outcome, released)


def test_a_worker_that_takes_over_begins_again(api: Database, received: str) -> None:
    go(api, received, "verifying", "screening", "rendering", "verifying", "verifying", "screening")
    assert states(api, received) == [
        "received", "verifying", "screening", "decided", "rendering", "verifying", "screening",
    ]  # fmt: skip


@pytest.mark.parametrize("skipped", ["screening", "rescreening", "released", "in_queue", "decided"])
def test_a_state_cannot_be_skipped(api: Database, received: str, skipped: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation), api.as_tenant("local") as db:
        db.execute("update submission set state = %s where id = %s", (skipped, received))


@pytest.mark.parametrize(
    "forged",
    [
        "state = 'failed', failure = '{}', outcome = 'approve', decision = '{}'",
        "state = 'released'",
        "state = 'released', outcome = 'approve', decision = '{}'",
        "state = 'released', outcome = 'hold', decision = '{}', released_sha256 = repeat('a', 64)",
        "outcome = 'approve'",
        "released_sha256 = repeat('a', 64)",
    ],
)
def test_nothing_is_released_or_approved_without_a_verdict_that_allows_it(
    dsn: str, api: Database, received: str, forged: str
) -> None:
    go(api, received, "verifying", "screening")
    with owner(dsn) as db:
        db.execute("alter table submission disable trigger submission_moves")  # the constraints stand by themselves
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute(f"update submission set {forged}".encode())


def test_a_failed_submission_has_no_outcome_and_stays_failed(api: Database, received: str) -> None:
    go(api, received, "verifying")
    with api.as_tenant("local") as db:
        store.fail(db, "local", received, "unusable", "one.mp4 is not a film")
        row = store.submission(db, received)
    assert row is not None
    assert (row["state"], row["outcome"], row["failure"]["code"]) == ("failed", None, "unusable")
    for late in (
        lambda db: store.settle(db, "local", received, decision("approve")),
        lambda db: store.enter(db, "local", received, "verifying"),
    ):
        with pytest.raises(store.Moved), api.as_tenant("local") as db:
            late(db)


def test_a_withdrawn_submission_takes_no_decision_any_more(api: Database, received: str) -> None:
    go(api, received, "verifying", "screening")
    with api.as_tenant("local") as db:
        store.withdraw(db, "local", "test", received)
        store.withdraw(db, "local", "test", received)
    with pytest.raises(store.Moved), api.as_tenant("local") as db:
        store.settle(db, "local", received, decision("approve", "b" * 64))
    assert states(api, received)[-1] == "withdrawn"
    assert states(api, received).count("withdrawn") == 1


def test_the_old_verdict_stands_until_the_new_one_is_there(api: Database, received: str) -> None:
    go(api, received, "verifying", "screening")
    with api.as_tenant("local") as db:
        store.settle(db, "local", received, decision("approve", "b" * 64))
        again = store.create(db, "local", "test", new_submission(), supersedes=received)["id"]
    go(api, again, "verifying", "screening")
    assert states(api, received)[-1] == "released"
    with api.as_tenant("local") as db:
        store.settle(db, "local", again, decision("reject"))
        old = store.submission(db, received)
    assert old is not None
    assert (old["state"], old["superseded_by"], old["outcome"]) == ("superseded", again, "approve")


# Steps.


def test_a_step_is_remembered_by_what_it_was_made_from(api: Database, received: str) -> None:
    with api.as_tenant("local") as db:
        assert store.step_result(db, received, "screening", "x") is None
        assert store.keep_step(db, "local", received, "screening", "x", {"n": 1}, 5) == {"n": 1}
        assert store.keep_step(db, "local", received, "screening", "x", {"n": 2}, 5) == {"n": 1}
        assert store.step_result(db, received, "screening", "y") is None
    with pytest.raises(psycopg.errors.InsufficientPrivilege), api.as_tenant("local") as db:
        db.execute("update step set result = '{}'")


# Audit.


def test_the_audit_trail_holds_until_somebody_changes_it(dsn: str, api: Database, received: str) -> None:
    with api.as_tenant("local") as db:
        store.withdraw(db, "local", "test", received)
        assert store.broken_audit(db, "local") is None
    for forged in ("update audit set actor = 'nobody'", "delete from audit", "truncate audit"):
        with owner(dsn) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(forged.encode())
    with owner(dsn) as db:
        db.execute("alter table audit disable trigger audit_is_append_only")
        db.execute('update audit set data = \'{"was": "released"}\' where seq = 2')
    with api.as_tenant("local") as db:
        assert store.broken_audit(db, "local") == 2
    with owner(dsn) as db:
        db.execute("delete from audit where seq = 2")
    with api.as_tenant("local") as db:
        assert store.broken_audit(db, "local") == 2, "the head says that there was a second"


def test_the_audit_trail_has_no_fork_however_many_write_at_once(api: Database) -> None:
    def write(n: int) -> None:
        with api.as_tenant("local") as db:
            store.audit(db, "local", f"key:{n}", "test.done", "x", {"n": n})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with api.as_tenant("local") as db:
        assert store.broken_audit(db, "local") is None
        head = db.execute("select seq from audit_head").fetchone()
    assert head == {"seq": 40}
