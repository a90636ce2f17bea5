"""Everything a rulebook may ask about, three-valued: known, known not to be, and unknown.

`Facts` is what the pipeline hands over. `Sheet` is the same prepared for judging, once for all rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, cached_property
from importlib import resources
from typing import Any

from classifiers.finding import Finding, Screening, Surface
from policies.cel import Language, Many, Record, Scalar, Shape, Table
from provenance.asset import AssetKind, TimeRange
from provenance.report import AiDisclosure, ProvenanceReport, Seal
from provenance.rights import Answer, Covered, attribute_of

EVERYWHERE = "*"
"""The territory of rulebooks that speak for no territory in particular."""


class Gate(StrEnum):
    """How far the work has come (`gate` of the papers)."""

    PRESCREEN = "prescreen"
    """Filing numbers are not needed yet: class 3 numbers are assigned after review."""
    PUBLISH = "publish"


@dataclass(frozen=True)
class Facts:
    """What is known of one work when it is judged."""

    asset_kind: AssetKind
    duration_us: int
    screening: Screening
    as_of: datetime
    """When it is to be published; rules are judged as of this instant. Carries its time zone."""
    provenance: ProvenanceReport | None = None
    """None where nobody checked: a gap of `provenance`."""
    papers: Mapping[str, Any] | None = None
    """episode.schema.json; whatever is absent is unknown."""
    series: Mapping[str, Any] | None = None
    """series.schema.json: the record of the papers' series.id in the registry, where there is one."""
    answers: tuple[Answer, ...] = ()
    gate: Gate = Gate.PUBLISH
    territories: tuple[str, ...] = ()
    """Where it is to be shown, as asked for; empty where nobody said."""

    def __post_init__(self) -> None:
        """Refuse an instant without a time zone: a rule would be in force or not by where the server stands."""
        if self.as_of.tzinfo is None:
            raise ValueError(f"as_of has no time zone: {self.as_of}")

    def to_json(self) -> dict[str, Any]:
        """Everything a replay needs, as JSON values."""
        return {
            "asset_kind": self.asset_kind.value,
            "duration_us": self.duration_us,
            "screening": self.screening.to_json(),
            "as_of": self.as_of.isoformat(),
            "provenance": None if self.provenance is None else self.provenance.to_json(),
            "papers": self.papers,
            "series": self.series,
            "answers": [
                {
                    "about": a.about,
                    "attribute": a.attribute,
                    "territory": a.territory,
                    "covered": a.covered.value,
                    "grant": a.grant,
                    "why_zh": a.why_zh,
                    "why_en": a.why_en,
                }
                for a in self.answers
            ],
            "gate": self.gate.value,
            "territories": list(self.territories),
        }

    @classmethod
    def from_json(cls, doc: Mapping[str, Any]) -> Facts:
        """The facts `to_json` wrote. Raises KeyError or ValueError where `doc` is not facts."""
        return cls(
            asset_kind=AssetKind(doc["asset_kind"]),
            duration_us=doc["duration_us"],
            screening=Screening.from_json(doc["screening"]),
            as_of=datetime.fromisoformat(doc["as_of"]),
            provenance=None if doc["provenance"] is None else ProvenanceReport.from_json(doc["provenance"]),
            papers=doc["papers"],
            series=doc["series"],
            answers=tuple(Answer(**{**a, "covered": Covered(a["covered"])}) for a in doc["answers"]),
            gate=Gate(doc["gate"]),
            territories=tuple(doc["territories"]),
        )


