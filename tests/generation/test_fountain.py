"""Fountain: elements counted as the format's own tests count them, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generation.fountain import Kind, ScriptError, parse

H, A, C, P, D = Kind.HEADING, Kind.ACTION, Kind.CHARACTER, Kind.PARENTHETICAL, Kind.DIALOGUE


def kinds(text: str) -> list[Kind]:
    return [e.kind for e in parse(text).elements]


@pytest.mark.corpus
def test_dialogue_is_counted_as_the_formats_own_tests_count_it(corpus: Path) -> None:
    elements = parse((corpus / "screenplay/Dialogue.fountain").read_text("utf-8")).elements
    found = {kind: [i for i, e in enumerate(elements) if e.kind is kind] for kind in (C, P, D)}
    assert found == {
        C: [0, 2, 4, 7, 9, 11, 13, 16, 18, 20, 23, 25, 27],
        P: [5, 15, 22, 28],
        D: [1, 3, 6, 8, 10, 12, 14, 17, 19, 21, 24, 26, 29],
    }
    assert [e.text for e in elements if e.dual] == ["ADAM", "EVE"]
    assert elements[26].text.endswith("for absolutely no good\nreason.")


@pytest.mark.corpus
def test_headings_are_counted_as_the_formats_own_tests_count_them(corpus: Path) -> None:
    elements = parse((corpus / "screenplay/SceneHeaders.fountain").read_text("utf-8")).elements
    assert [i for i, e in enumerate(elements) if e.kind is not H] == [15, 16, 17]
    assert {e.kind for e in elements[15:18]} == {A}
    assert elements[14].text == "KITCHEN"
    assert len(elements) == 19


@pytest.mark.corpus
def test_scene_numbers_are_read(corpus: Path) -> None:
    elements = parse((corpus / "screenplay/SceneNumbers.fountain").read_text("utf-8")).elements
    assert [e.scene_number for e in elements] == ["1", "1A", "1a", "A1", "I-1-A", "1.", "110A"]
    assert elements[6].text == "INT. HOUSE - DAY - FLASHBACK (1944)"


@pytest.mark.corpus
def test_notes_and_boneyards_are_counted(corpus: Path) -> None:
    notes = parse((corpus / "screenplay/Notes.fountain").read_text("utf-8")).elements
    assert [e.kind for e in notes] == [A, Kind.NOTE, Kind.NOTE, A]
    assert [n.text for n in notes[3].notes] == ["internal"]
    boneyard = parse((corpus / "screenplay/Boneyard.fountain").read_text("utf-8")).elements
    assert [e.kind for e in boneyard] == [A, Kind.BONEYARD, Kind.BONEYARD, A]
    assert "internal" not in boneyard[3].text


def test_every_element_is_told_apart() -> None:
    text = """Title: A
    B
Author: C

# Act
= What happens

FADE IN:

INT. HOUSE - DAY #1#

!INT. not a heading

@McAVOY
(softly)
Hello *there*.
~la la

> END <

===

> WIPE UP

.FLASHBACK

CUT TO:
"""
    play = parse(text)
    assert play.title_page == {"title": "A\nB", "author": "C"}
    assert [e.kind for e in play.elements] == [
        Kind.SECTION, Kind.SYNOPSIS, Kind.TRANSITION, H, A, C, P, D, Kind.LYRICS, Kind.CENTERED, Kind.PAGE_BREAK,
        Kind.TRANSITION, H, Kind.TRANSITION,
    ]  # fmt: skip
    lines = text.split("\n")
    assert all(e.text.split("\n")[0].strip("()!*") in lines[e.line - 1] for e in play.elements if e.text)


def test_chinese_cues_need_the_sign_and_have_it() -> None:
    assert kinds("@林晓\n你好。") == [C, D]
    assert kinds("林晓\n你好。") == [A]


def test_a_cue_needs_a_letter_and_a_line() -> None:
    assert kinds("23\nnot dialogue") == [A]
    assert kinds("R2D2\nbeep") == [C, D]
    assert kinds("A SIGN ON THE DOOR\n\nNothing.") == [A, A]


def test_a_note_in_dialogue_stays_with_it() -> None:
    line = parse("ADAM\nI like it. [[en: yes]]").elements[1]
    assert (line.text, [n.text for n in line.notes]) == ("I like it.", ["en: yes"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("one\n\n/* two", "s, line 3: the boneyard opened here is never closed; end it with */"),
        ("a [[b\n\nc]]", "s, line 1: the note opened here is never closed; end it with ]]"),
        ("ok\nno\x00", "s, line 2: holds the invisible character U+0000; remove it"),
        ("ok\n\u202etxt", "s, line 2: holds the invisible character U+202E; remove it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ScriptError) as refused:
        parse(text, "s")
    assert str(refused.value) == sentence


_PIECES = [
    "INT. A - DAY",
    "ADAM",
    "(x)",
    "hello",
    "",
    "  ",
    "[[n]]",
    "/* b */",
    "> c <",
    "@",
    ">",
    "~",
    ".",
    "!",
    "===",
    "#",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30))
@example(["@"])
@example([">"])
@example(["[[n]][[n]]", "/* b */x"])
def test_any_lines_give_elements_in_order_with_their_lines(lines: list[str]) -> None:
    elements = parse("\n".join(["x", "", *lines])).elements
    numbers = [e.line for e in elements]
    assert numbers == sorted(numbers)
    assert all(1 <= n <= len(lines) + 2 for n in numbers)
    assert not any(ord(c) >= 0xF0000 for e in elements for c in e.text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    hidden = any(not c.isprintable() for c in text) or "[[" in text or "/*" in text
    try:
        parse(text)
    except ScriptError:
        assert hidden
