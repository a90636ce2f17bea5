"""What the service remembers, as functions on one open transaction, so that what belongs together commits together.

Every function takes a connection that sees one tenant's rows (database.Database.as_tenant). Submissions,
their events and the audit trail are written here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from review import ids
from review.database import Connection

Json = dict[str, Any]
SETTLED = frozenset({"decided", "in_queue", "in_review", "released", "rejected", "failed", "withdrawn", "superseded"})
"""States in which no machine works on a submission any more."""
RUNNING = ("verifying", "screening", "rendering", "rescreening")
EVENTS_CHANNEL = "dramagate_event"
GENESIS = bytes(32)
"""What the first audit record of a tenant is chained to."""


class Moved(Exception):
    """The submission is no longer where this worker thought it was: withdrawn, superseded, or done by another."""


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """What a submitter asks for, checked."""

    sha256: str
    media_type: str
    kind: str
    file_name: str
    papers: Mapping[str, Any] | None
    territories: tuple[str, ...]
    rulebooks: tuple[str, ...]
    gate: str
    planned_publish_at: datetime


# Tenants and credentials.


def ensure_tenant(db: Connection, tenant: str, name: str) -> None:
    """The tenant exists. Needs the owner's connection."""
    db.execute("insert into tenant (id, name) values (%s, %s) on conflict (id) do nothing", (tenant, name))


def add_credential(
    db: Connection, tenant: str, secret: str, kind: str, name: str, expires_at: datetime | None = None
) -> None:
    """Whoever shows `secret` is let in as `tenant`; only its digest is kept."""
    db.execute(
        "insert into credential (digest, tenant, kind, name, expires_at) values (%s, %s, %s, %s, %s)"
        " on conflict (digest) do nothing",
        (_credential_digest(secret), tenant, kind, name, expires_at),
    )


def tenant_of(db: Connection, secret: str, kind: str) -> tuple[str, str] | None:
    """(tenant, name of the credential) of whoever shows `secret`; None where it opens nothing."""
    row = db.execute("select * from credential_tenant(%s, %s)", (_credential_digest(secret), kind)).fetchone()
    return None if row is None else (row["tenant"], row["name"])


def _credential_digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


# Uploads.


def add_upload(db: Connection, tenant: str, *, sha256: str, size_bytes: int, file_name: str, media_type: str) -> Json:
    """A whole file that has arrived."""
    return _one(
        db,
        "insert into upload (id, tenant, sha256, size_bytes, received_bytes, file_name, media_type)"
        " values (%s, %s, %s, %s, %s, %s, %s) returning *",
        (ids.new("upl"), tenant, sha256, size_bytes, size_bytes, file_name, media_type),
    )


def begin_upload(
    db: Connection, tenant: str, *, size_bytes: int, file_name: str, expected: str | None, expires_at: datetime
) -> Json:
    """A resumable upload of which nothing has arrived yet."""
    return _one(
        db,
        "insert into upload"
        " (id, tenant, expected_sha256, size_bytes, received_bytes, file_name, media_type, expires_at)"
        " values (%s, %s, %s, %s, 0, %s, '', %s) returning *",
        (ids.new("upl"), tenant, expected, size_bytes, file_name, expires_at),
    )


def upload(db: Connection, upload_id: str, *, lock: bool = False) -> Json | None:
    """One upload; with `lock`, nobody else writes to it until the transaction ends."""
    one, locked = "select * from upload where id = %s", "select * from upload where id = %s for update"
    return db.execute(locked if lock else one, (upload_id,)).fetchone()


def advance_upload(db: Connection, upload_id: str, received_bytes: int) -> None:
    """So much of it has arrived and is on disk."""
    db.execute("update upload set received_bytes = %s where id = %s", (received_bytes, upload_id))


def complete_upload(db: Connection, upload_id: str, sha256: str, media_type: str) -> None:
    """All of it has arrived."""
    db.execute(
        "update upload set sha256 = %s, media_type = %s, received_bytes = size_bytes, expires_at = null where id = %s",
        (sha256, media_type, upload_id),
    )


