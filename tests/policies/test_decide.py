"""What a verdict says: outcomes, edits, holds, obligations, audiences, advisories, paths; edges pinned by example."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policies.decide import decide
from policies.facts import Facts, language
from policies.rule import Rulebook, Span
from policies.rulebook import facts_of_case, find, read
from policies.verdict import Outcome, Verdict, territories_json, verdict_json
from provenance.report import Seal

LABEL = {
    "category": "label.ai_text",
    "score": 0.95,
    "start_us": 0,
    "end_us": 2_500_000,
    "surface": "screen_text",
    "measured": {"height_ratio": 0.06},
}


def book(then: str, *, match: str = "{categories: [violence.**]}", extra: str = "", name: str = "b") -> Rulebook:
    """A rulebook of one house rule that follows from violence."""
    text = f"""\
rulebook: {name}
version: 1
title: {{zh: 测试, en: Test}}
territory: "*"
effective: null
gates: [prescreen, publish]
taxonomy: drama@1
requires: []
rules:
  - id: {name}.rule
    title: {{zh: 测试, en: Test}}
    source: {{kind: house, cite: "House", read: primary, confidence: high}}
    match: {match}
    then: {{{then}, reason: {{zh: 测试, en: Test}}}}
{extra}    cases:
      - name: fires
        given: {{findings: [{{category: violence.fight, score: 1.0, start_us: 0, end_us: 10000000}}]}}
        expect: {{outcome: {then.split(",")[0].split(": ")[1]}, fired: [{name}.rule]}}
      - name: silent
        given: {{findings: [{{category: sexual.partial, score: 1.0, start_us: 0, end_us: 10000000}}]}}
        expect: {{outcome: approve, silent: [{name}.rule]}}