@dataclass(frozen=True)
class Sheet:
    """Facts prepared for judging: findings in order (those of the provenance added), values for conditions."""

    facts: Facts

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in order of time, category and id; equal ones once."""
        every = {f.id: f for f in (*self.facts.screening.findings, *provenance_findings(self.facts))}
        return tuple(sorted(every.values(), key=lambda f: (f.where, f.category, f.id)))

    @cached_property
    def by_category(self) -> dict[str, list[Finding]]:
        """The findings of each category that has any."""
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.category, []).append(finding)
        return found

    @cached_property
    def values(self) -> dict[str, Any]:
        """The variables every condition shares (`matched` is added per rule, `clock` per rulebook)."""
        facts, speak = self.facts, language()
        plain = {
            "papers": stated(facts),
            "series": dict(facts.series or {}),
            "provenance": _provenance(facts.provenance),
            "screening": {"duration_us": facts.screening.duration_us, "shots": len(facts.screening.shots)},
            "asset": {"kind": facts.asset_kind.value, "duration_us": facts.duration_us},
        }
        return {name: speak.value(VARIABLES()[name], value) for name, value in plain.items()}

    def clock(self, territory: str) -> Any:
        """The `clock` variable for a rulebook of `territory`."""
        plain = {"as_of": self.facts.as_of, "gate": self.facts.gate.value, "territory": territory}
        return language().value(VARIABLES()["clock"], plain)

    def covered(self, finding: Finding, territory: str) -> Covered:
        """Whether a recorded grant covers the person or work `finding` matched, where `territory`'s rules apply.

        Any one grant suffices in each place; a rulebook of no territory wants cover in every place asked about.
        UNKNOWN where nothing was matched or nobody asked the registry.
        """
        about, attribute = finding.subject or finding.work, attribute_of(finding.category)
        places: dict[str, Covered] = {}
        for answer in self.facts.answers:
            if answer.about != about or (attribute is not None and answer.attribute != attribute):
                continue
            if territory not in (EVERYWHERE, answer.territory) and answer.territory != EVERYWHERE:
                continue
            best = places.get(answer.territory)
            if best is None or _STRICTNESS[answer.covered] < _STRICTNESS[best]:
                places[answer.territory] = answer.covered
        return max(places.values(), key=_STRICTNESS.__getitem__, default=Covered.UNKNOWN)

    def message(self, finding: Finding, territory: str) -> Any:
        """`finding` as conditions see it."""
        key = (finding.id, territory)
        made = self._messages.get(key)
        if made is None:
            region = finding.region
            made = self._messages[key] = language().message_of(_FINDING)(
                id=finding.id,
                category=finding.category,
                score=finding.score,
                start_us=finding.where.start_us,
                end_us=finding.where.end_us,
                frames=finding.frames,
                surface=finding.surface.value,
                calibrated=finding.calibrated,
                classifier=finding.classifier,
                subject=finding.subject or "",
                work=finding.work or "",
                text=finding.text or "",
                covered=self.covered(finding, territory).value,
                measured=finding.measured,
                region={} if region is None else {"x": region.x, "y": region.y, "w": region.w, "h": region.h},
            )
        return made

    @cached_property
    def _messages(self) -> dict[tuple[str, str], Any]:
        return {}


_STRICTNESS = {Covered.YES: 0, Covered.UNKNOWN: 1, Covered.NO: 2}

PICTURES = frozenset(
    {AssetKind.EPISODE, AssetKind.TRAILER, AssetKind.SHOT, AssetKind.COVER, AssetKind.IMAGE, AssetKind.CHARACTER_SHEET}
)
SOUNDS = frozenset({AssetKind.EPISODE, AssetKind.TRAILER, AssetKind.SHOT, AssetKind.AUDIO})
TIMED = SOUNDS
"""Kinds that last: only of these can a part be cut."""
RENDERED = PICTURES | SOUNDS
"""Kinds whose picture or sound the gateway can change."""

LOOKS_AT: Mapping[str, frozenset[AssetKind]] = {
    "calibration_card": PICTURES,
    "near_copy": PICTURES,
    "screen_text": PICTURES,
    "ai_label": PICTURES,
    "likeness": PICTURES,
    "explicit_content": PICTURES,
    "speech": SOUNDS,
    "voice": SOUNDS,
    "text": frozenset(AssetKind),
    "semantics": frozenset(AssetKind),
    "provenance": frozenset(AssetKind),
}
"""What a rulebook may require, and of which kinds of work it then is required: nobody looks for faces in a script."""


def provenance_findings(facts: Facts) -> tuple[Finding, ...]:
    """What the provenance report means in categories, over the whole work. These stand beside the classifiers'."""
    report = facts.provenance
    if report is None:
        return ()
    codes = {p.code for p in report.problems}
    aigc = report.aigc
    signed = report.ai_disclosure is AiDisclosure.SIGNED
    papers = facts.papers or {}
    denied = (papers.get("declarations") or {}).get("ai_generated") is False
    denied = denied or (papers.get("production") or {}).get("ai_extent") == "none"
    said = {
        "seal.absent": report.seal is Seal.ABSENT,
        "seal.invalid": report.seal is Seal.INVALID,
        "seal.tainted": report.seal is Seal.TAINTED,
        "seal.untrusted": report.seal is Seal.VALID,
        "seal.swapped": report.samples_in_hash is False or "samplesOutsideHash" in codes,
        "seal.disagrees": aigc is not None and aigc.agrees_with_seal is False,
        "undeclared_ai": denied and report.ai_disclosure is not AiDisclosure.NONE,
        "label.ai_metadata": aigc is not None and aigc.conforming and aigc.copies == 1,
        "tool.signed": signed,
        "tool.metadata": bool(report.generators),
        "tool.declared": bool((papers.get("production") or {}).get("tools")),
    }
    whole = TimeRange(0, max(1, facts.duration_us))
    return tuple(
        Finding("provenance", "1", category, 1_000_000, Surface.PROVENANCE, whole, frames=0)
        for category, there in said.items()
        if there
    )


