"""What a submitter hands in, and the one error that is the submitter's to mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provenance.asset import Asset, AssetKind
from provenance.failure import Refused

TEXT_SUFFIXES = {
    ".fountain": AssetKind.SCRIPT,
    ".txt": AssetKind.SCRIPT,
    ".md": AssetKind.SCRIPT,
    ".srt": AssetKind.SCRIPT,
    ".ass": AssetKind.SCRIPT,
    ".vtt": AssetKind.SCRIPT,
    ".json": AssetKind.STORYBOARD,
}
"""Works of words. Everything else is opened as media, whatever it is called."""


class SubmissionError(Refused):
    """The file or its papers cannot be used. One sentence: what, where, what to do."""


@dataclass(frozen=True)
class Submission:
    """One request to pass one file."""

    id: str
    tenant: str
    asset: Asset
    """The file as submitted."""
    file_name: str
    """What the submitter called it; for people to read, never a path."""
    papers: Mapping[str, Any] | None
    """Validated against episode.schema.json; None where none came."""
    territories: tuple[str, ...]
    """As asked for; empty means the papers' own, or else the default rulebooks'."""
    rulebooks: tuple[str, ...]
    """Named by the submitter in place of the territories' own; usually empty."""
    gate: str
    """prescreen | publish."""
    planned_publish_at: datetime
    """Rules are evaluated as of this instant. Timezone-aware."""
    registry_root: Path | None = None


EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Dates outside are slips of the pen, and arithmetic on them overflows."""


def judged_at(stated: datetime | None, now: datetime) -> datetime:
    """The instant the rules are evaluated as of: when it is to be published, and never before now.

    A date in the past would switch off law that is in force and revive consents that have ended.
    Raises SubmissionError for a date nobody can mean, or one without a time zone.
    """
    if stated is None:
        return now
    if stated.tzinfo is None:
        raise SubmissionError(f"planned_publish_at {stated.isoformat()} has no time zone: add one, such as +08:00")
    try:
        meant = EARLIEST <= stated <= LATEST
    except OverflowError:
        meant = False
    if not meant:
        raise SubmissionError(f"planned_publish_at {stated.isoformat()} cannot be meant: name a date from 2000 to 2200")
    return max(stated, now)


def kind_of(path: Path, papers: Mapping[str, Any] | None) -> AssetKind:
    """What `path` is: as the papers say, else by its name. Film, sound or still is told apart when it is opened."""
    declared = ((papers or {}).get("asset") or {}).get("kind")
    if declared:
        return AssetKind(declared)
    return TEXT_SUFFIXES.get(path.suffix.lower(), AssetKind.EPISODE)
