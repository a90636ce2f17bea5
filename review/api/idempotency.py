"""A POST repeated with the same Idempotency-Key is done once and answered the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import Response

from review.api.problems import Problem
from review.database import Connection

Json = dict[str, Any]
KEY = re.compile(r"[\x21-\x7e]{1,255}")
LONGEST_WAIT_S = 60.0
"""The most `Prefer: wait` may ask for."""

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Any unique text, 1-255 visible ASCII characters. Required."),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was, or is to be, answered."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, *, replayed: bool = False) -> Response:
        """As it goes over the wire, byte for byte the same each time."""
        headers = {**self.headers, **({"Idempotency-Replayed": "true"} if replayed else {})}
        return Response(_text(self.body), self.status, headers, "application/json")


@dataclass(frozen=True, slots=True)
class Once:
    """One keyed request."""

    tenant: str
    route: str
    key: str
    body_sha256: bytes

    @classmethod
    def of(cls, tenant: str, route: str, key: str | None, body: Json) -> Once:
        """The request, its body compared by content. Raises Problem without a usable key."""
        if key is None or not KEY.fullmatch(key):
            raise Problem(
                "idempotency-key-required",
                f"POST {route} needs an Idempotency-Key header of 1-255 visible characters, a new one per request: "
                "so that a request sent twice is done once",
            )
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode()
        return cls(tenant, route, key, hashlib.sha256(canonical).digest())

    def recall(self, db: Connection) -> Answer | None:
        """What this request was answered before; None where it is new, and then it is ours to do in this transaction.

        Raises Problem where it is being done right now, or came with another body.
        """
        lock = hashlib.sha256(f"{self.tenant}\0{self.route}\0{self.key}".encode()).digest()
        ours = db.execute(
            "select pg_try_advisory_xact_lock(%s) as ours", (int.from_bytes(lock[:8], "big", signed=True),)
        ).fetchone()
        if ours is None or not ours["ours"]:
            raise self._running()
        row = db.execute(
            "select * from idempotency where tenant = %s and route = %s and key = %s",
            (self.tenant, self.route, self.key),
        ).fetchone()
        if row is None:
            return None
        if row["body_sha256"] != self.body_sha256:
            raise Problem(
                "idempotency-key-reused",
                "this Idempotency-Key was used for another request: take a new key for a new request",
            )
        waited_s = (datetime.now(UTC) - row["updated_at"]).total_seconds()
        if row["state"] == "waiting" and waited_s < LONGEST_WAIT_S + 5:  # else whoever waited was killed
            raise self._running()
        return Answer(row["status"], json.loads(row["body"]), row["headers"])

    def keep(self, db: Connection, answer: Answer, *, waiting: bool = False) -> None:
        """Remember the answer, with what was done, in one transaction."""
        db.execute(
            "insert into idempotency (tenant, route, key, body_sha256, state, status, headers, body)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (tenant, route, key) do update set state = excluded.state, status = excluded.status,"
            " headers = excluded.headers, body = excluded.body, updated_at = now()",
            (
                self.tenant,
                self.route,
                self.key,
                self.body_sha256,
                "waiting" if waiting else "done",
                answer.status,
                json.dumps(dict(answer.headers)),
                _text(answer.body),
            ),
        )

    def _running(self) -> Problem:
        return Problem(
            "in-progress",
            "a request with this Idempotency-Key is being done right now: ask again in a second",
            headers={"Retry-After": "1"},
        )


def _text(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
