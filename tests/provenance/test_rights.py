"""A grant covers only what it names, where, when and for whom it names it; anything open is never a yes."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.registry import Registry, Work
from provenance.rights import Answer, Covered, answers, attribute_of, consent, licence, media_of

ON = datetime(2026, 6, 1, 12, tzinfo=UTC)

CONSENT: dict[str, Any] = {
    "id": "consent:1",
    "person": {"ref": "person:a"},
    "attribute": "face",
    "subject_status": "adult_living",
    "grantor": {"kind": "self", "identity_verified": True},
    "biometric_separate_consent": True,
    "scope": {"description": "x" * 40, "uses": ["create_replica"], "series_ids": ["series:a"]},
    "media": ["short_video_app"],
    "territories": ["CN"],
    "term": {"from": "2026-01-01", "to": "2026-12-31"},
    "revocation": {"allowed": True, "channel": "mail", "revoked_at": None},
    "contract": {"sha256": "0" * 64, "signed_at": "2025-12-01T00:00:00+00:00"},
    "recorded_at": "2025-12-02T00:00:00+00:00",
}

LICENCE: dict[str, Any] = {
    "id": "rights:1",
    "work": {"kind": "film", "title": "The Long Night"},
    "use": ["reproduce", "adapt"],
    "basis": "licensed",
    "grantor_chain": [{"from": "owner", "to": "us"}],
    "territories": ["CN"],
    "media": ["short_video_app"],
    "term": {"from": "2026-01-01", "to": None},
    "evidence": [{"kind": "contract", "sha256": "0" * 64}],
    "recorded_at": "2025-12-02T00:00:00+00:00",
}


def changed(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(record)
    *way, last = path.split(".")
    at = made
    for step in way:
        at = at.setdefault(step, {})
    at[last] = value
    return made


def asked(record: dict[str, Any] | list[dict[str, Any]], **given: Any) -> Answer:
    records = record if isinstance(record, list) else [record]
    query: dict[str, Any] = {
        "uses": ("create_replica",),
        "series_id": "series:a",
        "territory": "CN",
        "media": ("short_video_app",),
        "on": ON,
    }
    return consent(records, "person:a", "face", **{**query, **given})


def test_a_consent_that_names_everything_covers() -> None:
    answer = asked(CONSENT)
    assert (answer.covered, answer.grant) == (Covered.YES, "consent:1")


NOT_COVERED = {
    "another person": ("person.ref", "person:b"),
    "another attribute": ("attribute", "voice"),
    "no biometric consent": ("biometric_separate_consent", False),
    "other uses": ("scope.uses", ["translate_dub"]),
    "another series": ("scope.series_ids", ["series:b"]),
    "another territory": ("territories", ["US"]),
    "another medium": ("media", ["cinema"]),
    "not begun": ("term.from", "2026-06-02"),
    "ended": ("term.to", "2026-05-31"),
    "revoked": ("revocation.revoked_at", "2026-05-01T00:00:00+00:00"),
    "to be revoked": ("revocation.revoked_at", "2026-07-01T00:00:00+00:00"),
    "signed later": ("contract.signed_at", "2026-06-02T00:00:00+00:00"),
}


@pytest.mark.parametrize("why", NOT_COVERED)
def test_a_consent_that_lacks_something_does_not(why: str) -> None:
    answer = asked(changed(CONSENT, *NOT_COVERED[why]))
    assert (answer.covered, answer.grant) == (Covered.NO, None)


DOUBTFUL = {
    "identity not verified": ("grantor.identity_verified", False),
    "no series named": ("scope.series_ids", []),
    "content excluded in prose": ("scope.excluded_content", ["no violence"]),
    "a historical figure": ("subject_status", "historical"),
}


@pytest.mark.parametrize("why", DOUBTFUL)
def test_a_consent_only_a_person_can_judge_is_unknown(why: str) -> None:
    assert asked(changed(CONSENT, *DOUBTFUL[why])).covered is Covered.UNKNOWN


@pytest.mark.parametrize("given", [{"series_id": None}, {"media": None}, {"uses": ()}])
def test_papers_that_say_too_little_are_unknown_and_never_yes(given: dict[str, Any]) -> None:
    assert asked(CONSENT, **given).covered is Covered.UNKNOWN
    assert asked(changed(CONSENT, "territories", ["US"]), **given).covered is Covered.NO


@pytest.mark.parametrize(("day", "covered"), [("2026-01-01", "yes"), ("2026-12-31", "yes"), ("2027-01-01", "no")])
def test_both_ends_of_the_term_count(day: str, covered: str) -> None:
    assert asked(CONSENT, on=datetime.fromisoformat(f"{day}T23:59:59+08:00")).covered.value == covered


@pytest.mark.parametrize(
    ("named", "territory", "covered"),
    [
        (["WW"], "CN", "yes"),
        (["US"], "US-CA", "yes"),
        (["US-CA"], "US", "no"),
        (["EU"], "FR", "yes"),
        (["FR"], "EU", "no"),
        (["WW"], "*", "yes"),
        (["CN"], "*", "no"),
    ],
)
def test_territories(named: list[str], territory: str, covered: str) -> None:
    assert asked(changed(CONSENT, "territories", named), territory=territory).covered.value == covered


RIDER = {
    "granted": True,
    "level": "implied",
    "scene_refs": ["12"],
    "signed_separately": True,
    "signature_sha256": "0" * 64,
}


@pytest.mark.parametrize(
    ("rider", "scene", "covered"),
    [
        (None, "12", "no"),
        (RIDER, "12", "yes"),
        (RIDER, "13", "no"),
        (RIDER, None, "unknown"),
        ({**RIDER, "granted": False}, "12", "no"),
        ({**RIDER, "signed_separately": False}, "12", "no"),
        ({**RIDER, "expires_at": "2026-05-31"}, "12", "no"),
        ({**RIDER, "expires_at": "2026-06-01"}, "12", "yes"),
    ],
)
def test_intimate_scenes_need_a_rider_of_their_own(
    rider: dict[str, Any] | None, scene: str | None, covered: str
) -> None:
    record = CONSENT if rider is None else changed(CONSENT, "intimate_rider", rider)
    assert asked(record, intimate=True, scene=scene).covered.value == covered
    assert asked(record).covered is Covered.YES


def test_nobody_under_age_agrees_to_intimate_scenes() -> None:
    record = changed(changed(CONSENT, "intimate_rider", RIDER), "subject_status", "minor")
    assert asked(record, intimate=True, scene="12").covered is Covered.NO


def test_one_consent_that_covers_is_enough() -> None:
    revoked = changed(changed(CONSENT, "id", "consent:0"), "revocation.revoked_at", "2026-05-01T00:00:00+00:00")
    assert asked([revoked, CONSENT]).grant == "consent:1"
    assert asked([]).covered is Covered.NO


FIELDS = st.sampled_from([*NOT_COVERED.values(), *DOUBTFUL.values(), ("id", "consent:2")])
ORDER = {Covered.YES: 0, Covered.UNKNOWN: 1, Covered.NO: 2}


@settings(max_examples=200, deadline=None)
@given(st.lists(FIELDS, max_size=3), st.lists(FIELDS, max_size=2))
def test_one_more_consent_is_never_stricter(first: list[tuple[str, Any]], second: list[tuple[str, Any]]) -> None:
    def made(changes: list[tuple[str, Any]]) -> dict[str, Any]:
        record = CONSENT
        for path, value in changes:
            record = changed(record, path, value)
        return record

    fewer, more = asked(made(first)), asked([made(first), made(second)])
    assert ORDER[more.covered] <= ORDER[fewer.covered]


# Licences


def work(work_id: str = "work:a", title: str = "The Long Night", kind: str = "film", sha256: str = "f" * 64) -> Work:
    record = {"id": work_id, "kind": kind, "title": title, "references": [{"path": "a.mp4", "sha256": sha256}]}
    return Work(work_id, kind, title, (), record)


def registered(*licences: dict[str, Any], works: tuple[Work, ...] = (work(),)) -> Registry:
    return Registry(works={w.id: w for w in works}, licences=licences)


def licensed(record: dict[str, Any], use: str = "reproduce", **given: Any) -> Answer:
    works = given.pop("works", (work(),))
    query: dict[str, Any] = {"listed": ("rights:1",), "territory": "CN", "media": ("short_video_app",), "on": ON}
    return licence(registered(record, works=works), "work:a", use, **{**query, **given})


def test_a_licence_that_names_everything_covers() -> None:
    assert (licensed(LICENCE).covered, licensed(LICENCE).grant) == (Covered.YES, "rights:1")


@pytest.mark.parametrize(
    "change",
    [
        ("work.title", "Another Night"),
        ("work.kind", "game"),
        ("use", ["translate"]),
        ("territories", ["US"]),
        ("media", ["tv"]),
        ("term.from", "2026-06-02"),
        ("term.to", "2026-05-31"),
        ("revoked_at", "2026-07-01T00:00:00+00:00"),
        ("restrictions", ["no_ai_generation"]),
        ("restrictions", ["approval_required"]),
        ("grantor_chain", [{"from": "a", "to": "b", "sublicence_allowed": True}, {"from": "c", "to": "us"}]),
        ("grantor_chain", [{"from": "a", "to": "b"}, {"from": "b", "to": "us"}]),
        ("id", "rights:2"),
    ],
    ids=lambda change: f"{change[0]}={change[1]}"[:40],
)
def test_a_licence_that_lacks_something_does_not(change: tuple[str, Any]) -> None:
    assert licensed(changed(LICENCE, *change)).covered is Covered.NO


def test_a_chain_that_holds_covers() -> None:
    chain = [{"from": "a", "to": "b", "sublicence_allowed": True}, {"from": "b", "to": "us"}]
    assert licensed(changed(LICENCE, "grantor_chain", chain)).covered is Covered.YES


@pytest.mark.parametrize("given", [{"listed": None}, {"media": None}])
def test_a_licence_without_papers_is_unknown_and_never_yes(given: dict[str, Any]) -> None:
    assert licensed(LICENCE, **given).covered is Covered.UNKNOWN


def test_a_title_written_otherwise_is_the_same_title() -> None:
    assert licensed(changed(LICENCE, "work.title", "《the long　night》")).covered is Covered.YES


def test_a_title_that_two_works_bear_is_unknown_unless_a_fingerprint_tells() -> None:
    both = (work(), work("work:b", sha256="e" * 64))
    assert licensed(LICENCE, works=both).covered is Covered.UNKNOWN
    printed = changed(LICENCE, "work.fingerprints", [{"algo": "sha256", "value": "f" * 64}])
    assert licensed(printed, works=both).covered is Covered.YES


def test_music_needs_both_rights() -> None:
    music = (work(kind="music"),)
    record = changed(changed(LICENCE, "work.kind", "sound_recording"), "use", ["synchronise"])
    assert licensed(record, "synchronise", works=music).covered is Covered.NO
    both = changed(record, "music", {"composition_right": True, "recording_right": True})
    assert licensed(both, "synchronise", works=music).covered is Covered.YES
    one = changed(record, "music", {"composition_right": True, "recording_right": False})
    assert licensed(one, "synchronise", works=music).covered is Covered.NO
    cues = changed(both, "music.cue_us", [[0, 1_000_000]])
    assert licensed(cues, "synchronise", works=music).covered is Covered.UNKNOWN


def test_the_public_domain_ends_at_borders_and_editions() -> None:
    free = changed(
        changed(LICENCE, "basis", "public_domain"), "public_domain", {"territories_pd": ["CN"], "edition_is_pd": True}
    )
    assert licensed(free).covered is Covered.YES
    assert licensed(changed(free, "public_domain.territories_pd", ["US"])).covered is Covered.NO
    assert licensed(changed(free, "public_domain.edition_is_pd", False)).covered is Covered.UNKNOWN


@pytest.mark.parametrize(("own", "covered"), [(True, "yes"), (False, "no")])
def test_the_operators_own_catalogue_makes_no_claim(own: bool, covered: str) -> None:
    known = work()
    mine = Work(known.id, known.kind, known.title, (), {**known.record, "own_catalogue": own})
    answer = licence(registered(works=(mine,)), "work:a", "reproduce", listed=None, territory="CN", media=None, on=ON)
    assert answer.covered.value == covered


def test_a_work_that_left_the_registry_is_unknown() -> None:
    answer = licence(Registry(), "work:a", "reproduce", listed=(), territory="CN", media=(), on=ON)
    assert answer.covered is Covered.UNKNOWN


# All together


PAPERS: dict[str, Any] = {
    "territories": ["CN"],
    "channels": ["douyin"],
    "series": {"id": "series:a"},
    "works": ["rights:1"],
}


def everyone(papers: dict[str, Any] | None = PAPERS, territories: tuple[str, ...] = ()) -> dict[tuple[str, str], str]:
    registry = Registry(works={"work:a": work()}, licences=(LICENCE,), consents=(CONSENT,))
    found = answers(
        registry,
        subjects=[("person:a", "likeness.face"), ("person:a", "likeness.voice")],
        works=[("work:a", "copy.video")],
        papers=papers,
        territories=territories,
        as_of=ON,
    )
    return {(f"{a.about} {a.attribute}", a.territory): a.covered.value for a in found}


def test_everyone_and_everything_matched_gets_an_answer() -> None:
    assert everyone() == {
        ("person:a face", "CN"): "yes",
        ("person:a voice", "CN"): "no",
        ("work:a reproduce", "CN"): "yes",
    }


def test_territories_asked_about_count_before_those_of_the_papers() -> None:
    assert everyone(territories=("US", "CN")) == {
        ("person:a face", "CN"): "yes",
        ("person:a face", "US"): "no",
        ("person:a voice", "CN"): "no",
        ("person:a voice", "US"): "no",
        ("work:a reproduce", "CN"): "yes",
        ("work:a reproduce", "US"): "no",
    }


def test_without_papers_nothing_is_covered() -> None:
    assert set(everyone(None).values()) == {"no"}
    assert set(everyone(None, ("CN",)).values()) == {"unknown", "no"}


def test_an_intimate_match_needs_the_rider() -> None:
    registry = Registry(consents=(CONSENT,))
    found = answers(registry, [("person:a", "sexual.ncii"), ("person:a", "likeness.face")], [], PAPERS, (), ON)
    assert [(a.attribute, a.covered) for a in found] == [("face", Covered.NO)]


@pytest.mark.parametrize(
    ("category", "attribute"),
    [
        ("likeness.face", "face"),
        ("likeness.public_figure", "face"),
        ("likeness.voice", "voice"),
        ("copy.music", "synchronise"),
        ("copy.picture", "reproduce"),
        ("copyright", None),
        ("violence.fight", None),
    ],
)
def test_what_a_match_needs(category: str, attribute: str | None) -> None:
    assert attribute_of(category) == attribute


@pytest.mark.parametrize(
    ("papers", "media"),
    [
        (None, None),
        ({}, None),
        ({"channels": ["other"]}, None),
        ({"channels": ["douyin", "iptv"]}, ("short_video_app", "tv")),
        (
            {"channels": ["douyin"], "episode": {"interactive": {"kind": "branching"}}},
            ("interactive", "short_video_app"),
        ),
        ({"channels": ["douyin"], "episode": {"is_promo_cut": True}}, ("advertising", "short_video_app")),
    ],
)
def test_media(papers: dict[str, Any] | None, media: tuple[str, ...] | None) -> None:
    assert media_of(papers) == media
