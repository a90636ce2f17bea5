"""What the rulebooks say of one text by itself: a line of dialogue, a title, a comment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from classifiers.finding import Finding, Ran, Screening, Surface, millionths
from classifiers.text_screen import VERSION, Hit, TextScreen
from policies.decide import decide
from policies.facts import Facts
from policies.rulebook import select
from policies.verdict import Outcome
from provenance.asset import AssetKind, TimeRange

Json = dict[str, Any]


def judge_text(screen: TextScreen, text: str, rulebooks: Iterable[str] = (), territories: Iterable[str] = ()) -> Json:
    """{"text", "findings": [{category, score, start, end, matched}], "outcome", "reasons"}; positions in characters.

    Only rules that rest on something found in the text count: what a whole work must carry (a seal, a label,
    a filing number) is not asked of a line. Raises RulebookError for an unknown rulebook or territory.
    """
    hits = screen.screen(text)
    found = [_finding(hit, screen) for hit in hits]
    ran = Ran("text", VERSION, 0, 0, 0)
    books = select(names=tuple(rulebooks), territories=tuple(territories))
    facts = Facts(
        asset_kind=AssetKind.SCRIPT,
        duration_us=1,
        screening=Screening(duration_us=1, findings=tuple(found), ran=(ran,)),
        as_of=datetime.now(UTC),
    )
    ids = {finding.id for finding in found}
    reasons = [r for r in decide(books, facts, find_path=False).reasons if ids & set(r.finding_ids)]
    outcome = max((r.outcome for r in reasons), default=Outcome.APPROVE)
    return {
        "text": text,
        "findings": [
            {"category": h.category, "score": h.score, "start": h.start, "end": h.end, "matched": h.matched}
            for h in hits
        ],
        "outcome": outcome.word,
        "reasons": [
            {
                "rule": r.rule,
                "rulebook": r.rulebook,
                "outcome": r.outcome.word,
                "title": r.title.to_json(),
                "explanation": r.explanation.to_json(),
            }
            for r in reasons
        ],
    }


def _finding(hit: Hit, screen: TextScreen) -> Finding:
    return Finding(
        classifier="text",
        version=f"{VERSION}.{screen.digest[:12]}",
        category=hit.category,
        score_millionths=millionths(hit.score),
        surface=Surface.SCRIPT,
        where=TimeRange(0, 1),
        frames=0,
        measured={"from_char": float(hit.start), "to_char": float(hit.end)},
        text=hit.matched,
    )
