"""Every way a rulebook can be wrong is refused whole, with its place and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.rulebook import RulebookError, find, load, read, select, shipped
from policies.yaml_source import MAX_BYTES

GOOD = """\
rulebook: night
version: 1
title: {zh: 夜, en: Night}
territory: CN
effective: {from: 2026-01-01T00:00:00+08:00, until: null}
gates: [prescreen, publish]
taxonomy: drama@1
extends: null
requires: [likeness]
thresholds:
  sure: {default: 0.8, range: [0.5, 0.95], why: {zh: 把握, en: Confidence}}
rules:
  - id: night.face
    title: {zh: 人脸, en: Faces}
    source: {kind: law, cite: "Somewhere 1", read: quoted, confidence: high, url: null}
    match: {categories: [likeness.face], min_score: $sure}
    when: 'matched.exists(f, f.covered != "yes")'
    then:
      outcome: hold
      reason: {zh: 须核对, en: A person looks}
    cases:
      - name: fires
        given: {findings: [{category: likeness.face, score: 0.9, start_us: 0, end_us: 1000}]}
        expect: {outcome: hold, fired: [night.face]}
      - name: silent
        given: {findings: [{category: likeness.face, score: 0.7, start_us: 0, end_us: 1000}]}
        expect: {outcome: approve, silent: [night.face]}
"""

RULE = GOOD[GOOD.index("  - id:") :]


def refusal(text: str | bytes) -> str:
    """What the loader says of `text`, which must be refused."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RulebookError) as caught:
        read(data, "night.yaml")
    assert str(caught.value) == "\n".join(caught.value.errors)
    return str(caught.value) + "\n"


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1, old
    return GOOD.replace(old, new, 1)


def test_what_is_right_is_read() -> None:
    book = read(GOOD.encode(), "night.yaml")
    assert (book.name, book.version, book.territory, len(book.rules)) == ("night", 1, "CN", 1)
    assert book.rules[0].match is not None
    assert book.rules[0].match.min_score_millionths == 800_000


