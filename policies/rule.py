"""What a rulebook says, once it has been read and found right. Plain frozen values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from classifiers.finding import Surface
from policies.cel import Condition
from policies.facts import EVERYWHERE, Gate
from policies.verdict import Do, Outcome, RulebookRef, Words


class Mode(StrEnum):
    """Whether a rule counts."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    """Judged and reported as an advisory, without any outcome."""
    OFF = "off"
    """Not judged; stands in the trace."""


class Kind(StrEnum):
    """What sort of source a rule stands on."""

    LAW = "law"
    INDUSTRY_CODE = "industry_code"
    PLATFORM_TERMS = "platform_terms"
    HOUSE = "house"
    """The operator's own policy; never cited as law."""


class Read(StrEnum):
    """How the source was read."""

    PRIMARY = "primary"
    QUOTED = "quoted"
    SECONDARY = "secondary"
    MEMORY = "memory"


class Confidence(StrEnum):
    """How sure the author is of the reading."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from and how well that was read."""

    kind: Kind
    cite: str
    read: Read
    confidence: Confidence
    url: str | None = None
    draft: bool = False
    """Whether it is not in force as law (a bill, a draft for comments)."""

    @property
    def strongest(self) -> Outcome:
        """The strictest outcome a rule on this source may ask for (design.md section 6).

        APPROVE means it may only advise.
        """
        if self.kind is Kind.HOUSE:
            return Outcome.REJECT
        if self.draft or self.read is Read.MEMORY:
            return Outcome.APPROVE
        if self.read in (Read.PRIMARY, Read.QUOTED) and self.confidence is Confidence.HIGH:
            return Outcome.REJECT
        return Outcome.HOLD

    def to_json(self) -> dict[str, Any]:
        """As the rulebook states it."""
        doc: dict[str, Any] = {
            "kind": self.kind.value,
            "cite": self.cite,
            "read": self.read.value,
            "confidence": self.confidence.value,
            "url": self.url,
        }
        if self.draft:
            doc["draft"] = True
        return doc


@dataclass(frozen=True, slots=True)
class Span:
    """When something is in force: [from, until), either end open where None."""

    start: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether `at` lies inside."""
        return (self.start is None or self.start <= at) and (self.until is None or at < self.until)


ALWAYS = Span()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number tenants may move inside a range."""

    default: float
    low: float
    high: float
    why: Words


@dataclass(frozen=True, slots=True)
class Match:
    """Which findings a rule is about. All conditions must hold."""

    categories: frozenset[str]
    """Whole ids, patterns already resolved."""
    observation: bool
    min_score_millionths: int = 0
    min_duration_us: int = 0
    min_frames: int = 0
    merge_gap_us: int = 0
    surfaces: frozenset[Surface] = frozenset()
    """Empty: any."""


@dataclass(frozen=True, slots=True)
class EditPlan:
    """One edit a rule asks for."""

    do: Do
    start_us: int | None = None
    """None together with `end_us`: wherever the rule matched, or all of the work where it is about no place."""
    end_us: int | None = None
    pad_us: int = 0
    region: tuple[float, float, float, float] | None = None
    of_finding: bool = False
    """Use each finding's own region."""
    text: Words | None = None


@dataclass(frozen=True, slots=True)
class Then:
    """What follows when a rule fires."""

    outcome: Outcome
    reason: Words
    edits: tuple[EditPlan, ...] = ()
    obligations: tuple[Words, ...] = ()
    audience: Mapping[str, Any] | None = None
    two_person: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One example a rule must pass before its rulebook may be used."""

    name: str
    given: Mapping[str, Any]
    outcome: Outcome
    fired: tuple[str, ...]
    silent: tuple[str, ...]
    unknown: tuple[str, ...]
    """Facts expected to be unknown, as the reasons name them."""
    edits: tuple[tuple[int, int, str], ...] | None
    obligations: int | None
    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    title: Words
    source: Source
    mode: Mode
    then: Then
    match: Match | None = None
    when: Condition | None = None
    rollout_percent: int = 100
    in_force: Span = ALWAYS
    cases: tuple[Case, ...] = ()
    line: int = 0
    col: int = 0

    def enforced(self, series: str | None) -> bool:
        """Whether it counts for this series: by mode, and by rollout in a fixed share of all series.

        A series nobody named is in every rollout: a rule is never dodged by leaving the papers out.
        """
        if self.mode is not Mode.ENFORCE:
            return False
        if self.rollout_percent >= 100 or series is None:
            return True
        drawn = int.from_bytes(hashlib.sha256(f"{self.id}\n{series}".encode()).digest()[:8], "big") % 100
        return drawn < self.rollout_percent


@dataclass(frozen=True, slots=True)
class Rulebook:
    """One policy file, read whole and found right."""

    name: str
    version: int
    digest: str
    """SHA-256 of the canonical bytes of what it says; comments and layout do not count."""
    title: Words
    territory: str
    in_force: Span
    gates: frozenset[Gate]
    requires: frozenset[str]
    thresholds: Mapping[str, Threshold]
    rules: tuple[Rule, ...]
    path: str = field(default="", compare=False)

    @property
    def ref(self) -> RulebookRef:
        """How a verdict names it."""
        return RulebookRef(self.name, self.version, self.digest, self.territory)

    def applies(self, at: datetime, gate: Gate) -> bool:
        """Whether it judges at this instant and gate."""
        return gate in self.gates and self.in_force.holds(at)

    @property
    def everywhere(self) -> bool:
        """Whether it speaks for no territory in particular."""
        return self.territory == EVERYWHERE
