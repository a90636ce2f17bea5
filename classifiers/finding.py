"""What a classifier may say: findings, and gaps where nobody managed to look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from provenance.asset import TimeRange


class Surface(StrEnum):
    """What of the work was looked at; a field of the finding, never part of its category."""

    IMAGE = "image"
    SCREEN_TEXT = "screen_text"
    SUBTITLE = "subtitle"
    SPEECH = "speech"
    SCRIPT = "script"
    AUDIO = "audio"
    METADATA = "metadata"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the picture as shown, each number a share of its width or height in [0, 1]."""

    x: float
    y: float
    w: float
    h: float

    def __post_init__(self) -> None:
        """Refuse rectangles that leave the picture or hold nothing."""
        inside = 0 <= self.x < self.x + self.w <= 1.000001 and 0 <= self.y < self.y + self.h <= 1.000001
        if not inside:
            raise ValueError(f"not a region of the picture: {self}")


@dataclass(frozen=True)
class Finding:
    """One statement of fact about one stretch of a work."""

    classifier: str
    version: str
    category: str
    """A whole id of the taxonomy: "likeness.face", "label.ai_text"."""
    score_millionths: int
    """Confidence in [0, 1] as whole millionths, so that a replay is exact."""
    surface: Surface
    where: TimeRange
    frames: int = 1
    """How many examined frames showed it; 0 where it was not seen in frames."""
    calibrated: bool = False
    """Whether the score is a calibrated probability; otherwise it compares within one version only."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Measured values by name, units in the name: height_ratio, distance, longest_run_us."""
    region: Region | None = None
    subject: str | None = None
    """Id of the person matched ("person:..."), where one was."""
    work: str | None = None
    """Id of the work matched ("work:..."), where one was."""
    text: str | None = None
    """What was read or heard, where that is the fact."""
    evidence: str | None = None
    """Reference of the evidence still, e.g. "frame:1250000"."""
    weights: str | None = None
    """Digest of the weights that said so; None where there are none."""

    def __post_init__(self) -> None:
        """Refuse scores off the scale."""
        if not 0 <= self.score_millionths <= 1_000_000:
            raise ValueError(f"{self.category}: score {self.score_millionths} is not in [0, 1000000] millionths")

    @property
    def score(self) -> float:
        """The score in [0, 1]."""
        return self.score_millionths / 1_000_000

    @cached_property
    def id(self) -> str:
        """Digest of the content: "f_" and 24 hex digits; equal findings have equal ids."""
        canonical = json.dumps(self._body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return "f_" + hashlib.sha256(canonical.encode()).hexdigest()[:24]

    def _body(self) -> dict[str, Any]:
        region = self.region
        return {
            "category": self.category,
            "score": self.score,
            "start_us": self.where.start_us,
            "end_us": self.where.end_us,
            "frames": self.frames,
            "surface": self.surface.value,
            "calibrated": self.calibrated,
            "measured": dict(sorted(self.measured.items())),
            "region": None if region is None else [region.x, region.y, region.w, region.h],
            "classifier": self.classifier,
            "version": self.version,
            "weights": self.weights,
            "subject": self.subject,
            "work": self.work,
            "text": self.text,
            "evidence": self.evidence,
        }

    def to_json(self) -> dict[str, Any]:
        """The contract's finding object (design.md section 3)."""
        return {"id": self.id, **self._body()}

    @classmethod
    def from_json(cls, doc: Mapping[str, Any]) -> Finding:
        """The finding `to_json` wrote. Raises KeyError or ValueError where `doc` is not one."""
        region = doc["region"]
        return cls(
            classifier=doc["classifier"],
            version=doc["version"],
            category=doc["category"],
            score_millionths=round(doc["score"] * 1_000_000),
            surface=Surface(doc["surface"]),
            where=TimeRange(doc["start_us"], doc["end_us"]),
            frames=doc["frames"],
            calibrated=doc["calibrated"],
            measured=doc["measured"],
            region=None if region is None else Region(*region),
            subject=doc["subject"],
            work=doc["work"],
            text=doc["text"],
            evidence=doc["evidence"],
            weights=doc["weights"],
        )


def millionths(score: float) -> int:
    """`score` in [0, 1] as whole millionths, clipped to the scale."""
    return max(0, min(1_000_000, round(score * 1_000_000)))


@dataclass(frozen=True, slots=True)
class Gap:
    """A classifier that should have looked and could not. Silence is not innocence."""

    classifier: str
    reason: str
    """What stopped it, in one sentence."""
    remedy: str
    """What would let it look: a command where there is one."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One classifier that did look, and at how much."""

    classifier: str
    version: str
    frames_examined: int
    frames_total: int
    cpu_ms: int


@dataclass(frozen=True, slots=True)
class Screening:
    """Everything the classifiers said, and everything they failed to say."""

    duration_us: int
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    ran: tuple[Ran, ...] = ()
    shots: tuple[TimeRange, ...] = ()
    decode_cpu_ms: int = 0
    screen_cpu_ms: int = 0
    wall_ms: int = 0

    def to_json(self) -> dict[str, Any]:
        """The contract's `screening` object, with the duration and timings beside it."""
        return {
            "duration_us": self.duration_us,
            "findings": [f.to_json() for f in self.findings],
            "gaps": [{"classifier": g.classifier, "reason": g.reason, "remedy": g.remedy} for g in self.gaps],
            "ran": [
                {
                    "classifier": r.classifier,
                    "version": r.version,
                    "frames_examined": r.frames_examined,
                    "frames_total": r.frames_total,
                    "cpu_ms": r.cpu_ms,
                }
                for r in self.ran
            ],
            "shots": [{"start_us": s.start_us, "end_us": s.end_us} for s in self.shots],
            "timing": {
                "decode_cpu_ms": self.decode_cpu_ms,
                "screen_cpu_ms": self.screen_cpu_ms,
                "wall_ms": self.wall_ms,
            },
        }

    @classmethod
    def from_json(cls, doc: Mapping[str, Any]) -> Screening:
        """The screening `to_json` wrote. Raises KeyError or ValueError where `doc` is not one."""
        timing = doc["timing"]
        return cls(
            duration_us=doc["duration_us"],
            findings=tuple(Finding.from_json(f) for f in doc["findings"]),
            gaps=tuple(Gap(**g) for g in doc["gaps"]),
            ran=tuple(Ran(**r) for r in doc["ran"]),
            shots=tuple(TimeRange(s["start_us"], s["end_us"]) for s in doc["shots"]),
            decode_cpu_ms=timing["decode_cpu_ms"],
            screen_cpu_ms=timing["screen_cpu_ms"],
            wall_ms=timing["wall_ms"],
        )
