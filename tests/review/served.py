"""What tests of the service share."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from review.store import NewSubmission


def owner(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that sees everything, for looking from outside."""
    return psycopg.connect(dsn, autocommit=True, options="-c search_path=dramagate")


def new_submission(sha256: str = "a" * 64) -> NewSubmission:
    """One episode nobody says anything about."""
    return NewSubmission(
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