WRONG = {
    "unknown-key": changed("    match:", "    mach:"),
    "unknown-top-key": changed("gates:", "gate:"),
    "unknown-key-from-a-comma": changed("en: A person looks", "en: A person looks, at once"),
    "missing-translation": changed("{zh: 人脸, en: Faces}", "{en: Faces}"),
    "empty-translation": changed("{zh: 人脸, en: Faces}", '{zh: "", en: Faces}'),
    "unknown-category": changed("categories: [likeness.face]", "categories: [likness.face]"),
    "unknown-pattern": changed("categories: [likeness.face]", "categories: [likenes.**]"),
    "unknown-classifier": changed("requires: [likeness]", "requires: [likenes]"),
    "unknown-threshold": changed("min_score: $sure", "min_score: $shure"),
    "threshold-outside-range": changed("default: 0.8", "default: 0.99"),
    "threshold-range-reversed": changed("[0.5, 0.95]", "[0.95, 0.5]"),
    "score-off-the-scale": changed("min_score: $sure", "min_score: 80"),
    "score-not-a-number": changed("min_score: $sure", "min_score: high"),
    "wrong-type": changed("gates: [prescreen, publish]", "gates: publish"),
    "wrong-version": changed("version: 1", "version: one"),
    "unknown-outcome": changed("outcome: hold\n", "outcome: holds\n"),
    "unknown-mode": changed("    match:", "    mode: shadows\n    match:"),
    "effective-reversed": changed("until: null", "until: 2025-01-01T00:00:00+08:00"),
    "effective-without-zone": changed("2026-01-01T00:00:00+08:00", "2026-01-01"),
    "other-taxonomy": changed("drama@1", "drama@2"),
    "extends": changed("extends: null", "extends: base@1"),
    "duplicate-key": changed("version: 1", "version: 1\nversion: 2"),
    "duplicate-rule": GOOD + RULE,
    "anchor-and-alias": changed("version: 1", "version: &v 1").replace("territory: CN", "territory: *v"),
    "tag": changed("version: 1", "version: !!python/object/apply:os.system [ls]"),
    "two-documents": GOOD + "---\na: 1\n",
    "not-yaml": changed("rules:", "rules: ]["),
    "list-at-the-top": "- a\n- b\n",
    "empty": "",
    "no-rules": GOOD[: GOOD.index("rules:")] + "rules: []\n",
    "cel-misspelt-field": changed("f.covered", "f.coverd"),
    "cel-misspelt-measured": changed('f.covered != "yes"', "f.measured.distanse < 0.5"),
    "cel-misspelt-variable": changed("matched.exists(f, f.covered", "mached.exists(f, f.covered"),
    "cel-misspelt-paper": changed('f.covered != "yes"', 'f.covered != "yes" && papers.production.investment_cn > 1'),
    "cel-int-with-double": changed('f.covered != "yes"', "f.score > 1"),
    "cel-impossible-word": changed('f.covered != "yes"', 'f.covered != "yess"'),
    "cel-not-bool": changed('matched.exists(f, f.covered != "yes")', "size(matched)"),
    "cel-syntax": changed('f.covered != "yes")', 'f.covered != "yes"'),
    "cel-regex": changed('f.covered != "yes"', 'f.text.matches("(a")'),
    "cel-second-line": changed(
        "when: 'matched.exists(f, f.covered != \"yes\")'",
        'when: |\n      matched.exists(f,\n        f.covered == "no"\n        || f.covred == "unknown")',
    ),
    "cel-backwards": changed("matched.exists(f, ", "!matched.exists(f, "),
    "observation-forwards": changed("[likeness.face]", "[label.ai_text]"),
    "mixed-polarity": changed("[likeness.face]", "[likeness.face, label.ai_text]"),
    "neither-match-nor-when": changed("    match: {categories: [likeness.face], min_score: $sure}\n", "").replace(
        "    when: 'matched.exists(f, f.covered != \"yes\")'\n", ""
    ),
    "matched-without-match": changed("    match: {categories: [likeness.face], min_score: $sure}\n", ""),
    "secondary-rejects": changed("read: quoted", "read: secondary").replace("outcome: hold\n", "outcome: reject\n", 1),
    "unsure-rejects": changed("confidence: high", "confidence: medium").replace(
        "outcome: hold\n", "outcome: reject\n", 1
    ),
    "memory-holds": changed("read: quoted", "read: memory"),
    "draft-holds": changed("url: null", "url: null, draft: true"),
    "edits-without-segment": changed("outcome: hold\n", "outcome: hold\n      edits: [{do: cut}]\n"),
    "segment-without-edits": changed("outcome: hold\n", "outcome: segment\n"),
    "unknown-edit": changed("outcome: hold\n", "outcome: segment\n      edits: [{do: cuts}]\n"),
    "edit-ends-before-it-starts": changed(
        "outcome: hold\n", "outcome: segment\n      edits: [{do: cut, start_us: 5, end_us: 5}]\n"
    ),
    "label-without-text": changed("outcome: hold\n", "outcome: segment\n      edits: [{do: overlay_label}]\n"),
    "unknown-placeholder": changed(
        "outcome: hold\n", "outcome: segment\n      edits: [{do: insert_card, text: {zh: '{titel}', en: '{title}'}}]\n"
    ),
    "no-firing-case": GOOD[: GOOD.index("      - name: fires")] + GOOD[GOOD.index("      - name: silent") :],
    "no-silent-case": GOOD[: GOOD.index("      - name: silent")],
    "case-that-stays-silent": changed("score: 0.9", "score: 0.6"),
    "case-that-fires": changed("score: 0.7", "score: 0.85"),
    "case-with-other-outcome": changed("{outcome: hold, fired", "{outcome: reject, fired"),
    "case-of-unknown-rule": changed("silent: [night.face]", "silent: [night.face, night.fase]"),
    "case-of-nothing": changed("fired: [night.face]", "fired: [night.other]"),
    "case-with-unknown-category": changed(
        "[{category: likeness.face, score: 0.9", "[{category: likeness.fase, score: 0.9"
    ),
    "case-with-impossible-range": changed("start_us: 0, end_us: 1000", "start_us: 1000, end_us: 1000"),
    "case-with-impossible-papers": changed(
        "given: {findings: [{category: likeness.face, score: 0.9",
        "given: {papers: {gate: publsh, production: {investment_cny: many, invested: 1}}, "
        "findings: [{category: likeness.face, score: 0.9",
    ),
    "several-mistakes": changed("version: 1", "version: 0").replace("confidence: high", "confidence: hihg"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rulebook_says_what_and_where(name: str, golden) -> None:  # type: ignore[no-untyped-def]
    golden(f"rulebook-{name}.txt", refusal(WRONG[name]))


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 1_000_000)
    with pytest.raises(RulebookError, match=f"100000000 bytes; a rulebook has at most {MAX_BYTES}"):
        load(path)


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"
    assert "night.yaml:1:4: anchor &a" in refusal(bomb)


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "[" * 30 + "]" * 30, "{a: " * 100 + "1" + "}" * 100])
def test_deep_nesting_is_refused(text: str) -> None:
    assert "nested deeper than 24 levels" in refusal(text)


