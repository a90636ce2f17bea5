"""What must hold of every verdict, whatever the facts: stated as laws over the shipped rulebooks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.finding import Finding, Gap, Ran, Region, Screening, Surface
from policies.decide import decide
from policies.facts import LOOKS_AT, Facts, Gate
from policies.rulebook import find, shipped
from policies.taxonomy import Polarity, taxonomy
from policies.verdict import Outcome, Verdict, territories_json, verdict_json
from provenance.asset import AssetKind, TimeRange
from provenance.report import AiDisclosure, AigcLabel, ProvenanceReport, Seal
from provenance.rights import Answer, Covered

BOOKS = tuple(find(name) for name in shipped())
TREE = taxonomy()
ADVERSE = sorted(c for c, n in TREE.categories.items() if n.polarity is Polarity.ADVERSE)
OBSERVED = sorted(c for c, n in TREE.categories.items() if n.polarity is Polarity.OBSERVATION)
DURATION_US = 30_000_000
QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def finding(category: str, **given: Any) -> Finding:
    start, end = given.pop("start_us", 0), given.pop("end_us", 2_500_000)
    given.setdefault("surface", Surface.IMAGE)
    score = round(1_000_000 * given.pop("score", 0.9))
    return Finding("test", "1", category, score, where=TimeRange(start, end), **{"frames": 3, **given})


@st.composite
def findings(draw: st.DrawFn, categories: list[str]) -> Finding:
    start = draw(st.integers(0, DURATION_US - 2))
    end = draw(st.integers(start + 1, min(DURATION_US, start + 5_000_000)))
    category = draw(st.sampled_from(categories))
    measured = draw(
        st.dictionaries(st.sampled_from(["height_ratio", "distance", "contrast_ratio"]), st.floats(0, 1), max_size=2)
    )
    return Finding(
        "test",
        "1",
        category,
        draw(st.integers(0, 1_000_000)),
        draw(st.sampled_from(list(Surface))),
        TimeRange(start, end),
        frames=draw(st.integers(0, 5)),
        measured=measured,
        region=draw(st.sampled_from([None, Region(0.1, 0.1, 0.2, 0.2)])),
        subject=draw(st.sampled_from([None, "person:a"])) if category.startswith("likeness") else None,
        work=draw(st.sampled_from([None, "work:a"])) if category.startswith("copy") else None,
    )


ADVERSE_FINDINGS = findings(ADVERSE)
OBSERVATIONS = findings([*OBSERVED, *["label.ai_text"] * 10, *["label.number_card"] * 5])
ANSWERS = st.builds(
    Answer,
    st.sampled_from(["person:a", "work:a"]),
    st.sampled_from(["face", "voice", "reproduce", "synchronise", "adapt"]),
    st.sampled_from(["CN", "*", "US"]),
    st.sampled_from(list(Covered)),
    st.none(),
    st.just("示例"),
    st.just("an example"),
)
LABELS = st.one_of(
    st.none(),
    st.builds(
        AigcLabel,
        st.just({"Label": "1"}),
        st.just("x"),
        st.booleans(),
        st.integers(1, 2),
        st.sampled_from([True, None]),
    ),
)
REPORTS = st.builds(
    ProvenanceReport,
    seal=st.sampled_from(list(Seal)),
    problems=st.just(()),
    ai_disclosure=st.sampled_from(list(AiDisclosure)),
    aigc=LABELS,
    chain=st.just(()),
    signer=st.sampled_from([None, "a"]),
    trust_list=st.none(),
    generators=st.just(()),
    samples_in_hash=st.sampled_from([True, None]),
)
PRODUCTION: dict[str, Any] = {
    "type": "ai_realistic_human",
    "declared_cn_tier": "class3",
    "investment_cny": 100_000,
    "uploader_kind": "organisation",
    "source_work_kind": "original",
}
PAPERS: dict[str, Any] = {
    "gate": "publish",
    "asset": {"kind": "episode"},
    "series": {"id": "series:a", "title": "星河", "subject_flags": []},
    "production": PRODUCTION,
    "filings": [{"scheme": "cn.programme_no", "number": "2026-1"}],
    "commerce": {"model": "free"},
    "declarations": {"ai_generated": True},
}
KNOWN_PAPERS = st.sampled_from([None, PAPERS, {}, {"series": {"id": "series:b"}}, {"production": PRODUCTION}])


def works(papers: st.SearchStrategy[Any] = KNOWN_PAPERS) -> st.SearchStrategy[Facts]:
    return st.builds(
        facts,
        st.lists(st.one_of(ADVERSE_FINDINGS, OBSERVATIONS), max_size=5),
        gaps=st.sets(st.sampled_from(sorted(LOOKS_AT)), max_size=2),
        provenance=REPORTS,
        papers=papers,
        answers=st.lists(ANSWERS, max_size=3),
        kind=st.sampled_from([AssetKind.EPISODE, AssetKind.COVER, AssetKind.SCRIPT]),
        gate=st.sampled_from(list(Gate)),
    )


GOOD_LABEL = finding("label.ai_text", surface=Surface.SCREEN_TEXT, measured={"height_ratio": 0.06})
GOOD_REPORT = ProvenanceReport(
    seal=Seal.TRUSTED,
    problems=(),
    ai_disclosure=AiDisclosure.SIGNED,
    aigc=AigcLabel({"Label": "1"}, "x", conforming=True, copies=1, agrees_with_seal=True),
    chain=(),
    signer="a",
    trust_list="t",
    generators=(),
    samples_in_hash=True,
)


def facts(
    found: list[Finding],
    *,
    gaps: set[str] | frozenset[str] = frozenset(),
    provenance: ProvenanceReport | None = GOOD_REPORT,
    papers: dict[str, Any] | None = None,
    answers: list[Answer] | tuple[Answer, ...] = (),
    kind: AssetKind = AssetKind.EPISODE,
    gate: Gate = Gate.PUBLISH,
) -> Facts:
    ran = tuple(Ran(name, "1", 10, 10, 1) for name in sorted(set(LOOKS_AT) - set(gaps)))
    missing = tuple(Gap(name, "no weights", "pull them") for name in sorted(gaps))
    return Facts(
        asset_kind=kind,
        duration_us=DURATION_US,
        screening=Screening(DURATION_US, tuple(found), missing, ran),
        as_of=datetime(2026, 11, 1, tzinfo=UTC),
        provenance=provenance,
        papers=papers,
        answers=tuple(answers),
        gate=gate,
    )


def judged(work: Facts) -> Verdict:
    return decide(BOOKS, work, find_path=False)


def milder(after: Verdict, before: Verdict) -> list[str]:
    """Territories in which `after` is milder than `before`."""
    places = set(after.territories) | set(before.territories)
    return [t for t in places if after.outcome_in(t) < before.outcome_in(t)]


def with_finding(work: Facts, more: Finding) -> Facts:
    return replace(work, screening=replace(work.screening, findings=(*work.screening.findings, more)))


@QUICK
@given(works(), ADVERSE_FINDINGS)
def test_one_more_adverse_finding_is_never_milder(work: Facts, more: Finding) -> None:
    assert not milder(judged(with_finding(work, more)), judged(work))


@QUICK
@given(works(), OBSERVATIONS)
def test_one_more_observation_is_never_stricter(work: Facts, more: Finding) -> None:
    assert not milder(judged(work), judged(with_finding(work, more)))


@QUICK
@given(works(), st.sampled_from(sorted(LOOKS_AT)))
def test_one_more_gap_is_never_milder(work: Facts, name: str) -> None:
    screening = work.screening
    gap = Gap(name, "no weights", "pull them")
    less = replace(screening, gaps=(*screening.gaps, gap), ran=tuple(r for r in screening.ran if r.classifier != name))
    assert not milder(judged(replace(work, screening=less)), judged(work))


@QUICK
@given(works(), ANSWERS)
def test_one_more_grant_is_never_stricter(work: Facts, answer: Answer) -> None:
    granted = replace(answer, covered=Covered.YES)
    asked = [a for a in work.answers if (a.about, a.attribute) == (granted.about, granted.attribute)]
    if not any(a.territory == granted.territory for a in asked):
        granted = replace(granted, territory=asked[0].territory if asked else "*")
    assert not milder(judged(work), judged(replace(work, answers=(*work.answers, granted))))


@QUICK
@given(works(), st.randoms(use_true_random=False))
def test_order_never_matters(work: Facts, random: Any) -> None:
    books = [replace(b, rules=tuple(random.sample(b.rules, len(b.rules)))) for b in BOOKS]
    random.shuffle(books)
    shuffled = list(work.screening.findings)
    random.shuffle(shuffled)
    other = replace(
        work,
        screening=replace(work.screening, findings=tuple(shuffled), gaps=work.screening.gaps[::-1]),
        answers=work.answers[::-1],
    )
    assert verdict_json(decide(books, other)) == verdict_json(decide(BOOKS, work))
    assert decide(books, other).trace == decide(BOOKS, work).trace


@QUICK
@given(works())
def test_a_replay_is_the_same_bit_for_bit(work: Facts) -> None:
    again = Facts.from_json(json.loads(json.dumps(work.to_json())))
    first, second = decide(BOOKS, work), decide(BOOKS, again)
    assert json.dumps(verdict_json(first)) == json.dumps(verdict_json(second))
    assert json.dumps(territories_json(first)) == json.dumps(territories_json(second))
    assert first.trace == second.trace


@QUICK
@given(works(st.just(PAPERS)), st.sampled_from(["declared_cn_tier", "investment_cny", "source_work_kind"]))
def test_a_fact_less_is_never_an_approval(work: Facts, name: str) -> None:
    papers = {**PAPERS, "production": {k: v for k, v in PRODUCTION.items() if k != name}}
    verdict = judged(replace(work, papers=papers, gate=Gate.PUBLISH, asset_kind=AssetKind.EPISODE))
    assert verdict.outcome >= Outcome.HOLD
    assert any(r.rule == f"unknown:papers.production.{name}" for r in verdict.reasons)


@QUICK
@given(works(), st.sampled_from(sorted(set(LOOKS_AT) - {"provenance"})))
def test_a_required_classifier_that_did_not_run_never_approves(work: Facts, name: str) -> None:
    screening = work.screening
    silent = replace(
        screening,
        ran=tuple(r for r in screening.ran if r.classifier != name),
        gaps=tuple(g for g in screening.gaps if g.classifier != name),
    )
    verdict = judged(replace(work, screening=silent))
    holds = any(r.rule == f"gap:{name}" and r.outcome is Outcome.HOLD for r in verdict.reasons)
    assert holds == (work.asset_kind in LOOKS_AT[name])


@QUICK
@given(works())
def test_the_path_changes_nothing_and_removes_only_what_stands(work: Facts) -> None:
    bare, full = judged(work), decide(BOOKS, work)
    assert replace(full, path_to_approval=()) == bare
    standing = {r.rule for r in bare.reasons}
    for step in full.path_to_approval:
        assert set(step.removes) <= standing or not step.verified


def test_a_good_work_is_approved_by_every_rulebook() -> None:
    papers = {**PAPERS, "series": {**PAPERS["series"], "title": "星河"}}
    card = finding("label.number_card", surface=Surface.SCREEN_TEXT)
    verdict = decide(BOOKS, facts([GOOD_LABEL, card], papers=papers))
    assert [(r.rule, r.explanation.en) for r in verdict.reasons] == []
    assert verdict.outcome is Outcome.APPROVE
    assert verdict.path_to_approval == ()


@pytest.mark.parametrize("days", [0, 400])
def test_rulebooks_judge_only_while_in_force(days: int) -> None:
    labeling = find("cn-labeling")
    work = replace(facts([]), as_of=datetime(2025, 8, 31, tzinfo=UTC) + timedelta(days=days))
    rules = [r.rule for r in decide([labeling], work).reasons]
    assert rules == (["cn-labeling.start"] if days else ["unknown:rulebook"])


def test_no_rulebook_is_no_approval() -> None:
    verdict = decide([], facts([]))
    assert verdict.outcome is Outcome.HOLD
    assert [r.rule for r in verdict.reasons] == ["unknown:rulebook"]


def test_a_category_nobody_knows_is_held() -> None:
    verdict = judged(facts([GOOD_LABEL, finding("weather.rain")], papers=PAPERS))
    assert "unknown:category" in [r.rule for r in verdict.reasons]