def stated(facts: Facts) -> dict[str, Any]:
    """The papers, with what they do not state taken from the series' record (series.schema.json)."""
    papers: dict[str, Any] = dict(facts.papers or {})
    record = facts.series or {}
    series = dict(papers.get("series") or {})
    for key in ("id", "title", "season", "episodes_total", "subject_flags"):
        if series.get(key) is None and record.get(key) is not None:
            series[key] = record[key]
    production = {**(record.get("production") or {})}
    for key in ("investment_cny", "tools"):
        if record.get(key) is not None:
            production[key] = record[key]
    production.update({k: v for k, v in (papers.get("production") or {}).items() if v is not None})
    papers["series"], papers["production"] = series, production
    for key in ("filings", "rights_holder"):
        if papers.get(key) is None and record.get(key) is not None:
            papers[key] = record[key]
    return papers


def _provenance(report: ProvenanceReport | None) -> dict[str, Any]:
    if report is None:
        return {}
    aigc: dict[str, Any] = {"present": report.aigc is not None}
    if report.aigc is not None:
        aigc |= {
            "conforming": report.aigc.conforming,
            "copies": report.aigc.copies,
            "label": report.aigc.fields.get("Label"),
            "content_producer": report.aigc.fields.get("ContentProducer"),
            "agrees_with_seal": report.aigc.agrees_with_seal,
        }
    return {
        "seal": report.seal.value,
        "ai_disclosure": report.ai_disclosure.value,
        "problems": [p.code for p in report.problems],
        "generators": list(report.generators),
        "manifests": len(report.chain),
        "signer": report.signer,
        "samples_in_hash": report.samples_in_hash,
        "aigc": aigc,
    }


_STRING, _INT, _DOUBLE, _BOOL = Scalar("string"), Scalar("int"), Scalar("double"), Scalar("bool")