def forget_upload(db: Connection, upload_id: str) -> None:
    """The upload never was."""
    db.execute("delete from upload where id = %s", (upload_id,))


def drop_expired_uploads(db: Connection) -> list[str]:
    """Forget unfinished uploads whose time is up; their ids."""
    rows = db.execute("delete from upload where sha256 is null and expires_at < now() returning id")
    return [row["id"] for row in rows]


def uploaded(db: Connection, *, sha256: str | None = None, upload_id: str | None = None) -> Json | None:
    """A finished upload of this tenant by content or by id. Another tenant's bytes are not this one's to use."""
    return db.execute(
        "select * from upload where sha256 is not null and (sha256 = %s or id = %s) order by created_at limit 1",
        (sha256, upload_id),
    ).fetchone()


# Submissions.


def create(db: Connection, tenant: str, actor: str, new: NewSubmission, supersedes: str | None = None) -> Json:
    """A received submission, with its first event and its audit record."""
    row = _one(
        db,
        "insert into submission (id, tenant, sha256, media_type, kind, file_name, papers, territories, rulebooks, gate,"
        " planned_publish_at, supersedes) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning *",
        (
            ids.new("sub"),
            tenant,
            new.sha256,
            new.media_type,
            new.kind,
            new.file_name,
            None if new.papers is None else Jsonb(new.papers),
            list(new.territories),
            list(new.rulebooks),
            new.gate,
            new.planned_publish_at,
            supersedes,
        ),
    )
    add_event(db, tenant, row["id"], "state", {"state": "received"})
    audit(db, tenant, actor, "submission.created", row["id"], {"sha256": new.sha256, "supersedes": supersedes})
    return row


def submission(db: Connection, submission_id: str, *, lock: bool = False) -> Json | None:
    """One submission with everything known of it; with `lock`, it stays as it is until the transaction ends."""
    one, locked = "select * from submission where id = %s", "select * from submission where id = %s for update"
    return db.execute(locked if lock else one, (submission_id,)).fetchone()


def pending_rescreen(db: Connection, submission_id: str) -> str | None:
    """Id of the submission that is to take this one's place and is still worked on; None where there is none."""
    row = db.execute(
        "select id from submission where supersedes = %s and state = any(%s) limit 1",
        (submission_id, ["received", *RUNNING]),
    ).fetchone()
    return None if row is None else str(row["id"])


LISTED = sql.SQL(
    "id, sha256, media_type, kind, file_name, territories, rulebooks, gate, planned_publish_at, state, outcome,"
    " released_sha256, failure, supersedes, superseded_by, created_at, updated_at,"
    " (decision->>'duration_us')::bigint as duration_us"
)


def newest(
    db: Connection,
    limit: int,
    before: tuple[datetime, str] | None,
    states: Sequence[str] = (),
    outcomes: Sequence[str] = (),
) -> list[Json]:
    """Up to `limit` submissions, the newest first, from just before `before` (created_at, id)."""
    wanted: list[sql.Composable] = [sql.SQL("true")]
    values: list[Any] = []
    if before is not None:
        wanted.append(sql.SQL("(created_at, id) < (%s, %s)"))
        values += before
    if states:
        wanted.append(sql.SQL("state = any(%s)"))
        values.append(list(states))
    if outcomes:
        wanted.append(sql.SQL("outcome = any(%s)"))
        values.append(list(outcomes))
    query = sql.SQL("select {} from submission where {} order by created_at desc, id desc limit %s")
    return db.execute(query.format(LISTED, sql.SQL(" and ").join(wanted)), [*values, limit]).fetchall()