def test_a_catastrophic_regex_is_not_one() -> None:
    condition = 'f.text.matches("(a+)+$")'
    text = GOOD.replace('f.covered != "yes"', condition).replace(
        "score: 0.9, start_us: 0, end_us: 1000", f"score: 0.9, start_us: 0, end_us: 1000, text: {'a' * 60}"
    )
    assert read(text.encode(), "night.yaml").rules[0].id == "night.face"


def test_bytes_that_are_no_text_are_refused_where_they_stand() -> None:
    assert refusal(GOOD.encode() + b"# \xff\n") == (
        f"night.yaml:{GOOD.count(chr(10)) + 1}:3: byte 0xff is not UTF-8; save as UTF-8\n"
    )


def test_a_missing_file_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        RulebookError, match=r"cannot be read \(No such file or directory\); name a rulebook file or one of"
    ):
        load(tmp_path / "none.yaml")


def test_a_misspelt_name_is_told_the_nearest() -> None:
    with pytest.raises(RulebookError, match="no rulebook is called 'cn-labelling'; did you mean 'cn-labeling'"):
        find("cn-labelling")


def test_an_unknown_territory_names_the_known_ones() -> None:
    with pytest.raises(RulebookError, match="no rulebook speaks for the territory 'XX'; known: CN"):
        select(territories=["XX"])


def test_selection() -> None:
    def names(**given: object) -> list[str]:
        return [b.name for b in select(**given)]  # type: ignore[arg-type]

    assert names() == ["cn-labeling", "house-default"]
    assert names(papers={"gate": "publish"}) == ["cn-labeling", "house-default"]
    assert names(territories=["CN"]) == ["house-default", "cn-labeling", "cn-nrta"]
    assert names(papers={"territories": ["CN"]}) == ["house-default", "cn-labeling", "cn-nrta"]
    assert names(papers={"territories": ["NZ"]}) == ["cn-labeling", "house-default"]
    assert names(names=["cn-nrta"]) == ["cn-nrta"]
    assert names(names=["house-default"], territories=["CN"]) == ["house-default", "cn-labeling", "cn-nrta"]


def test_layout_and_comments_do_not_change_the_digest() -> None:
    first = read(GOOD.encode(), "a.yaml").digest
    assert read(("# hello\n" + GOOD.replace("version: 1", "version:   1")).encode(), "b.yaml").digest == first
    assert read(changed("version: 1", "version: 2").encode(), "a.yaml").digest != first


def test_words_of_older_yaml_stay_words() -> None:
    text = changed("    match:", "    mode: off\n    match:")
    assert read(text.encode(), "a.yaml").rules[0].mode.value == "off"


def test_every_shipped_rulebook_is_right() -> None:
    assert set(shipped()) == {"cn-labeling", "cn-nrta", "house-default"}
    for name in shipped():
        assert find(name).name == name