MEASURED = (
    "area_ratio",
    "bit_distance",
    "confidence",
    "contrast_ratio",
    "cosine",
    "distance",
    "distance_out_of_step",
    "face_px",
    "first_seen_us",
    "from_char",
    "height_px",
    "height_ratio",
    "hits",
    "legibility",
    "longest_run_us",
    "margin",
    "margin_to_next",
    "match",
    "matched_share",
    "mean_distance",
    "ocr_score",
    "share",
    "sharpness",
    "source_end_us",
    "source_start_us",
    "to_char",
    "wrong_fields",
)
"""Measured values a condition may read. A finding may carry others; a rule that wants them adds the name here."""

_FINDING = Record(
    "Finding",
    {
        "id": _STRING,
        "category": _STRING,
        "score": _DOUBLE,
        "start_us": _INT,
        "end_us": _INT,
        "frames": _INT,
        "surface": Scalar("string", frozenset(s.value for s in Surface)),
        "calibrated": _BOOL,
        "classifier": _STRING,
        "subject": _STRING,
        "work": _STRING,
        "text": _STRING,
        "covered": Scalar("string", frozenset(c.value for c in Covered)),
        "measured": Record("Measured", dict.fromkeys(MEASURED, _DOUBLE)),
        "region": Record("Region", dict.fromkeys(("x", "y", "w", "h"), _DOUBLE)),
    },
    dense=True,
)


@cache
def VARIABLES() -> dict[str, Shape]:
    """The shape of every variable a condition may name. Read from the papers' own schemas, so they cannot differ."""
    papers = _schema("episode.schema.json")
    series = _schema("series.schema.json")
    series["properties"]["production"] = papers["properties"]["production"]
    series["properties"]["rights_holder"] = papers["properties"]["rights_holder"]
    series["properties"]["filings"] = papers["properties"]["filings"]
    series["properties"]["tools"] = papers["properties"]["production"]["properties"]["tools"]
    seals = Scalar("string", frozenset(s.value for s in Seal))
    disclosures = Scalar("string", frozenset(d.value for d in AiDisclosure))
    return {
        "papers": _shape("Papers", papers),
        "series": _shape("Series", series),
        "provenance": Record(
            "Provenance",
            {
                "seal": seals,
                "ai_disclosure": disclosures,
                "problems": Many(_STRING),
                "generators": Many(_STRING),
                "manifests": _INT,
                "signer": _STRING,
                "samples_in_hash": _BOOL,
                "aigc": Record(
                    "Aigc",
                    {
                        "present": _BOOL,
                        "conforming": _BOOL,
                        "copies": _INT,
                        "label": _STRING,
                        "content_producer": _STRING,
                        "agrees_with_seal": _BOOL,
                    },
                ),
            },
        ),
        "screening": Record("Screening", {"duration_us": _INT, "shots": _INT}),
        "matched": Many(_FINDING),
        "clock": Record(
            "Clock",
            {
                "as_of": Scalar("timestamp"),
                "gate": Scalar("string", frozenset(g.value for g in Gate)),
                "territory": _STRING,
            },
            dense=True,
        ),
        "asset": Record(
            "Asset", {"kind": Scalar("string", frozenset(k.value for k in AssetKind)), "duration_us": _INT}
        ),
    }


@cache
def language() -> Language:
    """The language of conditions: CEL over `VARIABLES`."""
    return Language(VARIABLES())


def _schema(name: str) -> dict[str, Any]:
    text = resources.files("provenance").joinpath("schemas", name).read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    """The shape a JSON Schema describes; records are named after the path to them."""
    kinds = schema.get("type", "string")
    kind = next(k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null")
    if kind == "object":
        if "properties" in schema:
            inner = schema["properties"].items()
            return Record(name, {key: _shape(f"{name}_{key}", value) for key, value in inner})
        return Table(_STRING)
    if kind == "array":
        return Many(_shape(f"{name}_item", schema.get("items", {})))
    words = frozenset(schema["enum"]) if "enum" in schema else frozenset()
    return Scalar({"string": "string", "integer": "int", "number": "double", "boolean": "bool"}[kind], words)
