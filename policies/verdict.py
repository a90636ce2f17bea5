"""The answer: publish, publish in part, let a person decide, or do not publish; and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from provenance.asset import TimeRange


class Outcome(IntEnum):
    """Ordered by strictness, so that max() is the outcome to obey."""

    APPROVE = 0
    SEGMENT = 1
    HOLD = 2
    REJECT = 3

    @property
    def word(self) -> str:
        """As contracts spell it: approve, segment, hold, reject."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Outcome:
        """The outcome spelt `word`. Raises KeyError where there is none."""
        return cls[word.upper()]


class Do(StrEnum):
    """What to do to part of a work before it may be shown."""

    CUT = "cut"
    BLUR = "blur"
    MUTE = "mute"
    OVERLAY_LABEL = "overlay_label"
    INSERT_CARD = "insert_card"
    REWRITE_METADATA = "rewrite_metadata"


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in Chinese and in English."""

    zh: str
    en: str

    def to_json(self) -> dict[str, str]:
        """{"zh": ..., "en": ...}."""
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to the picture, the sound or the metadata, over a range of the submitted film's time."""

    do: Do
    where: TimeRange
    rule: str
    region: tuple[float, float, float, float] | None = None
    """x, y, w, h as shares of the picture; None means all of it."""
    text: Words | None = None
    """What an overlay or card says."""

    def to_json(self) -> dict[str, Any]:
        """The contract's edit object; region and text only where there are any."""
        doc: dict[str, Any] = {
            "do": self.do.value,
            "start_us": self.where.start_us,
            "end_us": self.where.end_us,
            "rule": self.rule,
        }
        if self.region is not None:
            doc["region"] = list(self.region)
        if self.text is not None:
            doc["text"] = self.text.to_json()
        return doc

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> Edit:
        """The edit `to_json` wrote. Raises KeyError or ValueError where `doc` is not one."""
        region, text = doc.get("region"), doc.get("text")
        return cls(
            do=Do(doc["do"]),
            where=TimeRange(doc["start_us"], doc["end_us"]),
            rule=doc["rule"],
            region=None if region is None else (region[0], region[1], region[2], region[3]),
            text=None if text is None else Words(**text),
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that fired (or one fact a rulebook needs and nobody has), and what it costs."""

    rule: str
    """Rule id, or "unknown:<fact>" / "gap:<classifier>" where not knowing is the reason."""
    rulebook: str
    """Name of the rulebook."""
    territory: str
    outcome: Outcome
    title: Words
    explanation: Words
    source: dict[str, Any]
    """kind, cite, read, confidence, url: as the rulebook states them."""
    finding_ids: tuple[str, ...] = ()
    ranges: tuple[TimeRange, ...] = ()
    two_person: bool = False
    """Whether a second person must agree before this is lifted."""

    def to_json(self) -> dict[str, Any]:
        """The contract's reason object."""
        doc: dict[str, Any] = {
            "rule": self.rule,
            "rulebook": self.rulebook,
            "territory": self.territory,
            "outcome": self.outcome.word,
            "title": self.title.to_json(),
            "source": self.source,
            "finding_ids": list(self.finding_ids),
            "ranges": [[r.start_us, r.end_us] for r in self.ranges],
            "explanation": self.explanation.to_json(),
        }
        if self.two_person:
            doc["two_person"] = True
        return doc


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that must be done or supplied; listed beside the outcome, never an outcome."""

    what: Words
    rule: str
    territory: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the path to approval: what somebody could do so that the reasons would be gone."""

    what: Words
    removes: tuple[str, ...]
    """Rule ids it answers."""
    verified: bool
    """Whether re-evaluating with it was seen to change the outcome."""


@dataclass(frozen=True, slots=True)
class RulebookRef:
    """Which rulebook judged, bound to its bytes."""

    name: str
    version: int
    digest: str
    territory: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The reasons, all of them; everything that follows from them is derived, so it cannot disagree."""

    rulebooks: tuple[RulebookRef, ...]
    reasons: tuple[Reason, ...] = ()
    edits: tuple[Edit, ...] = ()
    """United, padded and clipped, in order of time."""
    audience: dict[str, Any] | None = None
    obligations: tuple[Obligation, ...] = ()
    path_to_approval: tuple[Step, ...] = ()
    not_checked: tuple[str, ...] = ()
    """Classifiers that left a Gap no selected rulebook requires: reported, never a hold."""
    advisories: tuple[Reason, ...] = ()
    """Rules that fired in shadow, or whose source may only advise: reported, no outcome."""
    trace: tuple[dict[str, Any], ...] = field(default=())
    """One entry per rule, fired or not, in order of rulebook and rule."""
    asked: tuple[str, ...] = ()
    """Territories asked about, whether or not a rulebook speaks for them."""

    @property
    def outcome(self) -> Outcome:
        """The strictest outcome any rule asked for, in any territory."""
        return max((r.outcome for r in self.reasons), default=Outcome.APPROVE)

    def outcome_in(self, territory: str) -> Outcome:
        """The strictest outcome in `territory`: of its own rulebooks and of those that apply everywhere."""
        return max((r.outcome for r in self.reasons_in(territory)), default=Outcome.APPROVE)

    def reasons_in(self, territory: str) -> tuple[Reason, ...]:
        """The reasons that count in `territory`."""
        return tuple(r for r in self.reasons if r.territory in (territory, "*"))

    @property
    def territories(self) -> tuple[str, ...]:
        """Every territory asked about or judged for, in order; "*" alone where there is none."""
        named = {r.territory for r in self.rulebooks if r.territory != "*"} | set(self.asked)
        return tuple(sorted(named)) or ("*",)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The contract's `verdict` object (design.md section 3)."""
    return {
        "outcome": verdict.outcome.word,
        "rulebooks": [
            {"name": r.name, "version": r.version, "digest": r.digest, "territory": r.territory}
            for r in verdict.rulebooks
        ],
        "reasons": [r.to_json() for r in verdict.reasons],
        "edits": [e.to_json() for e in verdict.edits],
        "audience": verdict.audience or {},
        "obligations": [_obligation(o) for o in verdict.obligations],
        "path_to_approval": [
            {"what": s.what.to_json(), "removes": list(s.removes), "verified": s.verified}
            for s in verdict.path_to_approval
        ],
        "not_checked": list(verdict.not_checked),
        "advisories": [r.to_json() for r in verdict.advisories],
    }


def territories_json(verdict: Verdict) -> dict[str, Any]:
    """The contract's `territories` object: outcome, reasons and obligations in each; "*" where none was named."""
    return {
        territory: {
            "outcome": verdict.outcome_in(territory).word,
            "reasons": [r.to_json() for r in verdict.reasons_in(territory)],
            "obligations": [_obligation(o) for o in verdict.obligations if o.territory in (territory, "*")],
        }
        for territory in verdict.territories
    }


def _obligation(obligation: Obligation) -> dict[str, Any]:
    return {"what": obligation.what.to_json(), "rule": obligation.rule, "territory": obligation.territory}