def enter(db: Connection, tenant: str, submission_id: str, state: str) -> None:
    """A worker has begun this part of the work. Raises Moved where the submission is not to be worked on."""
    row = submission(db, submission_id, lock=True)
    if row is None or row["state"] not in ("received", *RUNNING):
        raise Moved(f"{submission_id} is {'gone' if row is None else row['state']}")
    if row["state"] == state:
        return
    # Only what may be published in part is rendered, so the verdict stands before rendering begins.
    for step in ("decided", state) if state == "rendering" else (state,):
        db.execute("update submission set state = %s where id = %s", (step, submission_id))
        found = {"outcome": "segment"} if step == "decided" else {}
        add_event(db, tenant, submission_id, "state", {"state": step, **found})


def settle(db: Connection, tenant: str, submission_id: str, decision: Json) -> str:
    """Keep the decision and go where it leads; the state reached. Raises Moved where it came too late.

    approve, segment → released (decided where nothing was rendered or sealed for release);
    hold → in_queue; reject → rejected.
    """
    row = submission(db, submission_id, lock=True)
    if row is None or row["state"] not in RUNNING:
        raise Moved(f"{submission_id} is {'gone' if row is None else row['state']}")
    outcome, released = decision["outcome"], decision.get("released_sha256")
    end = {"hold": "in_queue", "reject": "rejected"}.get(outcome, "released" if released else "decided")
    way = ("decided", end) if row["state"] == "screening" and end in ("released", "rejected") else (end,)
    for state in way:
        db.execute(
            "update submission set state = %s, outcome = %s, decision = %s, released_sha256 = %s where id = %s",
            (state, outcome, Jsonb(decision), released, submission_id),
        )
        add_event(db, tenant, submission_id, "state", {"state": state, "outcome": outcome})
    add_event(db, tenant, submission_id, "verdict", {"outcome": outcome, "state": end})
    facts = {"outcome": outcome, "released_sha256": released, "decision_sha256": _canonical_digest(decision).hex()}
    audit(db, tenant, "worker", "submission.settled", submission_id, facts)
    if row["supersedes"] is not None:
        _supersede(db, tenant, row["supersedes"], submission_id)
    return end


def _supersede(db: Connection, tenant: str, old: str, new: str) -> None:
    row = submission(db, old, lock=True)
    if row is not None and row["state"] in ("decided", "in_queue", "released", "rejected", "failed"):
        db.execute("update submission set state = 'superseded', superseded_by = %s where id = %s", (new, old))
        add_event(db, tenant, old, "state", {"state": "superseded", "superseded_by": new})
        audit(db, tenant, "worker", "submission.superseded", old, {"by": new})


def fail(db: Connection, tenant: str, submission_id: str, code: str, detail: str) -> None:
    """No verdict was reached, and this is why. Leaves a submission that already has one, or was withdrawn, alone."""
    row = submission(db, submission_id, lock=True)
    if row is None or row["state"] not in ("received", *RUNNING):
        return
    failure = {"code": code, "detail": detail}
    db.execute("update submission set state = 'failed', failure = %s where id = %s", (Jsonb(failure), submission_id))
    add_event(db, tenant, submission_id, "state", {"state": "failed", "failure": failure})
    audit(db, tenant, "worker", "submission.failed", submission_id, failure)


def withdraw(db: Connection, tenant: str, actor: str, submission_id: str) -> Json | None:
    """The submission, withdrawn; None where there is none. A second withdrawal changes nothing.

    Raises Moved where it has been superseded.
    """
    row = submission(db, submission_id, lock=True)
    if row is None or row["state"] == "withdrawn":
        return row
    if row["state"] == "superseded":
        raise Moved(f"{submission_id} was superseded by {row['superseded_by']}: withdraw that one")
    db.execute("update submission set state = 'withdrawn' where id = %s", (submission_id,))
    add_event(db, tenant, submission_id, "state", {"state": "withdrawn"})
    audit(db, tenant, actor, "submission.withdrawn", submission_id, {"was": row["state"]})
    return submission(db, submission_id)


# Steps.


def step_result(db: Connection, submission_id: str, step: str, inputs: str) -> Json | None:
    """What the step answered when it finished with these inputs; None where it has not."""
    row = db.execute(
        "select result from step where submission = %s and step = %s and inputs = %s", (submission_id, step, inputs)
    ).fetchone()
    return None if row is None else row["result"]