"""
    return read(text.encode(), f"{name}.yaml")


def fights(*ranges: tuple[int, int], **given: Any) -> Facts:
    found = [{"category": "violence.fight", "score": 0.9, "start_us": a, "end_us": b} for a, b in ranges]
    return facts_of_case({"findings": found, **given})


def edits(verdict: Verdict) -> list[tuple[int, int, str]]:
    return [(e.where.start_us, e.where.end_us, e.do.value) for e in verdict.edits]


CUT = "outcome: segment, edits: [{do: cut, pad_us: 400000}]"


def test_cuts_are_padded_clipped_and_united() -> None:
    verdict = decide([book(CUT)], fights((0, 1_000_000), (1_500_000, 2_000_000), (59_900_000, 60_000_000)))
    assert edits(verdict) == [(0, 2_400_000, "cut"), (59_500_000, 60_000_000, "cut")]
    assert verdict.outcome is Outcome.SEGMENT


def test_cuts_of_two_rulebooks_are_one() -> None:
    books = [book(CUT, name="a"), book(CUT, name="b")]
    assert [(e.where.start_us, e.rule) for e in decide(books, fights((5_000_000, 6_000_000))).edits] == [
        (4_600_000, "a.rule, b.rule")
    ]


@pytest.mark.parametrize(("end_us", "outcome"), [(29_600_000, Outcome.SEGMENT), (29_600_001, Outcome.HOLD)])
def test_half_of_the_work_must_be_left(end_us: int, outcome: Outcome) -> None:
    verdict = decide([book(CUT)], fights((0, end_us)))
    assert verdict.outcome is outcome
    assert ("edits:too_little_kept" in [r.rule for r in verdict.reasons]) == (outcome is Outcome.HOLD)


def test_a_script_cannot_be_edited_and_is_held() -> None:
    blur = book("outcome: segment, edits: [{do: blur}]")
    work = fights((0, 1_000_000), asset_kind="script")
    assert [r.rule for r in decide([blur], work).reasons] == ["edits:not_possible", "b.rule"]
    assert decide([blur], fights((0, 1_000_000))).outcome is Outcome.SEGMENT


def test_nothing_is_blurred_that_is_cut() -> None:
    books = [book(CUT, name="a"), book("outcome: segment, edits: [{do: blur, region: finding}]", name="b")]
    assert edits(decide(books, fights((5_000_000, 6_000_000)))) == [(4_600_000, 6_400_000, "cut")]


def test_a_blur_lies_where_the_finding_was() -> None:
    blur = book("outcome: segment, edits: [{do: blur, region: finding}]")
    found = {"category": "violence.fight", "score": 0.9, "start_us": 0, "end_us": 9, "region": [0.1, 0.2, 0.3, 0.4]}
    verdict = decide([blur], facts_of_case({"findings": [found, {**found, "region": None, "start_us": 3}]}))
    assert [(e.where.start_us, e.region) for e in verdict.edits] == [(0, (0.1, 0.2, 0.3, 0.4)), (3, None)]


def test_a_label_outlasts_the_cut_beneath_it() -> None:
    label = "outcome: segment, edits: [{do: overlay_label, start_us: 0, end_us: 3000000, text: {zh: 标, en: L}}]"
    books = [book(CUT, name="a"), book(label, name="b")]
    assert edits(decide(books, fights((600_000, 1_600_000)))) == [
        (0, 4_800_000, "overlay_label"),
        (200_000, 2_000_000, "cut"),
    ]


def test_short_and_rare_findings_do_not_match_until_joined() -> None:
    text = {"score": 0.9, "category": "violence.fight", "frames": 2}
    strict = book_with_frames()
    apart = facts_of_case(
        {"findings": [{**text, "start_us": 0, "end_us": 500_000}, {**text, "start_us": 600_001, "end_us": 1_100_001}]}
    )
    joined = facts_of_case(
        {"findings": [{**text, "start_us": 0, "end_us": 500_000}, {**text, "start_us": 600_000, "end_us": 1_100_000}]}
    )
    assert decide([strict], apart).outcome is Outcome.APPROVE
    assert decide([strict], joined).outcome is Outcome.HOLD


def book_with_frames() -> Rulebook:
    loose = book("outcome: hold")
    rule = loose.rules[0]
    assert rule.match is not None
    match = replace(rule.match, min_duration_us=1_000_000, min_frames=4, merge_gap_us=100_000)
    return replace(loose, rules=(replace(rule, match=match),))


def test_shadow_and_off_cost_nothing() -> None:
    shadow = book("outcome: reject", extra="    mode: shadow\n")
    verdict = decide([shadow], fights((0, 9)))
    assert (verdict.outcome, [r.rule for r in verdict.advisories]) == (Outcome.APPROVE, ["b.rule"])
    off = book("outcome: reject", extra="    mode: off\n")
    verdict = decide([off], fights((0, 9)))
    assert (verdict.outcome, verdict.advisories, verdict.trace[0]["state"]) == (Outcome.APPROVE, (), "off")
    assert decide([book("outcome: reject")], fights((0, 9))).outcome is Outcome.REJECT


def test_a_rollout_takes_its_share_of_series_and_all_that_are_not_named() -> None:
    tenth = book("outcome: reject", extra="    rollout: {percent: 10, by: series}\n")
    hit = sum(
        decide([tenth], fights((0, 9), papers={"series": {"id": f"series:{n}"}}), find_path=False).outcome
        is Outcome.REJECT
        for n in range(300)
    )
    assert 15 <= hit <= 45
    assert decide([tenth], fights((0, 9))).outcome is Outcome.REJECT


def test_audiences_are_joined_to_the_strictest() -> None:
    books = [
        book("outcome: segment, audience: {tier: t1, min_age: 12, flags: [a]}", name="a"),
        book("outcome: segment, audience: {min_age: 16, flags: [b]}", name="b"),
    ]
    assert decide(books, fights((0, 9))).audience == {"tier": "t1", "min_age": 16, "flags": ["a", "b"]}


def test_an_adverse_finding_nobody_measured_is_held() -> None:
    near = book("outcome: reject", extra="    when: 'matched.exists(f, f.score > 0.95 || f.measured.distance < 0.3)'\n")
    sure = {"category": "violence.fight", "score": 0.9, "start_us": 0, "end_us": 9}
    verdict = decide([near], facts_of_case({"findings": [sure]}))
    assert [(r.rule, r.outcome) for r in verdict.reasons] == [("unknown:finding.measured.distance", Outcome.HOLD)]
    measured = {**sure, "measured": {"distance": 0.2}}
    assert decide([near], facts_of_case({"findings": [sure, measured]})).outcome is Outcome.REJECT
    measured = {**sure, "measured": {"distance": 0.4}}
    assert decide([near], facts_of_case({"findings": [measured]})).outcome is Outcome.APPROVE


def test_territories_are_judged_apart_and_the_house_everywhere() -> None:
    books = [find("house-default"), find("cn-labeling")]
    verdict = decide(books, facts_of_case({"findings": [], "territories": ["CN", "NZ"]}))
    assert {t: d["outcome"] for t, d in territories_json(verdict).items()} == {"CN": "segment", "NZ": "approve"}
    copied = {"category": "copy.video", "score": 0.9, "start_us": 0, "end_us": 9, "work": "work:a"}
    answer = {"about": "work:a", "attribute": "reproduce", "covered": "no"}
    verdict = decide(books, facts_of_case({"findings": [copied], "answers": [answer], "territories": ["NZ"]}))
    assert {t: d["outcome"] for t, d in territories_json(verdict).items()} == {"CN": "reject", "NZ": "reject"}


def test_gaps_hold_only_where_required() -> None:
    books = [find("house-default"), find("cn-labeling")]
    verdict = decide(books, facts_of_case({"findings": [LABEL], "gaps": ["speech", "semantics", "voice"]}))
    assert (verdict.outcome, verdict.not_checked) == (Outcome.APPROVE, ("semantics", "speech", "voice"))
    verdict = decide([*books, find("cn-nrta")], facts_of_case({"findings": [LABEL], "gaps": ["speech"]}))
    assert "gap:speech" in [r.rule for r in verdict.reasons]
    assert verdict.not_checked == ()


def test_nobody_having_checked_provenance_is_a_gap() -> None:
    work = replace(facts_of_case({"findings": [LABEL]}), provenance=None)
    assert "gap:provenance" in [r.rule for r in decide([find("house-default")], work).reasons]


@pytest.mark.parametrize(
    ("seal", "outcome", "obligations"),
    [
        (Seal.TRUSTED, Outcome.APPROVE, 0),
        (Seal.VALID, Outcome.APPROVE, 1),
        (Seal.ABSENT, Outcome.APPROVE, 1),
        (Seal.INVALID, Outcome.REJECT, 0),
        (Seal.TAINTED, Outcome.REJECT, 0),
    ],
)
def test_seals(seal: Seal, outcome: Outcome, obligations: int) -> None:
    work = facts_of_case({"findings": [LABEL], "provenance": {"seal": seal.value}})
    verdict = decide([find("house-default"), find("cn-labeling")], work)
    assert (verdict.outcome, len(verdict.obligations)) == (outcome, obligations)


def test_a_money_table_by_date_and_form() -> None:
    """¥900,000 on 2026-08-01: an AI drama is class 1, the same as live action class 3."""

    def classed(form: str, declared: str) -> list[str]:
        production = {"type": form, "declared_cn_tier": declared, "investment_cny": 900_000}
        papers = {"series": {"subject_flags": []}, "production": production}
        work = facts_of_case({"papers": papers, "as_of": "2026-08-01T00:00:00+08:00"})
        return [r.rule for r in decide([find("cn-nrta")], work).reasons if "class" in r.rule]

    assert classed("ai_realistic_human", "class1") == []
    assert classed("ai_realistic_human", "class3") == ["cn-nrta.class-ai"]
    assert classed("live_action", "class3") == []
    assert classed("live_action", "class1") == ["cn-nrta.class-live"]


def test_the_path_names_what_would_help() -> None:
    copied = {"category": "copy.video", "score": 0.9, "start_us": 1_000_000, "end_us": 2_000_000, "work": "work:a"}
    work = facts_of_case(
        {"findings": [copied], "answers": [{"about": "work:a", "attribute": "reproduce", "covered": "no"}]}
    )
    verdict = decide([find("house-default"), find("cn-labeling")], work)
    told = [(s.what.en, s.removes, s.verified) for s in verdict.path_to_approval]
    assert told == [
        (
            "obtain and register the consent or licence of work:a (reproduce)",
            ("house.copy", "house.copy-unclear"),
            True,
        ),
        ("let the gateway make the edits listed", ("cn-labeling.start",), True),
    ]


def test_a_path_asks_for_papers_only_the_submitter_knows() -> None:
    papers = {
        "series": {"subject_flags": []},
        "production": {"type": "ai_realistic_human", "declared_cn_tier": "class3"},
    }
    verdict = decide([find("cn-nrta")], facts_of_case({"papers": papers}))
    asked = [s.what.en for s in verdict.path_to_approval if not s.verified]
    assert "state production.investment_cny in the papers" in asked


def test_the_series_record_answers_for_silent_papers() -> None:
    papers = {"series": {"id": "series:a"}, "production": {"type": "ai_realistic_human", "declared_cn_tier": "class3"}}
    series = {"id": "series:a", "title": "a", "subject_flags": [], "investment_cny": 100_000}

    def classed(**given: Any) -> list[str]:
        verdict = decide([find("cn-nrta")], facts_of_case({"papers": papers, **given}))
        return [r.rule for r in verdict.reasons if "investment" in r.rule or "class" in r.rule]

    assert classed() == ["unknown:papers.production.investment_cny"]
    assert classed(series=series) == []
    assert classed(series={**series, "investment_cny": 900_000}) == ["cn-nrta.class-ai"]


def test_the_contracts_verdict() -> None:
    verdict = decide([find("cn-labeling")], facts_of_case({"findings": []}))
    document = verdict_json(verdict)
    assert document["outcome"] == "segment"
    assert document["rulebooks"][0]["name"] == "cn-labeling"
    assert document["edits"] == [
        {
            "do": "overlay_label",
            "start_us": 0,
            "end_us": 3_000_000,
            "rule": "cn-labeling.start",
            "text": {"zh": "本内容由AI生成", "en": "AI-generated"},
        }
    ]
    assert document["reasons"][0]["source"]["cite"] == "GB 45438-2025 5.2; 标识办法 4(3)"


def test_an_unmeasured_label_does_not_lengthen_a_measured_one() -> None:
    short = {**LABEL, "end_us": 1_000_000}
    more = {**LABEL, "start_us": 1_000_000, "end_us": 9_000_000, "measured": {}}
    labeling = find("cn-labeling")
    assert decide([labeling], facts_of_case({"findings": [short, more]})).outcome is Outcome.SEGMENT
    assert decide([labeling], facts_of_case({"findings": [short, {**more, **short, "end_us": 9_000_000}]})).outcome is (
        Outcome.APPROVE
    )


def test_joined_observations_wear_the_lowest_score() -> None:
    labeling = find("cn-labeling")
    rule = next(r for r in labeling.rules if r.id == "cn-labeling.start")
    strict = replace(rule, when=language().compile("!matched.exists(f, f.score > 0.9)"))
    book_of_one = replace(labeling, rules=(strict,))
    halves = [{**LABEL, "end_us": 1_500_000}, {**LABEL, "start_us": 1_500_000, "end_us": 3_000_000, "score": 0.85}]
    assert decide([book_of_one], facts_of_case({"findings": halves})).outcome is Outcome.SEGMENT
    assert decide([book_of_one], facts_of_case({"findings": [LABEL]})).outcome is Outcome.APPROVE


def test_the_house_wants_cover_in_every_place_and_a_territory_in_its_own() -> None:
    found = {"category": "likeness.face", "score": 0.9, "start_us": 0, "end_us": 9, "subject": "person:a"}

    def held(**places: str) -> list[str]:
        answers = [
            {"about": "person:a", "attribute": "face", "territory": place, "covered": covered}
            for place, covered in places.items()
        ]
        work = facts_of_case({"findings": [found], "answers": answers})
        verdict = decide([find("house-default"), find("cn-nrta")], work)
        return [r.rule for r in verdict.reasons if "likeness" in r.rule]

    assert held(CN="yes", US="yes") == []
    assert held(CN="yes", US="no") == ["house.likeness"]
    assert held(CN="no", US="yes") == ["cn-person.likeness", "house.likeness"]
    assert held(CN="unknown") == ["cn-person.likeness", "house.likeness"]
    assert held() == ["cn-person.likeness", "house.likeness"]


def test_what_was_not_seen_in_frames_owes_none_and_one_frame_more_does_not_silence_it() -> None:
    strict = book_with_frames()
    said = {"category": "violence.fight", "score": 0.9, "start_us": 0, "end_us": 2_000_000, "frames": 0}
    seen = {**said, "end_us": 40_000, "frames": 1}
    assert decide([strict], facts_of_case({"findings": [said]})).outcome is Outcome.HOLD
    assert decide([strict], facts_of_case({"findings": [said, seen]})).outcome is Outcome.HOLD
    assert decide([strict], facts_of_case({"findings": [{**said, "frames": 3}]})).outcome is Outcome.APPROVE


def test_a_step_that_would_not_help_is_not_named() -> None:
    tainted = {"category": "likeness.tainted_artist", "score": 0.9, "start_us": 0, "end_us": 1_000_000}
    answer = {"about": "person:a", "attribute": "face", "territory": "CN", "covered": "yes"}
    work = facts_of_case({"findings": [{**tainted, "subject": "person:a"}], "answers": [answer]})
    nrta = find("cn-nrta")
    one = replace(nrta, rules=tuple(r for r in nrta.rules if r.id == "cn-nrta.tainted-artist"))
    assert [s.what.en for s in decide([one], work).path_to_approval] == ["remove or replace 0.00-1.00 s"]


def test_the_last_instant_is_not_in_force() -> None:
    start, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    span = Span(start, until)
    moment = timedelta(microseconds=1)
    assert [span.holds(at) for at in (start - moment, start, until - moment, until)] == [False, True, True, False]
