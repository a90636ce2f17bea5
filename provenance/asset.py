"""Files under review and the time inside them: the vocabulary every other package shares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path


class AssetKind(StrEnum):
    """What a file is, as `asset.kind` of the papers spells it (episode.schema.json)."""

    EPISODE = "episode"
    TRAILER = "trailer"
    SHOT = "shot"
    AUDIO = "audio"
    COVER = "cover"
    IMAGE = "image"
    CHARACTER_SHEET = "character_sheet"
    STORYBOARD = "storyboard"
    SCRIPT = "script"
    BRANCH_MAP = "branch_map"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, named by what it contains rather than by where it is kept."""

    sha256: str
    """Lower-case hex of the whole file, manifest included."""
    kind: AssetKind
    path: Path

    @classmethod
    def of(cls, path: Path, kind: AssetKind) -> Asset:
        """The asset at `path`, digested. Raises OSError where it cannot be read."""
        return cls(digest(path), kind, path)


@dataclass(frozen=True, slots=True, order=True)
class TimeRange:
    """A half-open stretch of presentation time, [start_us, end_us), in whole microseconds.

    Zero is the first frame shown. Whole microseconds compare exactly, survive JSON and
    Postgres unchanged, and stay well under a frame (33 367 us at 29.97 fps).
    """

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        """Refuse empty, reversed and negative ranges where they are made."""
        if not 0 <= self.start_us < self.end_us:
            raise ValueError(f"not a time range: [{self.start_us}, {self.end_us}) us")

    @classmethod
    def from_pts(cls, first: int, after_last: int, time_base: Fraction) -> TimeRange:
        """Widen [first, after_last) ticks to whole microseconds.

        Rounds outwards: a cut may take a fraction of a microsecond too much, never too little.
        """
        micros = time_base * 1_000_000
        return cls(int(first * micros // 1), -int(-after_last * micros // 1))

    @property
    def length_us(self) -> int:
        """How long the range lasts, in microseconds; always positive."""
        return self.end_us - self.start_us

    def overlaps(self, other: TimeRange) -> bool:
        """Whether the two share any instant; ranges that only touch do not."""
        return self.start_us < other.end_us and other.start_us < self.end_us

    def padded(self, by_us: int, duration_us: int) -> TimeRange:
        """The range widened by `by_us` at both ends, clipped to [0, `duration_us`)."""
        return TimeRange(max(0, self.start_us - by_us), min(duration_us, self.end_us + by_us))


def merge(ranges: Iterable[TimeRange], gap_us: int = 0) -> list[TimeRange]:
    """The same instants as `ranges`, in order, joined where they overlap, touch, or lie within `gap_us`."""
    merged: list[TimeRange] = []
    for r in sorted(ranges):
        if merged and r.start_us <= merged[-1].end_us + gap_us:
            merged[-1] = TimeRange(merged[-1].start_us, max(merged[-1].end_us, r.end_us))
        else:
            merged.append(r)
    return merged


def digest(path: Path) -> str:
    """SHA-256 of a file in lower-case hex, read in 1 MiB pieces so that no episode has to fit in memory."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sha.update(piece)
    return sha.hexdigest()