def keep_step(
    db: Connection, tenant: str, submission_id: str, step: str, inputs: str, result: Json, duration_ms: int
) -> Json:
    """Keep the result of a finished step; what is kept, which is another's where that one was first."""
    db.execute(
        "insert into step (tenant, submission, step, inputs, result, duration_ms) values (%s, %s, %s, %s, %s, %s)"
        " on conflict do nothing",
        (tenant, submission_id, step, inputs, Jsonb(result), duration_ms),
    )
    kept = step_result(db, submission_id, step, inputs)
    if kept is None:
        raise LookupError(f"step {step} of {submission_id} was not kept")
    return kept


# Events and audit.


def add_event(db: Connection, tenant: str, submission_id: str, kind: str, data: Json) -> None:
    """Something a watcher of the submission will see, once this transaction commits."""
    db.execute(
        "with added as (insert into event (tenant, submission, kind, data) values (%s, %s, %s, %s)"
        " returning submission) select pg_notify(%s, submission) from added",
        (tenant, submission_id, kind, Jsonb(data), EVENTS_CHANNEL),
    )


def events_after(db: Connection, submission_id: str, seq: int, limit: int = 500) -> list[Json]:
    """Events of the submission after number `seq`, in order."""
    return db.execute(
        "select seq, kind, data, at from event where submission = %s and seq > %s order by seq limit %s",
        (submission_id, seq, limit),
    ).fetchall()


def audit(db: Connection, tenant: str, actor: str, action: str, subject: str, data: Json) -> None:
    """Append one record to the tenant's chain. Holds the chain's head until the transaction ends."""
    head = db.execute("select seq, digest from audit_head where tenant = %s for update", (tenant,)).fetchone()
    if head is None:  # the tenant's first record: whoever comes first makes the head, the others wait for it
        db.execute(
            "insert into audit_head (tenant, seq, digest) values (%s, 0, %s) on conflict (tenant) do nothing",
            (tenant, GENESIS),
        )
        head = _one(db, "select seq, digest from audit_head where tenant = %s for update", (tenant,))
    seq, at = head["seq"] + 1, datetime.now(UTC)
    digest = audit_digest(head["digest"], tenant, seq, at, actor, action, subject, data)
    db.execute(
        "with added as (insert into audit (tenant, seq, at, actor, action, subject, data, prev, digest)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning tenant, seq, digest)"
        " update audit_head set seq = added.seq, digest = added.digest from added"
        " where audit_head.tenant = added.tenant",
        (tenant, seq, at, actor, action, subject, Jsonb(data), head["digest"], digest),
    )


def audit_digest(
    prev: bytes, tenant: str, seq: int, at: datetime, actor: str, action: str, subject: str, data: Json
) -> bytes:
    """Digest of one audit record and of everything before it."""
    record = [tenant, seq, at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action, subject, data]
    return hashlib.sha256(prev + _canonical(record)).digest()


def broken_audit(db: Connection, tenant: str) -> int | None:
    """Number of the first record that does not follow from the one before it; None where the chain holds."""
    prev = GENESIS
    seq = 0
    rows = db.execute("select * from audit where tenant = %s order by seq", (tenant,))
    for row in rows:
        seq += 1
        digest = audit_digest(prev, tenant, seq, row["at"], row["actor"], row["action"], row["subject"], row["data"])
        if (row["seq"], row["prev"], row["digest"]) != (seq, prev, digest):
            return int(row["seq"])
        prev = digest
    head = db.execute("select seq, digest from audit_head where tenant = %s", (tenant,)).fetchone()
    if head is not None and (head["seq"], head["digest"]) != (seq, prev):
        return seq + 1
    return None


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _canonical_digest(value: Any) -> bytes:
    return hashlib.sha256(_canonical(value)).digest()


def _one(db: Connection, query: str, values: Sequence[Any]) -> Json:
    row = db.execute(query.encode(), values).fetchone()
    if row is None:
        raise LookupError(f"no row came back: {query}")
    return row
